using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Flush requests with broadcast (arch/x86/mm/tlb.c, 6.15). Small machines have one global ASID, their last one; machines of real size
/// have all above the six that every CPU assigns by itself, first come first served.
/// </summary>
public sealed class InvlpgbFlush : TlbFlush
{
    private const int MmsMax = 2;
    private const int DynamicAsids = 6;

    /// <summary><c>consider_global_asid</c>: the process must run on more than three CPUs. Small machines have no more.</summary>
    private const int CpusMin = 4;

    private readonly BroadcastMistake _mistake;
    private readonly BroadcastUnit _unit;
    private readonly PerMm<Word> _globalAsid;
    private readonly PerMm<Word> _transition;
    private readonly ImmutableArray<Word> _loadedAsid;
    private readonly Word _used;

    internal InvlpgbFlush(KernelModel kernel, BroadcastMistake mistake)
        : base(kernel)
    {
        _mistake = mistake;
        _unit = new BroadcastUnit(Machine);
        _globalAsid = new PerMm<Word>(Machine, MmsMax, mm => Machine.NewWord($"mm{mm}.global_asid"));
        _transition = new PerMm<Word>(Machine, MmsMax, mm => Machine.NewWord($"mm{mm}.asid_transition"));
        _loadedAsid = [.. Machine.Cpus.Select(cpu => Machine.NewWord($"cpu{cpu.Index}.loaded_mm_asid"))];
        _used = Machine.NewWord("global_asid_used");
    }

    /// <summary>The first ASID that is the same on all CPUs; those below are assigned by each CPU.</summary>
    public int FirstGlobalAsid => Machine.Timed is null ? Machine.Options.Asids - 1 : DynamicAsids;

    /// <summary>Initial state: the address space was just given the global ASID, and no CPU uses it yet.</summary>
    public void BuildTransition(Mm mm)
    {
        Machine.SetInitial(_globalAsid[mm].Address, (ulong)FirstGlobalAsid);
        Machine.SetInitial(_transition[mm].Address, 1);
        Machine.SetInitial(_used.Address, 1);
    }

    /// <summary>Initial state: the transition is over, and this CPU runs under the global ASID.</summary>
    public void BuildGlobal(Cpu cpu, Mm mm)
    {
        BuildTransition(mm);
        Machine.SetInitial(_transition[mm].Address, 0);
        Machine.SetInitial(_loadedAsid[cpu.Index].Address, (ulong)FirstGlobalAsid);
        Kernel.BuildRunning(cpu, mm, FirstGlobalAsid);
    }

    /// <summary><c>mm_global_asid</c>: 0 if the address space has none.</summary>
    public async Proc<int> MmGlobalAsid(Cpu cpu, Mm mm) => (int)await cpu.Load(_globalAsid[mm], weight: StepWeight.Context);

    /// <summary><c>mm_in_asid_transition</c>.</summary>
    public async Proc<bool> MmInAsidTransition(Cpu cpu, Mm mm) => await cpu.Load(_transition[mm], weight: StepWeight.Context) != 0;

    /// <summary>Notes what a CPU has loaded, behind the write of CR3: others count it as gone over from here on.</summary>
    public async Proc NoteLoadedAsid(Cpu cpu, int asid) => await cpu.Store(_loadedAsid[cpu.Index], (ulong)asid);

    /// <summary>INVLPGB without waiting.</summary>
    public async Proc InvlpgbFlushUserNrNosync(Cpu cpu, int asid) => await _unit.Invlpgb(cpu, asid);

    /// <summary>TLBSYNC.</summary>
    public async Proc Tlbsync(Cpu cpu) => await _unit.Tlbsync(cpu);

