namespace Shootdown.Analyzers.Tests;

public sealed class UnawaitedCallTests : RuleTest<UnawaitedCallAnalyzer>
{
    private const string Callees = """
        static async Proc Run(Cpu cpu) => await cpu.Pause;
        static async Proc<int> Get(Cpu cpu) { await cpu.Pause; return 1; }
        static void Start(Proc proc) { }
        static void Take(object anything) { }

        """;

    [Fact]
    public async Task A_discarded_call_is_reported()
    {
        IReadOnlyList<string> messages = await CheckMembers(Callees + """
            static async Proc F(Cpu cpu, Word word)
            {
                [|Run(cpu)|];
                _ = [|Get(cpu)|];
                [|cpu.Store(word, 1)|];
                await cpu.Pause;
            }
            static void G(Cpu cpu) => [|Run(cpu)|];
            """);
        Assert.Equal(
            "The call of 'Run' is not awaited: it is discarded; write 'await' before it",
            messages[0]);
        Assert.Equal(4, messages.Count);
    }

    [Fact]
    public Task A_stored_call_is_reported() => CheckMembers(Callees + """
        static async Proc<ulong> F(Cpu cpu, Word word)
        {
            var call = [|Run(cpu)|];
            Op<ulong> load = [|cpu.Load(word)|];
            var pause = [|cpu.Pause|];
            var both = ([|Run(cpu)|], [|Get(cpu)|]);
            Proc[] all = { [|Run(cpu)|] };
            await call;
            return await load;
        }
        """);

    [Fact]
    public Task A_new_operation_is_reported_as_a_call_is() => CheckMembers("""
        static async Proc F(Operation operation)
        {
            var op = [|new Op(operation)|];
            await new Op(operation);
            await op;
        }
        """);

    [Fact]
    public Task Passing_a_call_on_is_reported_in_kernel_code_only() => CheckMembers(Callees + """
        static async Proc F(Cpu cpu)
        {
            Start([|Run(cpu)|]);
            await cpu.Pause;
        }
        static void Setup(Cpu cpu)
        {
            Start(Run(cpu));
            Take([|Run(cpu)|]);
        }
        """);

    [Fact]
    public Task Awaited_calls_are_allowed() => CheckMembers(Callees + """
        static async Proc<int> F(Cpu cpu, Word word, bool first)
        {
            await Run(cpu);
            ulong value = await cpu.Load(word) + 1;
            await (first ? Run(cpu) : Run(cpu));
            await (value switch { 0 => Run(cpu), _ => Run(cpu) });
            return await Get(cpu);
        }
        """);

    [Fact]
    public Task A_tail_call_of_a_method_that_is_not_async_is_allowed() => CheckMembers(Callees + """
        static Proc Tail(Cpu cpu) => Run(cpu);
        static Proc<int> Choose(Cpu cpu, bool first)
        {
            if (first)
                return Get(cpu);
            return first ? Get(cpu) : Get(cpu);
        }
        static Op<ulong> Load(Cpu cpu, Word word) => cpu.Load(word);
        static void Setup(Action<Func<Proc>> run, Cpu cpu) => run(() => Run(cpu));
        static readonly Func<Cpu, Proc> Program = cpu => Run(cpu);
        static readonly Func<Cpu, Proc> Group = Run;
        """);

    [Fact]
    public Task A_lambda_that_drops_the_call_is_reported() => CheckMembers(Callees + """
        static void Setup(Action<Action> run, Cpu cpu) => run(() => [|Run(cpu)|]);
        static readonly Func<Cpu, object> Boxed = cpu => [|Run(cpu)|];
        """);
}
