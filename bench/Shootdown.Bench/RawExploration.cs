using System.Globalization;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Bench;

/// <summary>
/// How fast states are explored when nothing is left out: 8 agents that load, store and update 64 words, no reduction, no
/// symmetry, no property.
/// </summary>
internal static class RawExploration
{
    private const int Agents = 8;
    private const int Words = 64;
    private const int Repetitions = 3;

    /// <summary>Prints the rates on one worker and on two.</summary>
    internal static int Run()
    {
        // Once for the runtime to optimise the explorer.
        Explore(1);
        ExplorationResult one = default!;
        var (oneWall, oneCpu) = (double.MaxValue, double.MaxValue);
        var (twoWall, twoCpu) = (double.MaxValue, double.MaxValue);
        for (int i = 0; i < Repetitions; i++)
        {
            (one, double wall, double cpu) = Explore(1);
            (oneWall, oneCpu) = (Math.Min(oneWall, wall), Math.Min(oneCpu, cpu));
            (_, wall, cpu) = Explore(2);
            (twoWall, twoCpu) = (Math.Min(twoWall, wall), Math.Min(twoCpu, cpu));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            {one.Transitions / oneCpu / 1e6:0.0} M transitions a CPU second on one worker (at least 5)
            {oneWall / twoWall:0.00} times faster on two workers (near 2, if two cores are free), for {twoCpu / oneCpu:0.00} times the CPU time
            {(double)one.TableBytes / one.States:0.0} bytes a state in the table (at most 40)

            {Agents} agents, {Words} shared words, {one.States:#,0} states, {one.Transitions:#,0} transitions, reduction off;
            {one.States / oneCpu / 1e6:0.00} M states a CPU second; best of {Repetitions}: {oneWall:0.00} s and {twoWall:0.00} s wall
            """));
        return 0;
    }

    private static (ExplorationResult Result, double WallSeconds, double CpuSeconds) Explore(int workers)
    {
        CheckModel model = Build();
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        ExplorationResult result = Explorer.Explore(model, new CheckOptions { Workers = workers, Reduction = false });
        double wall = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        return (result, wall, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
    }

    private static CheckModel Build()
    {
        var machine = new MachineModel(new MachineOptions { Cpus = Agents, EntriesPerTable = 1, Frames = 0 });
        Word[] words = [.. Enumerable.Range(0, Words).Select(i => machine.NewWord($"word{i}"))];
        for (int agent = 0; agent < Agents; agent++)
        {
            Cpu cpu = machine.Cpus[agent];
            Word next = words[(agent + 1) % Agents * (Words / Agents)];
            var own = new OwnWords(machine, words.AsSpan(agent * (Words / Agents), Words / Agents));
            machine.AddTask(cpu, "agent", () => Work(cpu, own, next));
        }

        return new CheckModel(machine, []);
    }

    /// <summary>Stores, updates and one load that may come before or after the neighbour's store.</summary>
    private static async Proc Work(Cpu cpu, OwnWords own, Word next)
    {
        await cpu.Store(own[0], 1);
        await cpu.AddReturn(own[1], 3);
        ulong seen = await cpu.Load(next);
        await cpu.Exchange(own[2 + (int)seen], 1);
    }

    private sealed class OwnWords(MachineModel machine, ReadOnlySpan<Word> words) : MachineHandle(machine)
    {
        private readonly Word[] _words = words.ToArray();

        internal Word this[int index] => _words[index];
    }
}
