using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Many small flushes that another CPU misses: how it catches up.</summary>
public sealed class SmallRanges : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "small-ranges";

    /// <inheritdoc/>
    public override string Title => "three small madvise calls while another CPU is in another process; then it comes back and loads";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 4, framesPerPage: 2, mmapWriters: false, asids: 2);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", 4, mmapWriters: false);
        Word away = stage.Machine.NewWord("away");
        Promise first = PromiseAt(stage, 0);
        Promise second = PromiseAt(stage, 1);
        Promise third = PromiseAt(stage, 2);
        stage.AddThread(0, "madvise", () => DiscardThree(kernel, stage.Cpu(0), mm, away, first, second, third));
        stage.AddThread(1, "user", () => ComeBack(kernel, stage.Cpu(1), mm, other, away));
        return stage;
    }

    private static Promise PromiseAt(Stage stage, int page)
        => new(stage.Machine, stage.Cpu(0), stage.Mm.Space, page, 1, PromiseKind.Removed, "madvise()");

    private static async Proc DiscardThree(KernelModel kernel, Cpu cpu, Mm mm, Word away, Promise first, Promise second, Promise third)
    {
        await cpu.WaitUntil(away, Condition.Equal, 1);
        await kernel.Madvise.MadviseDontneed(cpu, mm, first);
        await kernel.Madvise.MadviseDontneed(cpu, mm, second);
        await kernel.Madvise.MadviseDontneed(cpu, mm, third);
        await cpu.Store(away, 2);
    }

    private static async Proc ComeBack(KernelModel kernel, Cpu cpu, Mm mm, Mm other, Word away)
    {
        await kernel.SwitchMm.SwitchTo(cpu, other);
        await cpu.Store(away, 1);
        await cpu.WaitUntil(away, Condition.Equal, 2);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Stage.LoadPages(kernel, cpu, mm, 4);
    }
}
