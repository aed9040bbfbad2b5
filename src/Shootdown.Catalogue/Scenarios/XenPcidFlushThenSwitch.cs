using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S11: Xen flushes a PCID before it loads other page tables under it, not after.</summary>
public sealed class XenPcidFlushThenSwitch : Scenario
{
    /// <inheritdoc/>
    public override string Id => "xen-pcid-flush-then-switch";

    /// <inheritdoc/>
    public override string Number => "S11b";

    /// <inheritdoc/>
    public override string Title => "Xen: a guest uses translations of the one that ran before";

    /// <inheritdoc/>
    public override int Year => 2019;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["XSA-292"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["context-switch", "asid", "xen", "other-system", "virtualisation"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 2, "CPUs that switch from one guest to the other"),
        new("pages", 1, 1, 2, "pages that both guests map, to different frames"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Xen gives the address spaces of all paravirtualised guests the same few PCIDs. When a CPU goes from one
        guest to another, what the TLB holds under the PCID must go. With PCIDs switched on, Xen flushed first
        and then wrote CR3 with the bit that says "keep what is cached".

        Between the two the old page tables are still loaded. The hardware may fill the TLB from them at any
        time, also speculatively, and what it fills is tagged with the PCID that the new guest is about to use.
        The write of CR3 keeps it, and the new guest reads the memory of the old one.

        The fix lets the write of CR3 itself do the flush, or flushes behind it.

        The programs here are written for the bare machine: no part of the Linux model takes part.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: runs guest 1; switch to guest 2: flushes the PCID.",
        "CPU0: the hardware fills A -> F1 from guest 1's tables.",
        "CPU0: writes CR3: guest 2's tables, the same PCID, no flush.",
        "CPU0: guest 2 loads A and reads F1.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "XSA-292, \"x86: insufficient TLB flushing when using PCID\"",
        "xen/arch/x86/flushtlb.c: switch_cr3_cr4",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        var machine = new MachineModel(Stage.FlatOptions(setup, cpus, pages, 2) with { Tables = 2 });
        AddressSpace first = machine.Paging.NewAddressSpace("guest 1");
        AddressSpace second = machine.Paging.NewAddressSpace("guest 2");
        for (int page = 0; page < pages; page++)
        {
            machine.Paging.BuildMapping(first, page, Pte.Leaf(page, write: true, dirty: true));
            machine.Paging.BuildMapping(second, page, Pte.Leaf(pages + page, write: true, dirty: true));
            machine.SetInitial(machine.Paging.Frames[page].Content.Address, 1);
            machine.SetInitial(machine.Paging.Frames[pages + page].Content.Address, 2);
        }

        bool isBug = setup.IsBug;
        for (int index = 0; index < cpus; index++)
        {
            Cpu cpu = machine.Cpus[index];
            machine.Paging.BuildLoadedRoot(cpu, first, 0);
            machine.AddTask(cpu, "switch", () => SwitchAndRead(cpu, second, pages, isBug));
        }

        return new CheckModel(machine, [new Assertions()], ["assert"]);
    }

    private static async Proc SwitchAndRead(Cpu cpu, AddressSpace next, int pages, bool isBug)
    {
        await SwitchCr3Cr4(cpu, next, flushesFirst: isBug);
        for (int page = 0; page < pages; page++)
        {
            AccessResult read = await cpu.AccessLoad(page);
            await cpu.Assert(read.Value == 2, "guest 2 reads its own memory");
        }
    }

    /// <summary>switch_cr3_cr4(): the write of CR3 flushes; before XSA-292 a flush came first.</summary>
    private static async Proc SwitchCr3Cr4(Cpu cpu, AddressSpace next, bool flushesFirst)
    {
        if (flushesFirst)
        {
            await cpu.FlushTlbLocal();
        }

        await cpu.LoadRoot(next, 0, keep: flushesFirst, "write_cr3");
    }
}
