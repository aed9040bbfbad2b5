using System.Runtime.CompilerServices;
using System.Text;

namespace Shootdown.Tests;

/// <summary>Compares output with a file under <c>Golden/</c>; SHOOTDOWN_UPDATE_GOLDEN=1 writes the file instead.</summary>
internal static class GoldenFile
{
    private const string UpdateVariable = "SHOOTDOWN_UPDATE_GOLDEN";

    public static void Matches(string name, string actual, [CallerFilePath] string caller = "")
    {
        string path = Path.Combine(Folder(caller), name.Replace('/', Path.DirectorySeparatorChar));
        actual = actual.ReplaceLineEndings("\n");
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }

        if (!File.Exists(path))
        {
            Assert.Fail($"There is no {path}. Look at the output and run again with {UpdateVariable}=1:\n{actual}");
        }

        string expected = File.ReadAllText(path).ReplaceLineEndings("\n");
        if (expected != actual)
        {
            Assert.Fail($"Output differs from {path}. If the new output is right, run again with {UpdateVariable}=1.\n"
                + Difference(expected.Split('\n'), actual.Split('\n')));
        }
    }

    /// <summary>A line diff by longest common subsequence: files are short.</summary>
    internal static string Difference(string[] expected, string[] actual)
    {
        var common = new int[expected.Length + 1, actual.Length + 1];
        for (int i = expected.Length - 1; i >= 0; i--)
        {
            for (int k = actual.Length - 1; k >= 0; k--)
            {
                common[i, k] = expected[i] == actual[k]
                    ? common[i + 1, k + 1] + 1
                    : Math.Max(common[i + 1, k], common[i, k + 1]);
            }
        }

        var text = new StringBuilder();
        int e = 0;
        int a = 0;
        while (e < expected.Length || a < actual.Length)
        {
            bool isSame = e < expected.Length && a < actual.Length && expected[e] == actual[a];
            bool isRemoved = !isSame && e < expected.Length && (a == actual.Length || common[e + 1, a] >= common[e, a + 1]);
            text.Append(isSame ? ' ' : isRemoved ? '-' : '+').Append(isSame || isRemoved ? expected[e] : actual[a]).Append('\n');
            e += isSame || isRemoved ? 1 : 0;
            a += isSame || !isRemoved ? 1 : 0;
        }

        return text.ToString();
    }

    private static string Folder(string caller)
    {
        // The compiler may have replaced the path of the source (deterministic builds): then search from the output.
        for (string? folder = Path.GetDirectoryName(caller); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Shootdown.Tests.csproj")))
            {
                return Path.Combine(folder, "Golden");
            }
        }

        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string tests = Path.Combine(folder, "tests", "Shootdown.Tests");
            if (Directory.Exists(tests))
            {
                return Path.Combine(tests, "Golden");
            }
        }

        throw new InvalidOperationException($"no folder of golden files near {caller} or {AppContext.BaseDirectory}");
    }
}
