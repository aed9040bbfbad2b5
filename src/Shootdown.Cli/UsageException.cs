namespace Shootdown.Cli;

/// <summary>The command line cannot be obeyed. The message says what was wrong and what would be right.</summary>
internal sealed class UsageException(string message, string hint = "") : Exception(message)
{
    /// <summary>A command that helps on; empty if the message says it all.</summary>
    public string Hint { get; } = hint;
}
