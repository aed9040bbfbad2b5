namespace Shootdown.Check;

/// <summary>Runs workers side by side, the first on the caller's thread.</summary>
internal static class WorkerThreads
{
    private const int StackBytes = 16 << 20;

    /// <summary>Runs all of them and waits for their end. They must let no exception out.</summary>
    internal static void Run(IReadOnlyList<Action> workers)
    {
        Thread[] threads = [.. workers.Skip(1).Select(worker => new Thread(() => worker(), StackBytes) { IsBackground = true })];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        workers[0]();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }
}
