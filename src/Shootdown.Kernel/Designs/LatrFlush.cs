using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>The queues of states, who notes CPUs in them and who sweeps them.</summary>
internal sealed class LatrFlush : TlbFlush
{
    private const int StatesPerCpu = 64;
    private readonly ImmutableArray<ImmutableArray<LatrState>> _queues;
    private readonly ImmutableArray<Word> _active;
    private readonly ImmutableArray<Word> _defers;
    private readonly ImmutableArray<CpuMask> _noted;
    private readonly PerMm<AreaTree>? _kept;
    private readonly int _tick;

    public LatrFlush(KernelModel kernel)
        : base(kernel)
    {
        bool isTimed = Machine.Timed is not null;
        _queues = [.. Machine.Cpus.Select(cpu => Enumerable.Range(0, isTimed ? StatesPerCpu : 1)
            .Select(state => new LatrState(Machine, isTimed ? "latr_state" : $"cpu{cpu.Index}.latr_state")).ToImmutableArray())];
        _active = isTimed ? [.. Machine.Cpus.Select(cpu => Machine.NewWord($"cpu{cpu.Index}.latr_active"))] : [];
        _defers = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.latr_defers"))];
        _noted = [.. Machine.Cpus.Select(cpu => Machine.NewLocalCpuMask(cpu, $"cpu{cpu.Index}.latr_noted"))];
        _kept = isTimed ? new PerMm<AreaTree>(Machine, 0, _ => new AreaTree(Machine)) : null;
        _tick = Machine.Interrupts.RegisterTick("scheduler_tick", SchedulerTick);
    }

    /// <summary>Takes a free place in the CPU's own queue for the flush that comes; false if there is none.</summary>
    public async Proc<bool> Defer(Cpu cpu)
    {
        ImmutableArray<LatrState> queue = _queues[cpu.Index];
        for (int i = 0; i < queue.Length; i++)
        {
            if (await cpu.Load(queue[i].Used) == 0)
            {
                await cpu.Store(_defers[cpu.Index], (ulong)i + 1);
                return true;
            }
        }

        return false;
    }

    /// <summary>The CPUs that the flush has left for later; none if it was not deferred.</summary>
    public async Proc<CpuSet> Noted(Cpu cpu) => await cpu.Load(_noted[cpu.Index]);

    /// <summary>The state that the flush is noted in.</summary>
    public async Proc<LatrState> Current(Cpu cpu) => _queues[cpu.Index][(int)await cpu.Load(_defers[cpu.Index]) - 1];

    /// <summary>The call is over: its flushes are not deferred any more.</summary>
    public async Proc EndDeferral(Cpu cpu)
    {
        await cpu.Store(_defers[cpu.Index], 0);
        await cpu.Store(_noted[cpu.Index], default);
    }

    /// <summary>
    /// The state can be swept from here on. The mask is written last; the request for a tick drains the store buffer, and whoever
    /// sweeps finds the rest there.
    /// </summary>
    public async Proc Publish(TlbGather tlb, LatrState state, PageRange kept, ulong promise)
    {
        Cpu cpu = tlb.Cpu;
        CpuSet later = await Noted(cpu);
        await cpu.Store(state.Promise, promise);
        await cpu.Store(state.Used, (ulong)tlb.Mm.Index + 1);
        if (_kept is not null)
        {
            state.Kept = kept;
            _kept[tlb.Mm].Set(kept.Start, kept.End, true, true);
            await cpu.AddReturn(_active[cpu.Index], 1);
        }

        await cpu.Store(state.CpuMask, later, weight: StepWeight.Key);
        await cpu.RaiseTick(later, _tick);
    }

    /// <summary>Sweeps what a CPU has left for this one.</summary>
    [KernelName("latr_sweep")]
    public async Proc Sweep(Cpu cpu, int owner)
    {
        if (_active.Length > 0 && await cpu.Load(_active[owner]) == 0)
        {
            return;
        }

        for (int i = 0; i < _queues[owner].Length; i++)
        {
            LatrState state = _queues[owner][i];
            if ((await cpu.Load(state.CpuMask)).Contains(cpu))
            {
                ulong wide = state.Wide is null ? 0 : await cpu.Load(state.Wide);
                await FlushTlbFunc(cpu, new FlushTlbInfo(await cpu.Load(state.Info), wide), false);
                if ((await cpu.FetchAndNot(state.CpuMask, CpuSet.Of(cpu))).Without(cpu).IsEmpty)
                {
                    await GiveBack(cpu, owner, state);
                }
            }
        }
    }

