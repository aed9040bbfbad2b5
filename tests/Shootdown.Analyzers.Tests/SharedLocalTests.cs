namespace Shootdown.Analyzers.Tests;

public sealed class SharedLocalTests : RuleTest<SharedLocalAnalyzer>
{
    [Fact]
    public async Task A_list_that_lives_across_an_await_is_reported()
    {
        IReadOnlyList<string> messages = await CheckMembers("""
            static async Proc F(Cpu cpu)
            {
                var [|list|] = new List<int>();
                await cpu.Pause;
                list.Add(1);
            }
            """);
        Assert.Equal(
            "Local 'list' lives across an await of kernel code, but List<int> can change; "
            + "use ImmutableArray<T>, a readonly record struct or words of the machine",
            Assert.Single(messages));
    }

    [Fact]
    public async Task The_message_names_the_part_of_the_type_that_can_change()
    {
        IReadOnlyList<string> messages = await CheckTypes("""
            record Outer(int Id, Inner Inside);
            record Inner { public int Count { get; set; } }
            static class Sample
            {
                static async Proc F(Outer [|outer|], Cpu cpu) => await cpu.Pause;
            }
            """);
        Assert.Equal(
            "Parameter 'outer' lives across an await of kernel code, but Outer has the property 'Inside' of type Inner, "
            + "which has the property 'Count', which can change; make it readonly or keep it in a machine word",
            Assert.Single(messages));
    }

    [Theory]
    [InlineData("int[]")]
    [InlineData("object")]
    [InlineData("dynamic")]
    [InlineData("nint")]
    [InlineData("IEnumerable<int>")]
    [InlineData("IReadOnlyList<int>")]
    [InlineData("Dictionary<int, int>")]
    [InlineData("System.Text.StringBuilder")]
    [InlineData("List<int>.Enumerator")]
    [InlineData("ImmutableArray<int>.Builder")]
    [InlineData("ImmutableArray<int[]>")]
    [InlineData("ImmutableArray<int>.Enumerator")]
    [InlineData("ImmutableList<int>")]
    [InlineData("ImmutableDictionary<int, int>")]
    [InlineData("ImmutableDictionary<int, int>.Enumerator")]
    [InlineData("(int, int[])")]
    [InlineData("Settable")]
    [InlineData("OpenField")]
    [InlineData("DeepInside")]
    [InlineData("StructAroundList")]
    [InlineData("Derived")]
    [InlineData("UsesItsParameter")]
    [InlineData("Proc")]
    public Task A_parameter_of_a_shared_type_is_reported(string type) => CheckTypes($$"""
        class Settable { public int X { get; set; } }
        class OpenField { public int X; }
        record DeepInside(int X, ImmutableArray<Settable> Others);
        readonly record struct StructAroundList(List<int> List);
        class Derived : OpenField;
        class UsesItsParameter(int x) { public int X() => x; }
        static class Sample
        {
            static async Proc F({{type}} [|x|], Cpu cpu) => await cpu.Pause;
        }
        """);

    [Theory]
    [InlineData("int")]
    [InlineData("string")]
    [InlineData("DayOfWeek")]
    [InlineData("int?")]
    [InlineData("DateTime")]
    [InlineData("Guid")]
    [InlineData("(int, string)")]
    [InlineData("KeyValuePair<int, string>")]
    [InlineData("Word")]
    [InlineData("MarkedHandle")]
    [InlineData("Range")]
    [InlineData("MutableStruct")]
    [InlineData("Immutable")]
    [InlineData("Chain")]
    [InlineData("IPolicy")]
    [InlineData("ImmutableArray<Word>")]
    [InlineData("ImmutableArray<Immutable>")]
    [InlineData("Func<Cpu, Proc>")]
    public Task A_parameter_of_an_immutable_type_is_allowed(string type) => CheckTypes($$"""
        [MachineHandle] class MarkedHandle { public int X; }
        struct MutableStruct { public int X; public Range Range { get; set; } }
        record Immutable(int X, string Name) { public int Twice => 2 * X; }
        sealed class Chain(Chain next) { public Chain Next { get; } = next; }
        interface IPolicy { Proc Flush(Cpu cpu); }
        static class Sample
        {
            static async Proc F({{type}} x, Cpu cpu) => await cpu.Pause;
        }
        """);

    [Fact]
    public Task A_local_whose_scope_ends_before_the_await_is_allowed() => CheckMembers("""
        static async Proc F(Cpu cpu)
        {
            {
                var list = new List<int>();
                list.Add(1);
            }

            await cpu.Pause;
        }
        """);

    [Fact]
    public Task A_local_that_is_declared_after_the_last_await_is_allowed() => CheckMembers("""
        static async Proc<int> F(Cpu cpu)
        {
            await cpu.Pause;
            var list = new List<int>();
            return list.Count;
        }
        """);

    [Fact]
    public Task A_local_in_a_loop_is_reported_if_the_await_follows_it() => CheckMembers("""
        static async Proc F(Cpu cpu)
        {
            for (int i = 0; i < 3; i++)
            {
                int[] [|late|] = [i];
                await cpu.Pause;
                int[] unaffected = [i];
                GC.KeepAlive(unaffected);
            }
        }
        """);

