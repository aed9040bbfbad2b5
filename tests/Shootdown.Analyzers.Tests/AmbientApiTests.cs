namespace Shootdown.Analyzers.Tests;

public sealed class AmbientApiTests : RuleTest<AmbientApiAnalyzer>
{
    [Theory]
    [InlineData("_ = [|DateTime.UtcNow|];")]
    [InlineData("_ = [|DateTimeOffset.Now|];")]
    [InlineData("_ = [|new Random(1)|];")]
    [InlineData("_ = [|Guid.NewGuid()|];")]
    [InlineData("_ = [|Environment.TickCount|];")]
    [InlineData("_ = [|Environment.GetEnvironmentVariable(\"X\")|];")]
    [InlineData("_ = [|HashCode.Combine(1, 2)|];")]
    [InlineData("_ = [|text.GetHashCode()|];")]
    [InlineData("_ = [|new object().GetHashCode()|];")]
    [InlineData("_ = [|System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(text)|];")]
    [InlineData("[|Thread.Sleep(1)|];")]
    [InlineData("_ = [|Task.CompletedTask|];")]
    [InlineData("[|Interlocked.MemoryBarrier()|];")]
    [InlineData("[|Monitor.Enter(text)|];")]
    [InlineData("lock ([|text|]) { }")]
    [InlineData("foreach (int n in [|set|]) { }")]
    [InlineData("foreach (var pair in [|map|]) { }")]
    [InlineData("foreach (int n in [|map.Keys|]) { }")]
    [InlineData("_ = [|set.First()|];")]
    [InlineData("_ = [|map.Select(static pair => pair.Key)|];")]
    public Task A_source_of_chance_is_reported(string statement) => CheckMembers(In(statement));

    [Theory]
    [InlineData("_ = new DateTime(2024, 1, 1).Year;")]
    [InlineData("_ = Guid.Empty;")]
    [InlineData("_ = set.Contains(1) && map.ContainsKey(2);")]
    [InlineData("_ = set.Any() ? set.Count : set.OrderBy(static n => n).First();")]
    [InlineData("foreach (var pair in new SortedDictionary<int, int>()) { }")]
    [InlineData("foreach (int key in new SortedDictionary<int, int>().Keys) { }")]
    [InlineData("foreach (int n in new[] { 1, 2 }) { }")]
    [InlineData("_ = Math.Max(1, 2);")]
    public Task What_is_the_same_every_time_is_allowed(string statement) => CheckMembers(In(statement));

    [Fact]
    public async Task The_message_says_what_to_do()
    {
        IReadOnlyList<string> messages = await CheckMembers(In("_ = [|new Random(1)|]; [|Thread.Yield()|];"));
        Assert.Equal(
            "Kernel code uses 'new Random', which differs from run to run; use an operation that makes the machine choose",
            messages[0]);
        Assert.StartsWith("Kernel code uses 'Thread.Yield', which acts behind", messages[1], StringComparison.Ordinal);
    }

    [Fact]
    public Task Code_that_is_not_kernel_code_may_use_them() => CheckMembers("""
        static int F() => Environment.TickCount + new Random().Next();
        """);

    private static string In(string statement) => $$"""
        static async Proc F(Cpu cpu, string text, HashSet<int> set, Dictionary<int, int> map)
        {
            await cpu.Pause;
            {{statement}}
        }
        """;
}