    /// <summary>Sweeps what all CPUs have left for this one.</summary>
    public async Proc SweepAll(Cpu cpu)
    {
        for (int owner = 0; owner < Machine.Cpus.Count; owner++)
        {
            if (owner != cpu.Index)
            {
                await Sweep(cpu, owner);
            }
        }
    }

    /// <summary>True if addresses of the range are kept (machines of real size).</summary>
    public bool Keeps(Mm mm, int first, int count) => _kept is not null && _kept[mm].Touches(first, first + count);

    /// <summary>Waits until no address of the range is kept any more, or with the mistake returns the promises that are not kept yet.</summary>
    public async Proc WaitForAddresses(Cpu cpu, Mm mm, int first, int count, bool waits)
    {
        if (_kept is not null && !Keeps(mm, first, count))
        {
            return;
        }

        for (int owner = 0; owner < Machine.Cpus.Count; owner++)
        {
            for (int i = 0; i < _queues[owner].Length; i++)
            {
                LatrState state = _queues[owner][i];
                if (await cpu.Load(state.Used) != (ulong)mm.Index + 1 || !Overlaps(state, first, count))
                {
                    continue;
                }

                if (waits)
                {
                    await cpu.WaitUntil(state.Used, Condition.Equal, 0);
                }
                else
                {
                    await ReturnPromise(cpu, state);
                }
            }
        }
    }

    /// <summary>CPUs are noted instead of interrupted. Those in lazy mode are interrupted: they are chosen only if tables are freed.</summary>
    protected override async Proc OnEachCpuMask(Cpu cpu, CpuSet targets, FlushTlbInfo info)
    {
        if (Machine.Timed is null)
        {
            // A small machine has one request a CPU: the last one must have been answered.
            await cpu.AwaitIpiAcknowledgements();
        }

        if (await cpu.Load(_defers[cpu.Index]) == 0)
        {
            await base.OnEachCpuMask(cpu, targets, info);
            return;
        }

        CpuSet now = default;
        CpuSet later = default;
        for (int other = targets.First; other >= 0; other = targets.After(other))
        {
            bool isNow = other == cpu.Index || await cpu.Load(Kernel.TlbStates[other].IsLazy) != 0;
            now = isNow ? now.With(other) : now;
            later = isNow ? later : later.With(other);
        }

        LatrState state = await Current(cpu);
        await cpu.Store(state.Info, info.Bits);
        if (state.Wide is not null)
        {
            await cpu.Store(state.Wide, info.Wide);
        }

        await cpu.Store(_noted[cpu.Index], later);
        await base.OnEachCpuMask(cpu, now, info);
    }

    [KernelName("scheduler_tick")]
    private async Proc SchedulerTick(Cpu cpu, Cpu sender)
    {
        if (Machine.Timed is null)
        {
            await Sweep(cpu, sender.Index);
        }
        else
        {
            await SweepAll(cpu);
        }
    }

    /// <summary>All CPUs have swept: pages, tables and addresses can be used again.</summary>
    [KernelName("latr_reclaim")]
    private async Proc GiveBack(Cpu cpu, int owner, LatrState state)
    {
        FrameSet frames = await state.Frames.TakeAll(cpu);
        if (!frames.IsEmpty)
        {
            await cpu.PutFrames(frames, "latr_reclaim");
        }

        ulong tables = await cpu.Load(state.Tables);
        if (tables != 0)
        {
            await cpu.Store(state.Tables, 0);
            await Kernel.PageTableFree.TlbTableFree(cpu, tables);
        }

        for (int i = 0; i < state.TableList.Count; i++)
        {
            await cpu.FreeTable(state.TableList[i], "__tlb_remove_table");
        }

        state.TableList.Clear();
        if (_kept is not null)
        {
            int mm = (int)await cpu.Load(state.Used) - 1;
            _kept[Kernel.Mms[mm]].Remove(state.Kept.Start, state.Kept.End);
            await cpu.AddReturn(_active[owner], -1);
        }

        await ReturnPromise(cpu, state);
        await cpu.Store(state.Used, 0);
    }

    [KernelName]
    private async Proc ReturnPromise(Cpu cpu, LatrState state)
    {
        ulong promise = await cpu.Load(state.Promise);
        if (promise != 0)
        {
            await cpu.Store(state.Promise, 0);
            await cpu.ReturnPromise(Machine.Promises[(int)promise - 1]);
        }
    }

    private bool Overlaps(LatrState state, int first, int count)
        => Machine.Timed is null || (state.Kept.Start < first + count && first < state.Kept.End);
}
