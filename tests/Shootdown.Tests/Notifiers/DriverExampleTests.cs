using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Tests.Cli;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Notifiers;

/// <summary>What docs/drivers.md shows is what its examples print, and what a driver can do wrong is found.</summary>
public sealed class DriverExampleTests
{
    [Theory]
    [InlineData("examples/interval-driver.cs")]
    [InlineData("examples/start-end-driver.cs")]
    public void The_page_shows_the_example_and_what_it_prints(string example)
    {
        string page = Repository.Read("docs/drivers.md");
        Assert.Contains($"```csharp\n{DriverOf(Repository.Read(example))}```\n", page, StringComparison.Ordinal);
        string cache = Directory.CreateTempSubdirectory("shootdown-test-").FullName;
        try
        {
            ScenarioFile file = SingleFileScenario.Load(Repository.PathOf(example), cache);
            Assert.Equal(string.Empty, file.Reason);
            string output = Run(file, example);
            string block = Fence(page, $"VIOLATION  {file.Scenarios[0].Id} (bug)");
            Assert.Contains(block, output, StringComparison.Ordinal);
            Assert.Contains($"PASS  {file.Scenarios[0].Id} (fix)", output, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Theory]
    [InlineData(Mistake.None, "")]
    [InlineData(Mistake.NoRetry, "P-life")]
    [InlineData(Mistake.EmptyRange, "P-life")]
    [InlineData(Mistake.FirstPageOnly, "P-life")]
    [InlineData(Mistake.SleepsUnderOomReaper, "P-atomic")]
    public void What_a_driver_does_wrong_is_found(Mistake mistake, string property)
    {
        var scenario = new Mistaken(mistake);
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, Variant.Bug);
        CheckReport report = ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 2, MinimiserStatesMax = 1_000 });
        Assert.Equal(
            (property.Length == 0 ? Verdict.Pass : Verdict.Violation, property), (report.Verdict, report.Counterexample?.PropertyId ?? string.Empty));
    }

    /// <summary>The example from its driver's class on, without the harness around it.</summary>
    private static string DriverOf(string example) => example[example.IndexOf("    private sealed class Driver", StringComparison.Ordinal)..^2];

    private static string Fence(string page, string start)
    {
        int from = page.IndexOf(start, StringComparison.Ordinal);
        Assert.True(from >= 0, $"docs/drivers.md has no block that begins with {start}");
        return page[from..page.IndexOf("  ...\n", from, StringComparison.Ordinal)];
    }

    private static string Run(ScenarioFile file, string example)
        => CommandRun.Of(host => host with { Scenarios = () => [], LoadFile = _ => file }, "check", example).Output;

    /// <summary>What a driver does wrong.</summary>
    public enum Mistake
    {
        None,
        NoRetry,
        EmptyRange,
        FirstPageOnly,
        SleepsUnderOomReaper,
    }

    private sealed class Mistaken(Mistake mistake) : DriverScenario
    {
        public override string Id => "mistaken";

        public override string Title => "a driver with a mistake";

        public override SecondaryDriver NewDriver(KernelModel kernel, Mm mm, int pages, bool isBug)
            => mistake == Mistake.SleepsUnderOomReaper ? new SleepyDriver(kernel, mm) : new Driver(kernel, mm, PageRange.Of(0, pages), mistake);
    }

    /// <summary>A start that sleeps although its caller may not; and it cannot fail instead, because there is an end.</summary>
    private sealed class SleepyDriver(KernelModel kernel, Mm mm) : StartEndDriver(kernel, mm)
    {
        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await cpu.MightSleep("mutex_lock");
            return await base.InvalidateRangeStart(cpu, range);
        }
    }

    private sealed class Driver(KernelModel kernel, Mm mm, PageRange range, Mistake mistake) : IntervalDriver(kernel, mm, range)
    {
        private readonly Mistake _mistake = mistake;

        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
        {
            int count = _mistake switch { Mistake.EmptyRange => 0, Mistake.FirstPageOnly => 1, _ => range.Pages.Count };
            return await base.Invalidate(cpu, range with { Pages = PageRange.Of(range.Pages.Start, count) }, seq);
        }

        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            if (_mistake != Mistake.NoRetry)
            {
                return await base.HandleFault(cpu, page, write);
            }

            Pte entry = await HmmRangeFault(cpu, page, write);
            await cpu.MutexLock(DriverLock);
            if (entry.Present)
            {
                await Map(cpu, page, entry, write);
            }

            await cpu.MutexUnlock(DriverLock);
            return entry.Present;
        }
    }
}
