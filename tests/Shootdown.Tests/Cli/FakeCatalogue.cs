using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Machine;
using Shootdown.Tests.Report;

namespace Shootdown.Tests.Cli;

/// <summary>Scenarios that are never built, and a checker that answers from a table, to test the command line alone.</summary>
internal sealed class FakeCatalogue
{
    public static readonly Scenario Madvise = new FakeScenario("madv-dontneed-parallel", "B02", MemoryModelKind.Sc)
    {
        TitleText = "Two MADV_DONTNEED on one range: the second returns before the flush",
        FixYear = 2017,
        Commits = ["99baac21e458"],
        SeedMail = "000",
        TagList = ["gather", "madvise"],
        Bounds = [new("cpus", 3, 2, 8, "CPUs: two call madvise(), the others read"), new("pages", 1, 1, 4, "pages of the range")],
        StoryText = """
            Two threads of a process call madvise(MADV_DONTNEED) on the same range. The first one clears the
            PTE under the page-table lock and leaves the flush to tlb_finish_mmu().

            The second one finds nothing to clear, has nothing to flush, and returns. The fix counts gathers per mm:
            whoever finishes while another one is open flushes as well.
            """,
        StepList =
        [
            "CPU2 loads A: its TLB now holds A to frame F.",
            "CPU0 in zap_pte_range(): takes the page-table lock, clears PTE(A), releases the lock. The flush comes later.",
            "CPU1 in zap_pte_range(): finds PTE(A) none. Nothing to flush; madvise() returns.",
            "CPU2 loads A through the stale entry.",
        ],
        SourceList = ["commit 99baac21e458 (mm: fix MADV_[FREE|DONTNEED] TLB flush miss problem)", "mm/mmu_gather.c, tlb_finish_mmu()"],
    };

    public static readonly Scenario SwitchMm = new FakeScenario("switch-mm-flush-barrier", "B15", MemoryModelKind.X86Tso)
    {
        TitleText = "A CPU becomes a flush target after it has begun to fill its TLB",
        FixYear = 2016,
        Commits = ["71b3c126e611", "CVE-2016-2069"],
        TagList = ["switch", "tso"],
        Bounds = [new("cpus", 2, 2, 4, "CPUs"), new("store-buffer", 4, 1, 8, "entries of a store buffer")],
    };

    public static readonly Scenario Own = new FakeScenario("my-own-race", "", MemoryModelKind.Sc) { TitleText = "No bounds, no number, no tags" };

    /// <summary>A program without a wrong version; no part of the catalogue unless a test adds it.</summary>
    public static readonly Scenario FixOnly = new FakeScenario("one-program", "", MemoryModelKind.Sc)
    {
        TitleText = "There is nothing wrong with it",
        VariantList = [Variant.Fix],
    };

    /// <summary>What a file may contain: a bound of its own besides a common one.</summary>
    public static readonly Scenario InFile = new FakeScenario("in-a-file", "", MemoryModelKind.Sc)
    {
        TitleText = "It stands in a file",
        Bounds = [new("cpus", 2, 2, 4, "CPUs"), new("depth", 2, 1, 9, "how deep")],
    };

    public Dictionary<(string Id, Variant Variant), Func<CheckOptions, CheckReport>> Answers { get; } = new()
    {
        [("madv-dontneed-parallel", Variant.Bug)] = _ => SampleReports.Violation(),
        [("madv-dontneed-parallel", Variant.Fix)] = _ => SampleReports.Pass(),
    };

    public IReadOnlyList<Scenario> Scenarios { get; init; } = [Madvise, SwitchMm, Own];

    /// <summary>What was asked of the checker, in order.</summary>
    public List<(ScenarioSetup Setup, CheckOptions Options)> Asked { get; } = [];

    /// <summary>Set when the command listens for Ctrl-C.</summary>
    public Action? PressCtrlC { get; private set; }

    public bool ErrorIsTerminal { get; init; }

    public bool IsDebug { get; init; }

    /// <summary>What stands in a scenario file.</summary>
    public Func<string, ScenarioFile> LoadFile { get; init; } = SingleFileScenario.Load;

    public (int ExitCode, string Out, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int exitCode = CommandLine.Run(arguments, new CliHost
        {
            Out = output,
            Error = error,
            ErrorIsTerminal = ErrorIsTerminal,
            IsDebug = IsDebug,
            Scenarios = () => Scenarios,
            Check = Answer,
            LoadFile = LoadFile,
            OnInterrupt = action =>
            {
                PressCtrlC = action;
                return null;
            },
            MemoryBytes = 1L << 30,
            Workers = 2,
        });
        return (exitCode, output.ToString(), error.ToString());
    }

    private CheckReport Answer(Scenario scenario, ScenarioSetup setup, CheckOptions options)
    {
        Asked.Add((setup, options));
        return Answers.TryGetValue((scenario.Id, setup.Variant), out Func<CheckOptions, CheckReport>? answer)
            ? answer(options)
            : SampleReports.Pass() with
            {
                ScenarioId = scenario.Id,
                Variant = setup.IsBug ? "bug" : "fix",
                Expected = scenario.Expect(setup.Variant, setup.Model),
            };
    }

    private sealed class FakeScenario(string id, string number, MemoryModelKind model) : Scenario
    {
        public string TitleText { get; init; } = string.Empty;

        public int FixYear { get; init; }

        public IReadOnlyList<string> Commits { get; init; } = [];

        public string SeedMail { get; init; } = string.Empty;

        public IReadOnlyList<string> TagList { get; init; } = [];

        public IReadOnlyList<Variant> VariantList { get; init; } = [Variant.Bug, Variant.Fix];

        public IReadOnlyList<ScenarioParameter> Bounds { get; init; } = [];

        public string StoryText { get; init; } = "Nothing to tell.";

        public IReadOnlyList<string> StepList { get; init; } = [];

        public IReadOnlyList<string> SourceList { get; init; } = [];

        public override string Id => id;

        public override string Number => number;

        public override string Title => TitleText;

        public override int Year => FixYear;

        public override IReadOnlyList<string> References => Commits;

        public override string Seed => SeedMail;

        public override IReadOnlyList<string> Tags => TagList;

        public override string Property => "P-ret";

        public override MemoryModelKind Model => model;

        public override IReadOnlyList<Variant> Variants => VariantList;

        public override IReadOnlyList<ScenarioParameter> Parameters => Bounds;

        public override string Story => StoryText;

        public override IReadOnlyList<string> Steps => StepList;

        public override IReadOnlyList<string> Sources => SourceList;

        public override CheckModel Build(ScenarioSetup setup) => throw new NotSupportedException("never built");
    }
}
