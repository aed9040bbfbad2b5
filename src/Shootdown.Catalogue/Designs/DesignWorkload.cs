using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Programs that designs are compared on: small enough that every interleaving is explored.</summary>
public abstract class DesignWorkload
{
    /// <summary>Short id, lower case with dashes.</summary>
    public abstract string Id { get; }

    /// <summary>One line.</summary>
    public abstract string Title { get; }

    /// <summary>Its machine and programs under a design.</summary>
    protected abstract Stage Build(FlushDesign design);

    /// <summary>What must hold: by default that promises are kept and that nobody reaches what was freed.</summary>
    protected virtual IReadOnlyList<Property> Properties => [new PRet(), new PLife()];

    /// <summary>The properties that must have been judged.</summary>
    protected virtual IReadOnlyList<string> MustExercise => ["P-ret", "P-life"];

    /// <summary>The model that says whether the design is safe.</summary>
    public CheckModel BuildForSafety(FlushDesign design)
    {
        ArgumentNullException.ThrowIfNull(design);
        return new CheckModel(Prepared(design), [.. Properties, new Assertions()], MustExercise);
    }

    /// <summary>The model that says what it costs, safe or not.</summary>
    public CheckModel BuildForCosts(FlushDesign design)
    {
        ArgumentNullException.ThrowIfNull(design);
        return new CheckModel(Prepared(design), [new PCost()]);
    }

    /// <summary>The model with other properties.</summary>
    public CheckModel BuildWith(FlushDesign design, params IReadOnlyList<Property> properties)
    {
        ArgumentNullException.ThrowIfNull(design);
        return new CheckModel(Prepared(design), properties);
    }

    /// <summary>The model with one property that runs need not come to: its coverage says whether they do.</summary>
    public CheckModel BuildToLookFor(FlushDesign design, Property property)
    {
        ArgumentNullException.ThrowIfNull(design);
        return new CheckModel(Prepared(design), [property], []);
    }

    private MachineModel Prepared(FlushDesign design)
    {
        Stage stage = Build(design);
        design.Prepare(stage.Kernel);
        return stage.Machine;
    }

    /// <summary>A stage under a design: one address space in which frame p is mapped at page p.</summary>
    /// <param name="design">The design.</param>
    /// <param name="cpus">CPUs.</param>
    /// <param name="pages">Pages.</param>
    /// <param name="framesPerPage">Frames that one page can use at the same time.</param>
    /// <param name="mmapWriters">False if no program takes mmap_lock for writing.</param>
    /// <param name="asids">ASIDs of a CPU.</param>
    /// <param name="write">True if the entries allow stores and are dirty.</param>
    /// <param name="build">Choices of the kernel's build.</param>
    protected static Stage NewStage(
        FlushDesign design, int cpus, int pages, int framesPerPage, bool mmapWriters, int asids = 1, bool write = true, KernelOptions? build = null)
    {
        ArgumentNullException.ThrowIfNull(design);
        var options = new MachineOptions
        {
            Cpus = cpus,
            EntriesPerTable = pages,
            Tables = 2,
            Frames = pages * framesPerPage,
            FrameColours = pages,
            Asids = asids + design.ExtraAsids,
        };
        var kernel = new KernelModel(new MachineModel(options), design.Configure(build ?? new KernelOptions()), design.Apply(new KernelParts()));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write, dirty: write));
        }

        return new Stage(kernel, mm);
    }
}
