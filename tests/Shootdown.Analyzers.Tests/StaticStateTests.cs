namespace Shootdown.Analyzers.Tests;

public sealed class StaticStateTests : RuleTest<StaticStateAnalyzer>
{
    [Fact]
    public async Task Reading_and_writing_a_static_field_is_reported()
    {
        IReadOnlyList<string> messages = await CheckMembers("""
            static int Count;
            static async Proc<int> F(Cpu cpu)
            {
                await cpu.Pause;
                [|Count|] = 1;
                return [|Sample.Count|];
            }
            """);
        Assert.Equal(
            "Kernel code uses the static 'Count', which can change; "
            + "keep it in a machine word, or make it const or readonly",
            messages[0]);
    }

    [Fact]
    public Task A_static_readonly_field_of_a_mutable_type_is_reported() => CheckMembers("""
        static readonly int[] Table = [1, 2];
        static readonly List<int> List = [];
        static async Proc<int> F(Cpu cpu) { await cpu.Pause; return [|Table|][0] + [|List|].Count; }
        """);

    [Fact]
    public Task Static_properties_and_events_are_state_too() => CheckMembers("""
        static int Settable { get; set; }
        static List<int> Stored { get; } = [];
        static event Action Happened { add { } remove { } }
        static async Proc F(Cpu cpu)
        {
            await cpu.Pause;
            [|Settable|]++;
            [|Stored|].Clear();
            [|Happened|] += null;
        }
        """);

    [Fact]
    public Task Constants_are_allowed() => CheckMembers("""
        const int Limit = 3;
        static readonly int Size = 4;
        static readonly ImmutableArray<int> Table = [1, 2];
        static int Computed => 5;
        static ImmutableArray<int> Kept { get; } = [];
        static async Proc<int> F(Cpu cpu)
        {
            await cpu.Pause;
            return Limit + Size + Table[0] + Computed + Kept.Length + string.Empty.Length + (int)DayOfWeek.Friday;
        }
        """);

    [Fact]
    public Task Helpers_inside_kernel_code_are_looked_into_once() => CheckMembers("""
        static int Count;
        static async Proc F(Cpu cpu)
        {
            await cpu.Pause;
            static int Helper() => [|Count|];
            static async Proc Inner(Cpu cpu) { await cpu.Pause; [|Count|] = Helper(); }
            await Inner(cpu);
        }
        """);

    [Fact]
    public Task Code_that_is_not_kernel_code_may_use_static_state() => CheckMembers("""
        static int Count;
        static int F() => Count++;
        static async Task G() { await Task.Yield(); Count++; }
        """);
}
