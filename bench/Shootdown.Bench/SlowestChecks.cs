using System.Globalization;
using System.Text.Json;

namespace Shootdown.Bench;

/// <summary>The whole catalogue, the whole matrix of operations and all items of the seed mails, as a user runs them, with the ten slowest of each.</summary>
internal static class SlowestChecks
{
    private const int Shown = 10;

    /// <summary>Runs both; 1 if a verdict is not as expected.</summary>
    internal static int Run()
    {
        string root = Processes.RepositoryRoot();
        string shootdown = Path.Combine(root, "shootdown");
        Processes.Run(shootdown, ["list"], root);
        Finished all = Processes.Run(shootdown, ["check", "--all", "--expect", "--json"], root);
        using var checks = JsonDocument.Parse(all.Output);
        JsonElement[] scenarios = [.. checks.RootElement.GetProperty("checks").EnumerateArray()];
        Print("check --all", all, scenarios.Select(check => (Seconds(check), States(check), $"{Text(check, "id")} ({Text(check, "variant")})")));

        Finished pairs = Processes.Run(shootdown, ["pairs", "--json"], root);
        using var matrix = JsonDocument.Parse(pairs.Output);
        JsonElement[] machines = [.. matrix.RootElement.GetProperty("machines").EnumerateArray()];
        Print("pairs", pairs, machines.Select(machine => (
            Seconds(machine.GetProperty("check")), States(machine.GetProperty("check")), $"{Text(machine.GetProperty("check"), "id")}, {Text(machine, "machine")}")));
        Finished seeds = Processes.Run(shootdown, ["seeds", "--json"], root);
        using var items = JsonDocument.Parse(seeds.Output);
        Print("seeds", seeds, Runs(items).Select(run => (Seconds(run.Check), States(run.Check), $"{run.Item}: {run.Name}")));
        return checks.RootElement.GetProperty("exit_code").GetInt32() == 0
            && machines.All(machine => Text(machine.GetProperty("check"), "verdict") == "pass") ? 0 : 1;
    }

    private static void Print(string title, Finished run, IEnumerable<(double Seconds, long States, string Name)> checks)
    {
        (double Seconds, long States, string Name)[] sorted = [.. checks.OrderByDescending(check => check.Seconds)];
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{title}: {sorted.Length} checks, {sorted.Sum(check => check.States):N0} states, {run.WallSeconds:F1} s wall, {run.CpuSeconds:F1} CPU s"));
        foreach ((double seconds, long states, string name) in sorted.Take(Shown))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {seconds,6:F2} s  {states,9:N0} states  {name}"));
        }

        Console.WriteLine();
    }

    private static IEnumerable<(string Item, string Name, JsonElement Check)> Runs(JsonDocument document)
        => from item in document.RootElement.GetProperty("items").EnumerateArray()
           from run in item.GetProperty("runs").EnumerateArray()
           where run.GetProperty("check").ValueKind == JsonValueKind.Object
           select (Text(item, "id"), Text(run, "name"), run.GetProperty("check"));

    private static double Seconds(JsonElement check) => check.GetProperty("stats").GetProperty("elapsed_seconds").GetDouble();

    private static long States(JsonElement check) => check.GetProperty("stats").GetProperty("states").GetInt64();

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
