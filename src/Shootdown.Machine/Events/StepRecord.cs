namespace Shootdown.Machine;

/// <summary>What a replayed step adds to its own text: hardware events in brackets, outcomes.</summary>
public sealed class StepRecord
{
    private readonly List<string> _notes = [];

    /// <summary>Notes in the order in which they were made.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>True if a property marked the step as deciding.</summary>
    public bool IsDecisive { get; private set; }

    /// <summary>Extra rows (on other CPUs) that the step needs to be understood: CPU number and text.</summary>
    public List<(int Cpu, string Text)> Elsewhere { get; } = [];

    /// <summary>Replaces the operation's own text, if not null.</summary>
    public string? Text { get; set; }

    /// <summary>Raises or lowers the operation's own weight, if not null.</summary>
    public StepWeight? Weight { get; set; }

    /// <summary>Adds a note.</summary>
    public void Note(string text) => _notes.Add(text);

    /// <summary>Marks the step as one that decides the race.</summary>
    public void Decide() => IsDecisive = true;
}
