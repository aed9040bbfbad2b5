using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S11: OpenBSD's context switch takes a CPU out of a pmap that it goes on using.</summary>
public sealed class OpenBsdPmapCpuBit : Scenario
{
    /// <inheritdoc/>
    public override string Id => "openbsd-pmap-cpu-bit";

    /// <inheritdoc/>
    public override string Number => "S11a";

    /// <inheritdoc/>
    public override string Title => "OpenBSD: a thread switch hides the CPU from TLB shootdowns";

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["9f1181d59de3"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["context-switch", "openbsd", "other-system"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 removes mappings, the others switch threads and load"),
        new("pages", 1, 1, 3, "pages that are removed"),
        new("from", 0, 0, 1, "what a CPU ran before: 0 a thread of the same process, 1 another process"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        OpenBSD's pmap (the machine-dependent part of an address space) has a mask of the CPUs on which it is
        active. Who removes a mapping interrupts those. At a switch the old pmap's bit is cleared
        (pmap_deactivate) and the new one's is set (pmap_activate).

        If both threads belong to one process, the two are the same pmap, and CR3 is not written, because it
        would not change. But the bit was cleared and set again: for a moment the CPU is on nobody's list and
        keeps all its translations. A mapping that is removed in that moment stays in its TLB.

        Between different processes the order matters as well (from=1): if CR3 is written before the bit is
        set, the TLB may be filled while nobody would interrupt the CPU.

        The fix does nothing at a switch within one pmap, and otherwise sets the new pmap's bit before CR3 is
        written and clears the old one's behind it.

        The programs here are written for the bare machine: no part of the Linux model takes part.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: switches between threads of one process: clears its bit in the pmap.",
        "CPU0: pmap_remove: clears the entry of A; the mask is empty: no IPI; frees F.",
        "CPU1: sets its bit; CR3 is the same and is not written.",
        "CPU1: loads A and reaches F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "OpenBSD commit 9f1181d59de3 (sys/arch/amd64/amd64: cpu_switchto, pmap_activate, pmap_deactivate)",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool isSame = setup["from"] == 0;
        var machine = new MachineModel(Stage.FlatOptions(setup, cpus, pages, 1) with { Tables = 2 });
        AddressSpace space = machine.Paging.NewAddressSpace("proc");
        AddressSpace before = isSame ? space : machine.Paging.NewAddressSpace("other");
        for (int page = 0; page < pages; page++)
        {
            machine.Paging.BuildMapping(space, page, Pte.Leaf(page, write: true, dirty: true));
        }

        Pmap pmap = setup.IsBug ? new PmapBefore(machine, space) : new Pmap(machine, space);
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = machine.Cpus[index];
            machine.Paging.BuildLoadedRoot(cpu, before, 0);
            pmap.BuildActive(cpu, isSame);
            machine.AddTask(cpu, "user", () => SwitchAndLoad(cpu, pmap, pages, isSame));
        }

        machine.AddTask(machine.Cpus[0], "pmap_remove", () => RemoveAll(machine.Cpus[0], pmap, pages));
        return new CheckModel(machine, [new PLife(), new Assertions()], ["P-life"]);
    }

    private static async Proc RemoveAll(Cpu cpu, Pmap pmap, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await pmap.PmapRemove(cpu, page);
        }
    }

    private static async Proc SwitchAndLoad(Cpu cpu, Pmap pmap, int pages, bool isSame)
    {
        await pmap.CpuSwitchto(cpu, isSame);
        for (int page = 0; page < pages; page++)
        {
            await cpu.AccessTouch(page);
        }
    }

    /// <summary>A pmap with its mask of CPUs, and what of the kernel touches it.</summary>
    private class Pmap : MachineHandle
    {
        private readonly int _shootdown;

        public Pmap(MachineModel machine, AddressSpace space)
            : base(machine)
        {
            Space = space;
            Cpus = machine.NewWord("pmap.pmCpus");
            _shootdown = machine.Interrupts.RegisterFunction("Xipi_invlpg", XipiInvlpg);
        }

        protected AddressSpace Space { get; }

        protected Word Cpus { get; }

        public void BuildActive(Cpu cpu, bool active)
            => Machine.SetInitial(Cpus.Address, Machine.WordInfo(Cpus.Address).Initial | (active ? cpu.Bit : 0));

        /// <summary>pmap_remove() with pmap_tlb_shootpage(): whoever is on the list drops the page.</summary>
        public async Proc PmapRemove(Cpu cpu, int page)
        {
            Pte old = await cpu.EntryExchange(new PageTable(Space.RootTable, 0, 0), page, Pte.None, "pmap_pte_set");
            ulong targets = await cpu.Load(Cpus, weight: StepWeight.Key);
            if (targets != 0)
            {
                await cpu.SendIpi(targets, _shootdown, (ulong)page);
                await cpu.AwaitIpiAcknowledgements();
            }

            await cpu.FreeFrame(old.Frame, "uvm_pagefree");
        }

        /// <summary>cpu_switchto() as it is now.</summary>
        public virtual async Proc CpuSwitchto(Cpu cpu, bool isSame)
        {
            if (!isSame)
            {
                await cpu.FetchOr(Cpus, cpu.Bit, StepWeight.Key);
                await cpu.LoadRoot(Space, 0, keep: false, "lcr3");
            }
        }

        private static async Proc XipiInvlpg(Cpu cpu, Cpu sender) => await cpu.Invlpg((int)await cpu.IpiArgument(sender));
    }

    /// <summary>The pmap before 9f1181d59de3.</summary>
    private sealed class PmapBefore(MachineModel machine, AddressSpace space) : Pmap(machine, space)
    {
        /// <inheritdoc/>
        public override async Proc CpuSwitchto(Cpu cpu, bool isSame)
        {
            if (isSame)
            {
                await cpu.FetchAnd(Cpus, ~cpu.Bit, StepWeight.Key);
            }
            else
            {
                await cpu.LoadRoot(Space, 0, keep: false, "lcr3");
            }

            await cpu.FetchOr(Cpus, cpu.Bit, StepWeight.Key);
        }
    }
}
