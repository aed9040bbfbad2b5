namespace Shootdown.Report;

/// <summary>
/// Indices of steps of one run, in order. A plain class and no set of the library: generic code over integers is compiled
/// at run time, which took longer than drawing the diagram.
/// </summary>
internal sealed class StepSet(int steps)
{
    private readonly bool[] _members = new bool[steps];

    private StepSet(StepSet other)
        : this(other._members.Length) => other._members.CopyTo(_members, 0);

    /// <summary>True if the step is in the set.</summary>
    public bool Contains(int step) => _members[step];

    /// <summary>Adds a step, again if need be.</summary>
    public void Add(int step) => _members[step] = true;

    /// <summary>Adds all steps of another set.</summary>
    public void Add(StepSet other)
    {
        for (int i = 0; i < _members.Length; i++)
        {
            _members[i] |= other._members[i];
        }
    }

    /// <summary>A set of its own with the same members.</summary>
    public StepSet Copy() => new(this);

    /// <summary>Number of members for which something holds.</summary>
    public int Count(Func<int, bool> holds)
    {
        int count = 0;
        for (int i = 0; i < _members.Length; i++)
        {
            count += _members[i] && holds(i) ? 1 : 0;
        }

        return count;
    }

    /// <summary>True if it holds for some member.</summary>
    public bool Any(Func<int, bool> holds) => Count(holds) > 0;
}
