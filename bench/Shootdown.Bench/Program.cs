using Shootdown.Bench;

switch (args)
{
    case ["peers", .. string[] programs]:
        return PeerPrograms.Run(programs);
    case ["tlbdefer", .. string[] size]:
        return TlbDeferTable.Run(size);
    case ["raw"]:
        return RawExploration.Run();
    default:
        Console.WriteLine("benchmarks: peers [PROGRAM...] | tlbdefer [CPUS PAGES] | raw");
        return 0;
}
