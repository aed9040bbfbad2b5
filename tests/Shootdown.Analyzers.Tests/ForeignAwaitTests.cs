namespace Shootdown.Analyzers.Tests;

public sealed class ForeignAwaitTests : RuleTest<ForeignAwaitAnalyzer>
{
    [Fact]
    public async Task Tasks_and_yields_are_reported()
    {
        IReadOnlyList<string> messages = await CheckMembers("""
            static async Proc F(Cpu cpu, Task<int> task)
            {
                await cpu.Pause;
                [|await Task.Yield()|];
                [|await Task.Delay(1)|];
                [|await new ValueTask()|];
                [|await task|];
            }
            """);
        Assert.Equal(
            "Kernel code awaits a YieldAwaitable, which the machine cannot schedule; await a Proc or an operation of a Cpu",
            messages[0]);
    }

    [Fact]
    public Task Asynchronous_streams_and_disposal_are_reported() => CheckMembers("""
        static async Proc F(Cpu cpu, IAsyncEnumerable<int> numbers, IAsyncDisposable resource)
        {
            await foreach (int n in [|numbers|])
                await cpu.Pause;
            await using ([|resource|])
                await cpu.Pause;
            [|await using var x = resource;|]
        }
        """);

    [Fact]
    public Task What_the_machine_schedules_is_allowed() => CheckMembers("""
        static async Proc<int> Get(Cpu cpu) { await cpu.Pause; return 1; }
        static async Proc F(Cpu cpu, Word word)
        {
            await cpu.Store(word, await cpu.Load(word));
            await Get(cpu);
        }
        """);

    [Fact]
    public Task Code_that_is_not_kernel_code_may_await_tasks() => CheckMembers("""
        static async Task F() => await Task.Yield();
        static async Proc G(Cpu cpu)
        {
            Func<Task> other = static async () => await Task.Yield();
            await cpu.Pause;
        }
        """);
}
