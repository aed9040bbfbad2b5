using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-gone: what a call has removed does not come back. When munmap, MADV_DONTNEED or mremap returns, no entry of its range stands for
/// contents that were there when it began, and none is set later: neither for their page nor for a copy of it (migration). For anonymous
/// memory: pages of files come back from the page cache.
/// </summary>
/// <remarks>
/// A word for every call that promises removal: the frames that hold such contents, until they are freed. P-ret judges translations that
/// TLBs may use; this judges entries, also those that hardware cannot use yet (migration entries, NUMA hints). Contents in swap are not
/// followed.
/// </remarks>
public sealed class PGone : Property
{
    private const int FramesMax = 60;
    private const ulong ReturnedBit = 1UL << 63;
    private readonly List<Promise> _removals = [];
    private MachineModel _machine = null!;
    private int _contents;

    /// <inheritdoc/>
    public override string Id => "P-gone";

    /// <inheritdoc/>
    public override string JudgementText => "entries of ranges that calls have removed";

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        int call = _removals.IndexOf(promise);
        ulong frames = 0;
        for (int page = promise.FirstPage; call >= 0 && page < promise.FirstPage + promise.PageCount; page++)
        {
            Pte entry = TlbInspector.CurrentLeaf(state, promise.Space, page);
            frames |= StandsForFrame(entry) ? 1UL << entry.Frame : 0;
        }

        if (call >= 0)
        {
            state.Write(_contents + call, frames);
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise)
    {
        int call = _removals.IndexOf(promise);
        ulong frames = call < 0 ? 0 : state.Read(_contents + call);
        if (frames == 0)
        {
            return;
        }

        state.Write(_contents + call, frames | ReturnedBit);
        for (int page = promise.FirstPage; page < promise.FirstPage + promise.PageCount; page++)
        {
            JudgeEntry(state, call, page, TlbInspector.CurrentLeaf(state, promise.Space, page));
        }
    }

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        for (int call = 0; call < _removals.Count; call++)
        {
            if (Covers(_removals[call], page) && _removals[call].Space == space && (state.Read(_contents + call) & ReturnedBit) != 0)
            {
                JudgeEntry(state, call, page, value);
            }
        }
    }

    /// <inheritdoc/>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to)
    {
        for (int call = 0; call < _removals.Count; call++)
        {
            ulong frames = state.Read(_contents + call);
            state.Write(_contents + call, (frames & (1UL << from)) != 0 ? frames | (1UL << to) : frames & ~(1UL << to));
        }
    }

    /// <summary>The page that KSM puts in place belongs to others too: it may be mapped again.</summary>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to) => Forget(state, to);

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame) => Forget(state, frame);

    /// <inheritdoc/>
    public override void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
        int call = _removals.IndexOf(promise);
        for (int page = promise.FirstPage; call >= 0 && page < promise.FirstPage + promise.PageCount; page++)
        {
            footprint.Write(_contents + call);
            TlbInspector.AddLeafFootprint(footprint, _machine, page);
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        for (int call = 0; call < _removals.Count; call++)
        {
            if (Covers(_removals[call], page))
            {
                footprint.Read(_contents + call);
            }
        }
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to) => footprint.WriteRange(_contents, _removals.Count);

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame) => footprint.WriteRange(_contents, _removals.Count);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        if (machine.Paging.Frames.Count > FramesMax)
        {
            throw new ArgumentException($"P-gone knows {FramesMax} frames; this machine has {machine.Paging.Frames.Count}: lower its bounds");
        }

        _machine = machine;
        _removals.AddRange(machine.Promises.Where(promise => promise.Kind == PromiseKind.Removed));
        _contents = machine.AllocateRange("p_gone.contents", WordKind.Hardware, _removals.Count);
    }

    private static bool StandsForFrame(Pte entry) => entry.MapsFrame || entry.IsMigration;

    private static bool Covers(Promise promise, int page) => page >= promise.FirstPage && page < promise.FirstPage + promise.PageCount;

    private void Forget(MachineState state, int frame)
    {
        for (int call = 0; call < _removals.Count; call++)
        {
            ulong frames = state.Read(_contents + call) & ~(1UL << frame);
            state.Write(_contents + call, frames == ReturnedBit ? 0 : frames);
        }
    }

    private void JudgeEntry(MachineState state, int call, int page, Pte entry)
    {
        Judge(state);
        if (StandsForFrame(entry) && (state.Read(_contents + call) & (1UL << entry.Frame)) != 0)
        {
            string kind = entry.IsMigration ? "has a migration entry for" : "maps";
            Report(state, $"{_removals[call].Function} has returned, but {Paging.AddressText(page)} {kind} frame {entry.Frame}, which holds "
                + "contents that were there when it began: they come back.");
        }
    }
}
