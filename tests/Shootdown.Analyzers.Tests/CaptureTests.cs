namespace Shootdown.Analyzers.Tests;

public sealed class CaptureTests : RuleTest<CaptureAnalyzer>
{
    [Fact]
    public async Task A_lambda_in_kernel_code_that_captures_is_reported()
    {
        IReadOnlyList<string> messages = await CheckMembers("""
            static async Proc<bool> F(Cpu cpu, ImmutableArray<int> pages, int wanted)
            {
                await cpu.Pause;
                return pages.Any(page [|=>|] page == wanted);
            }
            """);
        Assert.Equal(
            "The lambda captures 'wanted', which moves it into an object that snapshots share; "
            + "make it static and pass 'wanted' to it",
            Assert.Single(messages));
    }

    [Fact]
    public async Task A_local_function_in_kernel_code_that_captures_is_reported()
    {
        IReadOnlyList<string> messages = await CheckMembers("""
            static async Proc<int> F(Cpu cpu)
            {
                int n = 1;
                await cpu.Pause;
                return Add(2);
                int [|Add|](int m) => n + m;
            }
            """);
        Assert.StartsWith("Local function 'Add' captures 'n'", Assert.Single(messages), StringComparison.Ordinal);
    }

    [Fact]
    public Task Kernel_code_that_captures_from_its_surroundings_is_reported() => CheckMembers("""
        static void Setup(Action<Func<Cpu, Proc>> run, Word word)
        {
            run(async cpu [|=>|] { await cpu.Load(word); });
            run(async delegate(Cpu cpu) { await cpu.Pause; });
            async Proc [|Local|](Cpu cpu) => await cpu.Load(word);
        }
        """);

    [Fact]
    public Task A_query_that_captures_is_reported() => CheckMembers("""
        static async Proc<int> F(Cpu cpu, ImmutableArray<int> pages, int wanted)
        {
            await cpu.Pause;
            return (from page in pages where [|page == wanted|] select page + 1).Count();
        }
        """);

    [Fact]
    public Task What_a_nested_lambda_captures_from_the_one_around_it_is_reported_once() => CheckMembers("""
        static async Proc<bool> F(Cpu cpu, ImmutableArray<int> pages)
        {
            await cpu.Pause;
            return pages.Any(static a => a > 0 && new[] { 1 }.Any(b [|=>|] b == a));
        }
        """);

    [Fact]
    public Task Functions_that_capture_nothing_are_allowed() => CheckTypes("""
        class Sample(int size)
        {
            const int Limit = 4;
            int Field => 3;
            async Proc<bool> F(Cpu cpu, ImmutableArray<int> pages)
            {
                const int Local = 5;
                await cpu.Pause;
                return pages.Any(page => page < Limit + Local) && pages.All(page => page > Field + size) && Even(2);
                static bool Even(int n) => n % 2 == 0;
            }
        }
        """);

    [Fact]
    public Task Closures_outside_kernel_code_are_allowed() => CheckMembers("""
        static async Proc Run(Cpu cpu, Word word) => await cpu.Load(word);
        static void Setup(Action<Func<Proc>> run, Cpu cpu, Word word) => run(() => Run(cpu, word));
        """);
}
