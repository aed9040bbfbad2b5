using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// What the choices of one <see cref="AmpleChooser"/> relied on in a pass: that futures, as far as they were known, do not touch
/// certain words. Sums of what was asked, by future. Not thread-safe.
/// </summary>
internal sealed class Reliance(MachineModel machine, ReductionTable table)
{
    /// <summary>In place of a barrier: the whole future.</summary>
    internal const int Ever = -1;

    private readonly int _columns = table.Barriers.Count + 1;
    private readonly List<(ReductionTable.Entry Entry, int Barrier, Footprint Asked)> _all = [];
    private readonly List<(ReductionTable.Entry Entry, int Growth)> _steps = [];
    private Footprint?[] _asked = [];
    private bool[] _isStep = [];

    /// <summary>A choice relied on it that a step does not conflict with a future.</summary>
    internal void AddNoConflict(ReductionTable.Entry future, int barrier, ReductionTable.Entry step)
    {
        Of(future, barrier).UnionWith(step.Operation);
        AddStep(step);
    }

    /// <summary>A choice relied on it that a future writes nothing that a step touches.</summary>
    internal void AddNoWriteOfTouched(ReductionTable.Entry future, ReductionTable.Entry step)
    {
        Of(future, Ever).ReadWhatTouches(step.Operation);
        AddStep(step);
    }

    /// <summary>A choice relied on it that a future does not write a word.</summary>
    internal void AddNoWrite(ReductionTable.Entry future, int barrier, int address) => Of(future, barrier).Read(address);

    /// <summary>True if all of it still holds: futures are still free of what was asked, and the steps that were asked for are the same.</summary>
    internal bool Holds()
        => _steps.TrueForAll(step => step.Entry.OperationGrowth == step.Growth)
            && _all.TrueForAll(one => !one.Asked.ConflictsWith(one.Barrier == Ever ? one.Entry.Future : one.Entry.FutureBefore[one.Barrier]));

    private void AddStep(ReductionTable.Entry step)
    {
        if (step.Id >= _isStep.Length)
        {
            Array.Resize(ref _isStep, Math.Max(step.Id + 1, Math.Max(256, _isStep.Length * 2)));
        }

        if (!_isStep[step.Id])
        {
            // The first time counts: if it grew since, then an earlier choice knew less of it.
            _isStep[step.Id] = true;
            _steps.Add((step, step.OperationGrowth));
        }
    }

    private Footprint Of(ReductionTable.Entry future, int barrier)
    {
        int place = (future.Id * _columns) + barrier + 1;
        if (place >= _asked.Length)
        {
            Array.Resize(ref _asked, Math.Max(place + 1, Math.Max(256 * _columns, _asked.Length * 2)));
        }

        if (_asked[place] is not { } asked)
        {
            asked = new Footprint(machine.WordCount);
            _asked[place] = asked;
            _all.Add((future, barrier, asked));
        }

        return asked;
    }
}
