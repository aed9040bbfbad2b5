namespace Shootdown.Analyzers.Tests;

public sealed class MutableFieldTests : RuleTest<MutableFieldAnalyzer>
{
    [Fact]
    public async Task A_field_that_can_change_is_reported()
    {
        IReadOnlyList<string> messages = await CheckTypes("""
            class Policy
            {
                int [|_count|];
                public int [|Limit|] { get; set; }
                public int Size { get; init; }
                public async Proc Flush(Cpu cpu) { await cpu.Pause; _count++; }
            }
            """);
        Assert.Equal(
            "Policy has kernel code that uses 'this', and the field '_count', which can change; "
            + "make it readonly, or keep it in a machine word",
            messages[0]);
    }

    [Fact]
    public Task A_readonly_field_of_a_mutable_type_is_reported() => CheckTypes("""
        class Policy
        {
            readonly List<int> [|_list|] = [];
            int[] [|Table|] { get; } = [];
            public async Proc Flush(Cpu cpu) { await cpu.Pause; _list.Add(Table[0]); }
        }
        """);

    [Fact]
    public Task A_primary_constructor_parameter_that_methods_use_is_a_field() => CheckTypes("""
        class Policy(int [|limit|], int size)
        {
            readonly int _size = size;
            public async Proc<int> Flush(Cpu cpu) { await cpu.Pause; return limit + _size; }
        }
        """);

    [Fact]
    public Task Inherited_fields_count() => CheckTypes("""
        class Base { protected int [|Count|]; }
        class Policy : Base
        {
            public async Proc Flush(Cpu cpu) { await cpu.Pause; Count++; }
        }
        """);

    [Fact]
    public Task A_lambda_that_uses_this_makes_its_type_kernel_code() => CheckTypes("""
        class Policy
        {
            int [|_count|];
            public Func<Cpu, Proc> Program() => async cpu => { await cpu.Pause; _count++; };
        }
        """);

    [Fact]
    public Task Immutable_types_are_allowed() => CheckTypes("""
        sealed record Policy(Word Generation, ImmutableArray<int> Sizes)
        {
            static int _statics;
            readonly int _limit = 3;
            public async Proc<int> Flush(Cpu cpu) { await cpu.Pause; return _limit + _statics; }
        }
        """);

    [Fact]
    public Task A_handle_may_refer_to_what_was_built_with_the_machine() => CheckTypes("""
        [MachineHandle] abstract class Handle;
        sealed class Mm : Handle
        {
            readonly Word[] _roots = [];
            public async Proc Flush(Cpu cpu) => await cpu.Load(_roots[0]);
        }
        """);

    [Fact]
    public Task Types_without_kernel_instance_methods_are_left_alone() => CheckTypes("""
        class Builder
        {
            int _count;
            static async Proc Run(Cpu cpu) => await cpu.Pause;
            public Proc Tail(Cpu cpu) { _count++; return Run(cpu); }
            async Task Other() { await Task.Yield(); _count++; }
            class Nested
            {
                public async Proc Flush(Cpu cpu) => await cpu.Pause;
            }
        }
        """);
}
