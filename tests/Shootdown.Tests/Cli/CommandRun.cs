using Shootdown.Cli;

namespace Shootdown.Tests.Cli;

/// <summary>Runs a command in this process, as a shell would, and catches what it writes.</summary>
internal static class CommandRun
{
    public static (int ExitCode, string Output, string Error) Of(params string[] arguments) => Of(host => host, arguments);

    /// <summary>Runs it on a host that is like that of a process, but for some replacements.</summary>
    public static (int ExitCode, string Output, string Error) Of(Func<CliHost, CliHost> replace, params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        CliHost host = CliHost.OfProcess() with { Out = output, Error = error, ErrorIsTerminal = false, OnInterrupt = _ => null };
        int exitCode = CommandLine.Run(arguments, replace(host));
        return (exitCode, output.ToString(), error.ToString());
    }
}
