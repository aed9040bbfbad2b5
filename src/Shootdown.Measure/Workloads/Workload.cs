namespace Shootdown.Measure;

/// <summary>A built-in workload: what each CPU of a machine runs until the time is over. The same seed gives the same run.</summary>
public abstract class Workload
{
    /// <summary>Name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, in one line.</summary>
    public abstract string Summary { get; }

    /// <summary>What a unit of its work is, in the plural.</summary>
    public abstract string Unit { get; }

    /// <summary>Frames of 4 KiB that its machine has; with fewer, memory that is held back runs out.</summary>
    internal virtual int Frames => 1 << 22;

    /// <summary>All workloads, by name; those of published measurements last.</summary>
    public static IReadOnlyList<Workload> All { get; } =
    [
        new AllocatorPurge(),
        new DeviceStream(),
        new ForkServer(),
        new KsmHost(),
        new MadviseStorm(),
        new MigrationWorkload(),
        new MmapFileServer(),
        new MunmapStorm(),
        new NumaBalancing(),
        new ParallelGc(),
        new ReclaimUnderPressure(),
        new MappedReaders(MappedReaders.ClusterPages),
        new MappedReaders(MappedReaders.PageOfPfns),
        new TieredLookup(),
        new TlbFlush2(),
    ];

    /// <summary>A workload by name; null if there is none.</summary>
    public static Workload? Find(string name) => All.FirstOrDefault(workload => workload.Name == name);

    /// <summary>Makes processes and starts a program on each CPU.</summary>
    internal abstract void Start(WorkloadRun run);
}
