using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Machines of mail 001: a lockless lookup of pages beside what takes pages away.</summary>
internal static class GupModels
{
    internal const GupFlags DirectRead = GupFlags.Pin | GupFlags.Write | GupFlags.FastOnly;

    /// <summary>Any scenario's sizes: SC, the ordinary TLB.</summary>
    internal static ScenarioSetup Setup(MemoryModelKind model = MemoryModelKind.Sc)
        => new(Variant.Fix, model, TlbKind.Lagging, new Dictionary<string, int>());

    /// <summary>A flush that invalidates everywhere and waits for nobody.</summary>
    internal static TlbFlush Broadcast(KernelModel kernel) => new HypervisorTlbFlush(kernel);

    /// <summary>khugepaged, and what else it does, beside another CPU.</summary>
    /// <param name="parts">The kernel.</param>
    /// <param name="other">What the other CPU does.</param>
    /// <param name="property">What is judged.</param>
    /// <param name="discards">True if the huge page is thrown away behind the collapse.</param>
    internal static CheckModel Collapse(
        KernelParts parts, Func<Stage, Func<Proc>> other, IReadOnlyList<Property> property, bool discards = false)
    {
        Stage stage = CollapseStage.Make(Setup(), 2, 1, parts);
        Promise promise = stage.Promise(0, CollapseStage.Span, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "khugepaged", () => CollapseThen(stage.Kernel, stage.Cpu(0), stage.Mm, discards ? promise : null));
        stage.AddThread(1, "user", other(stage));
        return Model(stage, property);
    }

    /// <summary>A thread that pins page 0 and holds it.</summary>
    internal static Func<Proc> Pins(Stage stage)
    {
        var call = new GupCall(stage.Cpu(1), stage.Mm, 0, DirectRead);
        return () => Pin(stage.Kernel, call);
    }

    /// <summary>A thread that stores to page 0, and handles its faults.</summary>
    internal static Func<Proc> Stores(Stage stage) => () => Stage.StorePages(stage.Kernel, stage.Cpu(1), stage.Mm, 1);

    /// <summary>All of the properties must be judged, but for P-copy, which judges nothing if the original is gone first.</summary>
    internal static CheckModel Model(Stage stage, IReadOnlyList<Property> properties) => new(
        stage.Machine,
        [.. properties, new Assertions()],
        [.. properties.Where(property => property is not PCopy).Select(property => property.Id)]);

    private static async Proc Pin(KernelModel kernel, GupCall call) => await kernel.Gup.GupFastFallback(call);

    private static async Proc CollapseThen(KernelModel kernel, Cpu cpu, Mm mm, Promise? discard)
    {
        await kernel.Khugepaged.CollapseHugePage(cpu, mm, 0);
        if (discard is not null)
        {
            await kernel.Madvise.MadviseDontneed(cpu, mm, discard);
        }
    }
}
