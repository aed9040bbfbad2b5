using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// What a CPU knows about its TLB (<c>cpu_tlbstate</c>, <c>cpu_tlbstate_shared</c>). Other CPUs read <c>loaded_mm</c>
/// and <c>is_lazy</c>; the rest is touched only by its CPU, by the task with interrupts off or by an interrupt
/// handler.
/// </summary>
/// <remarks>
/// Invariant: a slot {ctx_id, tlb_gen = g} means that no entry of that ASID contradicts the address space's tables as
/// they were when its generation became g. Flushing more without advancing g is always allowed.
/// </remarks>
public sealed class CpuTlbState : MachineHandle
{
    /// <summary><c>init_mm.context.ctx_id</c>.</summary>
    public const ulong InitMmCtxId = 1;

    /// <summary><c>init_mm.context.tlb_gen</c>: kernel page tables are flushed in another way.</summary>
    public const ulong InitMmTlbGen = 1;

    internal CpuTlbState(Cpu cpu, Func<ulong, string> nameOfMm)
        : base(cpu.Machine)
    {
        MachineModel machine = cpu.Machine;
        int asids = machine.Options.Asids;
        string name = $"cpu{cpu.Index}";
        LoadedMm = machine.NewWord($"{name}.loaded_mm", show: nameOfMm);
        IsLazy = machine.NewWord($"{name}.is_lazy");
        ActiveMm = machine.NewWord($"{name}.active_mm");
        LoadedAsid = machine.NewLocalWord(cpu, $"{name}.loaded_mm_asid");
        NextAsid = machine.NewLocalWord(cpu, $"{name}.next_asid", 1);
        InvalidateOther = machine.NewLocalWord(cpu, $"{name}.invalidate_other");
        SlotCtxId = [.. Enumerable.Range(0, asids).Select(slot =>
            machine.NewLocalWord(cpu, $"{name}.ctxs[{slot}].ctx_id", slot == 0 ? InitMmCtxId : 0))];
        SlotTlbGen = [.. Enumerable.Range(0, asids).Select(slot =>
            machine.NewLocalWord(cpu, $"{name}.ctxs[{slot}].tlb_gen", slot == 0 ? InitMmTlbGen : 0))];
    }

    /// <summary>
    /// <see cref="KernelModel.InitMm"/>, <see cref="KernelModel.LoadedMmSwitching"/> or <see cref="Mm.LoadedValue"/>.
    /// </summary>
    public Word LoadedMm { get; }

    /// <summary>1 while a kernel thread runs on borrowed user page tables.</summary>
    public Word IsLazy { get; }

    /// <summary>
    /// <c>current->active_mm</c>, as <see cref="Mm.LoadedValue"/>: what the task says is loaded. x86 does not ask it.
    /// </summary>
    public Word ActiveMm { get; }

    /// <summary>The slot of the loaded address space.</summary>
    public Word LoadedAsid { get; }

    /// <summary>Round-robin position for a new slot; a CPU boots on init_mm in slot 0.</summary>
    public Word NextAsid { get; }

    /// <summary>1 if all slots but the loaded one must be flushed before they are used again.</summary>
    public Word InvalidateOther { get; }

    /// <summary>Whose entries each slot holds; 0 for nobody's.</summary>
    public ImmutableArray<Word> SlotCtxId { get; }

    /// <summary>The generation that each slot has caught up to.</summary>
    public ImmutableArray<Word> SlotTlbGen { get; }
}
