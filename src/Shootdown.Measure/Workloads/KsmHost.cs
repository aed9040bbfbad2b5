using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A host of virtual machines: ksmd merges pages that are equal in all of them, and stores break them apart again.</summary>
internal sealed class KsmHost : Workload
{
    private const int HeapPages = 2048;
    private const int EqualPages = 1024;
    private const int CpusPerGuest = 2;
    private const int PagesToScan = 100;
    private const long SleepNs = 1_000_000;

    public override string Name => "ksm-host";

    public override string Summary => "guests with 8 MiB on 2 CPUs each; ksmd looks at 100 pages a millisecond and merges what is equal in all guests";

    public override string Unit => "accesses";

    internal override void Start(WorkloadRun run)
    {
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        Mm[] guests = [.. Enumerable.Range(0, (run.Cpus - 1 + CpusPerGuest - 1) / CpusPerGuest).Select(guest => run.Kernel.NewProcess($"guest{guest}"))];
        foreach (Mm guest in guests)
        {
            guest.Areas!.Set(first, first + HeapPages, true, true);
        }

        run.Prepare(guests[0], cpu => Fill(run, cpu, guests, first));
        foreach (TimedCpu cpu in run.Kernel.Machine.Cpus)
        {
            bool isLast = cpu.Cpu.Index == run.Cpus - 1;
            Mm? guest = isLast ? null : guests[cpu.Cpu.Index / CpusPerGuest];
            run.StartThread(cpu.Cpu, guest, target => guest is null ? Ksmd(run, target, guests, first) : Vcpu(run, target, guest, first));
        }
    }

    private static async Proc Fill(WorkloadRun run, Cpu cpu, Mm[] guests, int first)
    {
        for (int i = 0; i < guests.Length; i++)
        {
            await run.Kernel.SwitchTo(cpu, guests[i]);
            await run.Kernel.Touch(cpu, guests[i], first, HeapPages);
        }
    }

    /// <summary>Scans the equal pages of one guest after the other; each has a page in the stable tree that keeps a reference.</summary>
    private static async Proc Ksmd(WorkloadRun run, Cpu cpu, Mm[] guests, int first)
    {
        int[] stable = new int[EqualPages];
        int next = 0;
        while (run.HasTime(cpu))
        {
            await run.Kernel.Machine.Compute(cpu, SleepNs);
            for (int i = 0; i < PagesToScan && run.HasTime(cpu); i++)
            {
                int page = next % EqualPages;
                Mm guest = guests[next / EqualPages % guests.Length];
                stable[page] = stable[page] == 0 ? (int)await cpu.AllocFrame(first + page) : stable[page];
                await Merge(run, cpu, guest, first + page, stable[page]);
                next = (next + 1) % (EqualPages * guests.Length);
            }
        }
    }

    private static async Proc Merge(WorkloadRun run, Cpu cpu, Mm guest, int page, int stable)
    {
        Pte leaf = run.Kernel.Machine.Tables.Walk(guest.Space.RootTable, page, out _, out _);
        if (leaf.Present && leaf.Frame != stable && await cpu.FrameTryGet(leaf.Frame) != 0)
        {
            await run.Kernel.Kernel.Ksm.TryToMergeWithKsmPage(cpu, guest, page, leaf.Frame, stable);
            await cpu.PutFrames(FrameSet.Of(leaf.Frame), "folio_put");
            await run.Kernel.Machine.Boundary(cpu);
        }
    }

    /// <summary>One store in fifty goes to a page that is equal in all guests, and breaks it apart if it has been merged.</summary>
    private static async Proc Vcpu(WorkloadRun run, Cpu cpu, Mm guest, int first)
    {
        while (run.HasTime(cpu))
        {
            bool write = run.Random(cpu, 4) == 0;
            int page = write && run.Random(cpu, 50) != 0 ? EqualPages + run.Random(cpu, HeapPages - EqualPages) : run.Random(cpu, HeapPages);
            await run.Kernel.Access(cpu, guest, first + page, write);
            await run.Kernel.Machine.Compute(cpu, 2000);
            run.Work++;
        }
    }
}
