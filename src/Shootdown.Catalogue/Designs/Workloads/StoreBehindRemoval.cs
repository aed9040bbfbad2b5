using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A read-only page of a writable area goes, and its address gets other contents by a store (B50); a reader that was told so looks.</summary>
public abstract class StoreBehindRemoval : DesignWorkload
{
    private const int OldData = 1;
    private const int NewData = 2;

    /// <summary>Choices of the kernel's build.</summary>
    protected abstract KernelOptions BuildOptions { get; }

    /// <summary>Takes frame 0 away.</summary>
    protected abstract Proc Remove(KernelModel kernel, Cpu cpu);

    /// <inheritdoc/>
    protected override IReadOnlyList<Property> Properties => [new PLife()];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> MustExercise => ["P-life", "assert"];

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 1, framesPerPage: 3, mmapWriters: false, write: false, build: BuildOptions);
        (KernelModel kernel, Mm mm) = stage;
        stage.Machine.SetInitial(stage.Machine.Paging.Frames[0].Content.Address, OldData);
        Word told = stage.Machine.NewWord("message");
        stage.AddThread(0, "writer", () => RemoveAndStore(kernel, stage.Cpu(0), mm, told));
        stage.AddThread(1, "reader", () => ReadWhenTold(kernel, stage.Cpu(1), mm, told));
        return stage;
    }

    private async Proc RemoveAndStore(KernelModel kernel, Cpu cpu, Mm mm, Word told)
    {
        await Remove(kernel, cpu);
        await kernel.UserAccess.UserStore(cpu, mm, 0, NewData);
        await cpu.Store(told, 1, weight: StepWeight.Key);
    }

    private static async Proc ReadWhenTold(KernelModel kernel, Cpu cpu, Mm mm, Word told)
    {
        if (await cpu.Load(told) != 0)
        {
            int found = await kernel.UserAccess.UserLoadValue(cpu, mm, 0);
            await cpu.Assert(found == NewData, "the reader was told of the new data, and reads it");
        }
    }
}
