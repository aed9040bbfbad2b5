using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Report;

/// <summary>
/// Writes down a run by hand. Each call adds a step of one column; <c>In</c> sets the calls that its following steps
/// stand in.
/// </summary>
internal sealed class RunBuilder(params TraceColumn[] columns)
{
    private readonly List<TraceStep> _steps = [];
    private readonly Dictionary<int, string[]> _calls = [];

    public RunBuilder In(int column, params string[] calls)
    {
        _calls[column] = calls;
        return this;
    }

    public RunBuilder Key(int column, string text, params string[] notes) => Add(column, text, StepWeight.Key, notes);

    public RunBuilder Context(int column, string text, params string[] notes) => Add(column, text, StepWeight.Context, notes);

    public RunBuilder Detail(int column, string text, params string[] notes) => Add(column, text, StepWeight.Detail, notes);

    /// <summary>Puts the last step into the interrupt handler of its column's CPU.</summary>
    public RunBuilder Interrupt()
    {
        _steps[^1] = _steps[^1] with { InInterrupt = true };
        return this;
    }

    /// <summary>Marks the last step as decisive.</summary>
    public RunBuilder Decides()
    {
        _steps[^1] = _steps[^1] with { IsDecisive = true };
        return this;
    }

    public Counterexample Build(string property, string sentence) => new()
    {
        PropertyId = property,
        Sentence = sentence,
        Columns = columns,
        Steps = _steps,
        Schedule = string.Join(',', _steps.Select(step => step.Column)),
        ContextSwitches = _steps.Zip(_steps.Skip(1)).Count(pair => pair.First.Column != pair.Second.Column),
        IsMinimal = true,
    };

    private RunBuilder Add(int column, string text, StepWeight weight, string[] notes)
    {
        _steps.Add(new TraceStep
        {
            Column = column,
            Text = text,
            Notes = notes,
            CallStack = _calls.GetValueOrDefault(column, []),
            Weight = weight,
        });
        return this;
    }
}
