using Shootdown.Cli;

namespace Shootdown.Tests.Cli;

/// <summary>Scenario files are compiled and loaded, and what is wrong with them is said.</summary>
public sealed class SingleFileScenarioTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shootdown-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_compiler_error_names_the_users_file_and_line()
    {
        const string Source = "#:property PublishAot=false\nusing Shootdown.Catalogue;\nclass A : Nothing { }\n";
        string path = Write("broken.cs", Source);
        UsageException error = Assert.Throws<UsageException>(() => SingleFileScenario.Load(path, _folder));
        string start = $"{path} does not compile\n{path}(3,11): error CS0246: ";
        Assert.StartsWith(start, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_a_scenario_is_refused_and_compiled_only_once()
    {
        string path = Write("empty.cs", "class A { }\n");
        for (int time = 0; time < 2; time++)
        {
            UsageException error = Assert.Throws<UsageException>(() => SingleFileScenario.Load(path, _folder));
            Assert.Equal($"{path} has no class that derives from Shootdown.Catalogue.Scenario", error.Message);
        }

        Assert.Single(Directory.GetDirectories(_folder));
    }

    [Fact]
    public void Breaking_a_rule_of_kernel_code_is_a_compiler_error()
    {
        const string Source = """
            using Shootdown.Machine;
            static class Programs
            {
                public static async Proc Count(Cpu cpu, Word word)
                {
                    var seen = new List<ulong>();
                    seen.Add(await cpu.Load(word));
                    await cpu.Store(word, seen[0]);
                }
            }
            """;
        string path = Write("rule.cs", Source);
        UsageException error = Assert.Throws<UsageException>(() => SingleFileScenario.Load(path, _folder));
        Assert.Contains($"{path}(6,13): error SHOOT001: Local 'seen' lives across an await", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_a_usage_error()
        => Assert.Throws<UsageException>(() => SingleFileScenario.Load(Path.Combine(_folder, "none.cs"), _folder));

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