    [Fact]
    public Task The_await_that_gives_a_local_its_value_does_not_count() => CheckMembers("""
        static async Proc<int[]> G(Cpu cpu) { await cpu.Pause; return []; }
        static async Proc<int> F(Cpu cpu)
        {
            int[] array = await G(cpu);
            return array.Length;
        }
        """);

    [Fact]
    public Task Pattern_and_out_variables_are_locals_too() => CheckMembers("""
        static bool TryGet(out int[] value) { value = []; return true; }
        static async Proc F(Cpu cpu, string text)
        {
            if (TryGet(out var [|found|]) && text is { Length: var length })
                await cpu.Pause;
        }
        """);

    [Fact]
    public Task A_caught_exception_that_is_kept_is_reported() => CheckMembers("""
        static async Proc F(Cpu cpu)
        {
            try { }
            catch (Exception [|e|]) { await cpu.Pause; }
        }
        """);

    [Fact]
    public Task A_loop_keeps_its_enumerator_while_its_body_waits() => CheckMembers("""
        static List<int> Numbers => [];
        static int[] Array => [];
        static async Proc F(Cpu cpu, ImmutableArray<int> safe)
        {
            foreach (int n in [|Numbers|]) await cpu.Pause;
            foreach (int n in [|Array|]) await cpu.Pause;
            foreach (int n in [|Enumerable.Range(0, 3)|]) await cpu.Pause;
            foreach (int n in [|safe|]) await cpu.Pause;
            for (int i = 0; i < safe.Length; i++) await cpu.Pause;
            foreach (int n in safe) GC.KeepAlive(null);
            foreach (char c in "abc") await cpu.Pause;
            foreach (int n in Numbers) GC.KeepAlive(null);
        }
        """);

    [Fact]
    public async Task A_loop_over_an_immutable_array_is_told_to_use_an_index()
    {
        IReadOnlyList<string> messages = await CheckMembers("""
            static async Proc F(Cpu cpu, ImmutableArray<int> items)
            {
                foreach (int item in [|items|]) await cpu.Pause;
            }
            """);
        Assert.Equal(
            "The enumerator of the loop lives across an await of kernel code, but ImmutableArray<int>.Enumerator holds an "
            + "array; write 'for (int i = 0; i < items.Length; i++)' instead of 'foreach'",
            Assert.Single(messages));
    }

    [Fact]
    public Task A_temporary_value_that_waits_for_an_argument_is_reported() => CheckMembers("""
        static int[] Array => [];
        static int Sum(int[] a, ulong b) => 0;
        static async Proc<int> F(Cpu cpu, Word word)
        {
            [|Array|][(int)await cpu.Load(word)] = 1;
            [|Array|][0] = (int)await cpu.Load(word);
            return Sum([|Array|], await cpu.Load(word));
        }
        """);

    [Fact]
    public Task An_object_whose_initializer_waits_is_reported() => CheckMembers("""
        static async Proc<int> F(Cpu cpu, Word word)
            => ([|new List<ulong> { await cpu.Load(word) }|]).Count;
        """);

    [Fact]
    public Task The_target_of_a_delegate_is_held_by_it() => CheckTypes("""
        class Counter { public int X; public int Next(int n) => X += n; }
        static class Sample
        {
            static Counter Make() => new();
            static int Twice(int n) => 2 * n;
            static async Proc F(Cpu cpu)
            {
                Func<int, int> bad = [|Make().Next|];
                Func<int, int> good = Twice;
                Func<int, int> alsoGood = static n => n + 1;
                await cpu.Pause;
            }
        }
        """);

    [Fact]
    public Task Lambdas_and_local_functions_that_are_kernel_code_count_as_such() => CheckMembers("""
        static void Setup(Action<Func<Cpu, Proc>> run)
        {
            var list = new List<int>();
            run(static async cpu =>
            {
                var [|inner|] = new List<int>();
                await cpu.Pause;
            });
            static async Proc Local(Cpu cpu, List<int> [|numbers|]) => await cpu.Pause;
        }
        """);

    [Fact]
    public Task Code_that_is_not_kernel_code_may_hold_what_it_likes() => CheckMembers("""
        static async Task F(List<int> list)
        {
            await Task.Yield();
            list.Add(1);
        }
        static Proc G(List<int> list, Cpu cpu) => H(list.Count, cpu);
        static async Proc H(int count, Cpu cpu) => await cpu.Pause;
        """);

    [Fact]
    public Task A_type_parameter_needs_a_constraint() => CheckTypes("""
        interface IPolicy;
        static class Sample
        {
            static async Proc F<T>(T [|x|], Cpu cpu) => await cpu.Pause;
            static async Proc G<T>(T x, Cpu cpu) where T : struct => await cpu.Pause;
            static async Proc H<T>(T x, Cpu cpu) where T : IPolicy => await cpu.Pause;
        }
        """);
}
