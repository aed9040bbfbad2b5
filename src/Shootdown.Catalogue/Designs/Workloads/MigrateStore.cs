using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Migration of a read-only page of a writable area, and a store to it.</summary>
public sealed class MigrateStore : StoreBehindRemoval
{
    /// <inheritdoc/>
    public override string Id => "migrate-store";

    /// <inheritdoc/>
    public override string Title => "a page that is mapped read-only in a writable area is migrated and stored to; a reader that was told so looks";

    /// <inheritdoc/>
    protected override KernelOptions BuildOptions => new() { AnonFolios = true };

    /// <inheritdoc/>
    protected override async Proc Remove(KernelModel kernel, Cpu cpu) => await kernel.Migrate.CompactZone(cpu, 0, 1, true);
}