    /// <inheritdoc/>
    public override async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        await cpu.PreemptDisable();
        bool whole = range.IsAll || range.Count / Machine.Paging.SpanOf(strideLevel) > Kernel.Options.FlushCeiling;
        ulong newTlbGen = await IncMmTlbGen(cpu, mm);
        FlushTlbInfo info = FlushTlbInfo.Of(mm, whole ? PageRange.All : range, strideLevel, freedTables, newTlbGen);
        int asid = await MmGlobalAsid(cpu, mm);
        if (asid != 0)
        {
            await BroadcastTlbFlush(cpu, mm, info, asid);
        }
        else if (!(await cpu.Load(mm.CpuMask, weight: StepWeight.Context)).Without(cpu).IsEmpty)
        {
            await FlushTlbMulti(cpu, await cpu.Load(mm.CpuMask), info);
            await ConsiderGlobalAsid(cpu, mm);
        }
        else if (await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm) == mm.LoadedValue)
        {
            await FlushTlbFuncLocal(cpu, info);
        }

        await cpu.PreemptEnable();
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.ArchInvalidateSecondaryTlbs(cpu, mm, range);
        }
    }

    /// <inheritdoc/>
    public override async Proc FlushTlbFunc(Cpu cpu, FlushTlbInfo info, bool local)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        ulong loaded = await cpu.Load(state.LoadedMm);
        if (loaded > KernelModel.LoadedMmSwitching && (info.MmIndex is not { } index || Kernel.Mms[index].LoadedValue == loaded))
        {
            Mm mm = Kernel.Mms[(int)(loaded - KernelModel.LoadedMmSwitching - 1)];
            await ((InvlpgbSwitch)Kernel.SwitchMm).GoOverToGlobalAsid(cpu, mm);
            if ((int)await cpu.Load(state.LoadedAsid) >= FirstGlobalAsid && await cpu.Load(state.IsLazy) == 0)
            {
                // Broadcasts keep it up to date.
                return;
            }
        }

        await base.FlushTlbFunc(cpu, info, local);
    }

    private async Proc BroadcastTlbFlush(Cpu cpu, Mm mm, FlushTlbInfo info, int asid)
    {
        int stride = Machine.Paging.SpanOf(info.StrideLevel);
        for (int page = info.Range.Start; !info.Range.IsAll && page < info.Range.End; page += stride)
        {
            await _unit.Invlpgb(cpu, asid, page);
        }

        if (info.Range.IsAll)
        {
            await _unit.Invlpgb(cpu, asid);
        }

        if (await MmInAsidTransition(cpu, mm) && _mistake != BroadcastMistake.NoIpiInTransition)
        {
            await FinishAsidTransition(cpu, mm, info, asid);
        }

        await Tlbsync(cpu);
    }

    /// <summary>Interrupts everybody as long as somebody has not gone over; else the transition is over.</summary>
    private async Proc FinishAsidTransition(Cpu cpu, Mm mm, FlushTlbInfo info, int asid)
    {
        CpuSet mask = await cpu.Load(mm.CpuMask);
        for (int other = 0; other < Machine.Cpus.Count; other++)
        {
            CpuTlbState state = Kernel.TlbStates[other];
            if (!mask.Contains(other))
            {
                continue;
            }

            ulong loaded = await cpu.WaitUntil(state.LoadedMm, Condition.NotEqual, KernelModel.LoadedMmSwitching);
            if (loaded == mm.LoadedValue && await cpu.Load(_loadedAsid[other]) != (ulong)asid)
            {
                await FlushTlbMulti(cpu, mask, info);
                return;
            }
        }

        await cpu.Store(_transition[mm], 0, weight: StepWeight.Key);
    }

    /// <summary>The flag comes before the ASID: who sees the ASID sees that not all CPUs use it.</summary>
    private async Proc ConsiderGlobalAsid(Cpu cpu, Mm mm)
    {
        if (Machine.Timed is not null && (await cpu.Load(mm.CpuMask)).Count < CpusMin)
        {
            return;
        }

        ulong used = await cpu.Load(_used);
        if (used < (ulong)(Machine.Options.Asids - FirstGlobalAsid) && await cpu.CompareExchange(_used, used, used + 1) == used)
        {
            await cpu.Store(_transition[mm], 1);
            await cpu.Store(_globalAsid[mm], (ulong)FirstGlobalAsid + used, weight: StepWeight.Key);
        }
    }
}
