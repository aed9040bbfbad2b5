using Shootdown.Bench;

if (args is ["peers", .. string[] programs])
{
    return PeerPrograms.Run(programs);
}

Console.WriteLine("benchmarks: peers [PROGRAM...]");
return 0;
