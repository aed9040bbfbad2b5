using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Migration until 6.2 (mm/migrate.c, <c>unmap_and_move</c>): page by page, each entry flushed as it is cleared.</summary>
public sealed class UnbatchedMigrate(KernelModel kernel) : Migrate(kernel)
{
    /// <inheritdoc/>
    public override async Proc<bool> MigratePages(Cpu cpu, int frame, bool batch) => await base.MigratePages(cpu, frame, false);

    /// <inheritdoc/>
    public override async Proc MigratePagesBatch(Cpu cpu, FrameSet frames)
    {
        for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            await MigratePages(cpu, rest.First, false);
        }
    }
}
