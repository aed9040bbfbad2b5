using Shootdown.Bench;

switch (args)
{
    case ["peers", .. string[] programs]:
        return PeerPrograms.Run(programs);
    case ["tlbdefer", .. string[] size]:
        return TlbDeferTable.Run(size);
    case ["raw"]:
        return RawExploration.Run();
    case ["slowest"]:
        return SlowestChecks.Run();
    case ["timed", .. string[] workloads]:
        return TimedThroughput.Run(workloads);
    case ["replay", .. string[] traces]:
        return ReplayThroughput.Run(traces);
    case ["all"]:
        int[] codes = [RawExploration.Run(), PeerPrograms.Run([]), TlbDeferTable.Run([]), SlowestChecks.Run()];
        return codes.Max();
    default:
        Console.WriteLine("benchmarks: peers [PROGRAM...] | tlbdefer [CPUS PAGES] | raw | slowest | timed [WORKLOAD...] | replay [TRACE...] | all");
        return 0;
}
