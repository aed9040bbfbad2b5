using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Store buffering between an entry and a generation (S002-02).</summary>
internal static class EntryBeforeGenerationModel
{
    /// <summary>Ways to change the entry.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["plain store", "plain store and smp_mb()", "ptep_set_wrprotect()"];

    /// <summary>The model for one of the ways.</summary>
    public static CheckModel Build(string kind, MemoryModelKind model)
    {
        var options = new MachineOptions { Cpus = 2, EntriesPerTable = 1, Frames = 1, Model = model };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true);
        (KernelModel kernel, Mm mm) = stage;
        Word seen = stage.Machine.NewWord("flusher_saw", 0);
        int way = Kinds.ToList().IndexOf(kind);
        stage.AddThread(0, "flusher", () => RaiseAndLook(stage.Cpu(0), mm, seen));
        stage.AddThread(1, "gather", () => RestrictAndRead(kernel, stage.Cpu(1), mm, seen, way));
        return stage.ToModel();
    }

    private static async Proc RaiseAndLook(Cpu cpu, Mm mm, Word seen)
    {
        await cpu.AddReturn(mm.TlbGen, 1);
        await cpu.FlushTlbLocal();
        Pte found = await cpu.EntryRead(new PageTable(mm.Space.RootTable, 0, 0), 0);
        await cpu.Exchange(seen, found.Write ? 1UL : 2UL);
    }

    private static async Proc RestrictAndRead(KernelModel kernel, Cpu cpu, Mm mm, Word seen, int way)
    {
        var table = new PageTable(mm.Space.RootTable, 0, 0);
        if (way == 2)
        {
            await kernel.PteOps.PtepSetWrprotect(cpu, table, 0);
        }
        else
        {
            await kernel.PteOps.SetPteAt(cpu, table, 0, Pte.Leaf(0, write: false));
        }

        if (way == 1)
        {
            await cpu.FullBarrier();
        }

        ulong generation = await cpu.Load(mm.TlbGen, weight: StepWeight.Key);
        ulong found = await cpu.WaitUntil(seen, Condition.NotEqual, 0);
        await cpu.Assert(generation > 1 || found == 2, "the gather sees the generation, or the flusher sees the entry");
    }
}
