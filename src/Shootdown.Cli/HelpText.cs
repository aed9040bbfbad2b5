namespace Shootdown.Cli;

/// <summary>
/// The help pages. Written by hand, because examples say more than a generated table; a test holds that every option of
/// the grammar is on its page.
/// </summary>
internal static class HelpText
{
    private const string Root = """
        Shootdown checks races between page tables and TLBs in the Linux kernel.

        usage: ./shootdown COMMAND ...

          list      the catalogue of bugs and their fixes
          explain   the story of one bug
          check     finds the bug, proves the fix
          pairs     crosses every operation of the mm with every other
          seeds     answers the five mails that this project starts from, claim by claim
          paths     which operations reach a function, and what they hold there
          replay    reads a trace: shootdowns by cause, predicted and recorded
          record    makes such a trace, straight from the kernel
          calibrate measures what system calls, faults and interrupts cost here
          designs   compares ways to flush: safe or not, and what they cost
          measure   runs a workload on the timed machine: what shootdowns cost
          COMMAND --help tells more

          --version
          --help, -h

        examples:
          ./shootdown list
          ./shootdown explain madv-dontneed-parallel
          ./shootdown check madv-dontneed-parallel
          ./shootdown check B02 --variant fix --cpus 4
          ./shootdown pairs --bug B02
          sudo ./shootdown record -- ./my-service
          ./shootdown replay shootdown.trace.gz

        """;

    private const string List = """
        usage: ./shootdown list [--tag T]... [--json]

        Every scenario: number, id, year, property, memory model, size, seed mail, title,
        commits and CVE numbers.

          --tag T   only scenarios with the tag T; several tags add up
          --json    one JSON document (docs/json.md)

        examples:
          ./shootdown list
          ./shootdown list --tag gather

        """;

    private const string Explain = """
        usage: ./shootdown explain ID [--json]

        The story of a bug: who, which functions, what goes wrong, the fix, the sources.
        ID is an id or a catalogue number, in upper or lower case.

          --json    one JSON document (docs/json.md)

        examples:
          ./shootdown explain madv-dontneed-parallel
          ./shootdown explain B02

        """;

    private const string Replay = """
        usage: ./shootdown replay FILE [options]

        Reads a trace and says which operations shot TLBs down, how large, who was
        interrupted and who waited for how long. Then it predicts the same numbers from
        system calls, faults and context switches alone and states the error. FILE is the
        text of perf script, trace-cmd report, tracefs (trace, trace_pipe), strace -f -ttt -T
        or bpftrace, or what record wrote; .gz too. The format is found out. What a trace
        lacks is said, and its figures are left out; what is wrong with it is counted.

          --pid P          only this process (in formats without processes, this thread)
          --comm NAME      only threads whose name begins with NAME
          --kernel V       rules of the prediction: 6.1, 6.12 or 6.18 (default: those of
                           the kernel that the trace names, else 6.12)
          --html FILE      the same as a page with pictures
          --trace-out FILE a timeline for ui.perfetto.dev
          --json           one JSON document

        exit code: 0, 2 interrupted, 3 the trace cannot be read, 64 usage, 70 internal error.

        examples:
          ./shootdown replay trace.txt.gz
          ./shootdown replay perf-script.txt --comm redis-server --html redis.html

        """;

    private const string Record = """
        usage: sudo ./shootdown record [options] -- COMMAND...
               sudo ./shootdown record [options] --pid P --seconds N
               sudo ./shootdown record [options] --seconds N

        Records what replay needs, straight from tracefs, for the life of COMMAND or for some
        seconds. All CPUs and processes are recorded, because the interrupted ones are others.
        Uses a trace instance of its own, which is removed in the end, also after Ctrl-C; no
        other setting is touched. Events that were lost are counted in the file.

          --out FILE       where to (default shootdown.trace.gz)
          --buffer SIZE    ring of each CPU: 64M, 1G (default 32M)

        Without root or tracefs it prints the perf commands to run instead.

        exit code: 0, 3 not possible here, 64 usage, 70 internal error.

        examples:
          sudo ./shootdown record -- ./my-service --port 8080
          sudo ./shootdown record --pid 4711 --seconds 10 --out service.trace.gz

        """;

    private const string Calibrate = """
        usage: ./shootdown calibrate [--out FILE]

        Measures on this machine what the timed machine needs to know: system call, faults,
        munmap, madvise, mprotect, context switch, a shootdown with a thread on another CPU.
        Takes about 5 seconds and wants an idle machine. Fields that cannot be measured from
        user code keep their defaults, and it says which.

          --out FILE       writes a file for costs/ (default: prints it)

        examples:
          ./shootdown calibrate
          ./shootdown calibrate --out costs/my-machine.json

        """;

    private const string Pairs = """
        usage: ./shootdown pairs [OPERATION...] [FILE.cs...] [options]

        Crosses every operation (system calls, faults, kernel daemons) with every other: on
        the same page, on overlapping and on neighbouring pages, on every kind of memory that
        both work on, beside a CPU that runs user code, one that is lazy and one that switches
        to another process. Every machine is explored exhaustively; nobody writes a scenario.
        With one OPERATION only its row, with two only that pair. FILE.cs adds operations, or
        replaces a part of the kernel (docs/operation.md).

        what to run
          --operations         list the operations and stop
          --bug ID             switch on the bug of a scenario
          --triples            three operations at a time, on the same page
          --machine M          only this machine, e.g. same-anonymous-busy
          --model M            sc or x86-tso (default sc, or that of the bug)

        limits
          --memory SIZE        for visited states: 512M, 4G (default 75 % of memory)
          --time T             for each machine: 60s, 5m, 2h (default 60s)
          --workers N          machines that run side by side (default one a core)
          --no-reduction       explore every order of independent steps too

        output
          --trace full         every step of violating runs, with calls and notes
          --schedule S         replay one run, as printed under a violation
          --quiet, -q          the verdict only, no progress
          --json               one JSON document (docs/json.md), no progress

        exit code: 0 every machine passes, 1 violation, 2 inconclusive (a limit was reached,
        Ctrl-C), 3 unsupported, 64 usage, 70 internal error.

        examples:
          ./shootdown pairs
          ./shootdown pairs munmap reclaim-batched
          ./shootdown pairs --bug madv-dontneed-parallel
          ./shootdown pairs my-patch.cs

        """;

    private const string Seeds = """
        usage: ./shootdown seeds [ITEM|MAIL]... [options]

        What five mails of the Linux kernel lists claim or ask about TLB flushes, as things
        that are run: a verdict for each, and what it rests on. ITEM is e.g. S000-14, MAIL is
        000 to 004. One item is shown in full, with its runs, tables and a diagram.

          --list           the items, without running anything
          --run NAME       one run of an item

        limits
          --memory SIZE    for visited states: 512M, 4G (default 75 % of memory)
          --time T         for each run: 60s, 5m (default 60s)
          --workers N      runs side by side (default one a core)

        output
          --trace full     every step of violating runs, with calls and notes
          --schedule S     replay one run, as printed under a violation
          --quiet, -q      no progress
          --json           one JSON document (docs/json.md), no progress

        exit code: 0 every item has an answer, 2 one has none (a limit was reached, Ctrl-C),
        64 usage, 70 internal error.

        examples:
          ./shootdown seeds
          ./shootdown seeds 000
          ./shootdown seeds S000-14

        """;

    private const string Paths = """
        usage: ./shootdown paths --to FUNCTION [--from OPERATION]... [--spinlock LOCK]... [--json]

        Every path on which an operation of the library reaches a kernel function, and the
        locks that are held there. Found by running every operation on small machines; calls
        that the code contains and no run made are listed too.

          --to FUNCTION        name as in the kernel, or of the method (ZapPteRange)
          --from OPERATION     only from this operation; several add up
          --spinlock LOCK      i_mmap or anon_vma is a spinlock, as until 2011
          --json               one JSON document (docs/json.md)

        exit code: 0, or 2 if a machine was not run to its end; 64 usage.

        examples:
          ./shootdown paths --to mmu_notifier_invalidate_range_start
          ./shootdown paths --to mmu_notifier_invalidate_range_start --spinlock i_mmap
          ./shootdown paths --to flush_tlb_mm_range --from munmap

        """;

    private const string Designs = """
        usage: ./shootdown designs [NAME...] [FILE.cs...] [options]

        Compares ways to keep TLBs in line with page tables on a handful of small workloads:
        safe or not, and the flushes and IPIs of all runs. With NAME only that design, with its
        story and with a diagram for every workload on which it is not safe. FILE.cs adds
        designs and workloads of your own (docs/designs.md).

        what to run
          --workload W         only this workload, e.g. two-madvise

        limits
          --memory SIZE        for visited states: 512M, 4G (default 75 % of memory)
          --time T             for each check: 60s, 5m, 2h (default 60s)
          --workers N          checks that run side by side (default one a core)
          --no-reduction       explore every order of independent steps too

        output
          --trace full         every step of violating runs, with calls and notes
          --schedule S         replay one run, as printed under a violation
          --quiet, -q          tables only, no progress
          --json               one JSON document (docs/designs.md), no progress

        exit code: 0 all was settled, and what was named is safe; 1 a design that was named is
        not safe, 2 inconclusive (a limit was reached, Ctrl-C), 3 unsupported, 64 usage, 70
        internal error.

        examples:
          ./shootdown designs
          ./shootdown designs flush-ring
          ./shootdown designs vma-generation-rfc --workload switch-away
          ./shootdown designs my-design.cs

        """;

    private const string Check = """
        usage: ./shootdown check ID... | FILE.cs... | --all | --tag T  [options]

        Explores every interleaving of a scenario within its bounds and says whether a
        property is violated; if so, shows the shortest run that does it. ID is an id or a
        catalogue number; FILE.cs is a scenario of your own (docs/scenario.md).

        what to check
          --all                the whole catalogue
          --tag T              scenarios with the tag T; several tags add up
          --variant V          bug, fix or both (default both, or the one that there is)
          --model M            sc or x86-tso (default the scenario's own)
          --cpus N, --pages N  bounds; what a scenario has, explain tells
          --bound NAME=N       any bound that the scenario declares
        {0}
        limits
          --memory SIZE        for visited states: 512M, 4G (default 75 % of memory)
          --time T             for each check: 60s, 5m, 2h (default none)
          --workers N          threads (default one a core)
          --no-reduction       explore every order of independent steps too

        output
          --trace full         every step of a violating run, with calls and notes
          --schedule S         replay one run, as printed under a violation
          --quiet, -q          verdict lines only, no progress
          --json               one JSON document (docs/json.md), no progress
          --expect             exit 0 if all verdicts are as the catalogue expects, else 1

        exit code: 0 pass, 1 violation, 2 inconclusive (a limit was reached, a property was
        never exercised, Ctrl-C), 3 unsupported, 64 usage, 70 internal error; of several
        checks the worst, in the order 1, 3, 2, 0.

        examples:
          ./shootdown check madv-dontneed-parallel
          ./shootdown check B02 --variant bug --trace full
          ./shootdown check B15 --model sc
          ./shootdown check --all --expect --quiet
          ./shootdown check --tag tso --json > result.json

        """;

    private const string Measure = """
        usage: ./shootdown measure [WORKLOAD] [options]

        Runs a built-in workload on a simulated machine, with the kernel code that check proves, and
        tells what TLB flushes cost. Without WORKLOAD: lists the workloads and the policies.

          --cpus N, N..M   CPUs, 2 to 64; a range is gone through in powers of two (default 8)
          --policy NAME    flush design, or all (default linux-6.12)
          --time T         virtual time of each run, up to 10m (default 100ms)
          --costs FILE     what things cost; start from a copy of costs/default.json
          --seed N         of all that is random (default 1); the same seed gives the same run
          --csv            comma-separated values
          --json           one JSON document
          --trace-out F    the run's timeline, for ui.perfetto.dev

        examples:
          ./shootdown measure
          ./shootdown measure munmap-storm --cpus 2..64
          ./shootdown measure reclaim --policy all --csv
          ./shootdown measure madvise-storm --time 5ms --trace-out storm.json

        """;

    /// <summary>The page of a command; the general one for any other name.</summary>
    /// <param name="command">Name of the command.</param>
    /// <param name="bounds">Options for bounds that the catalogue's scenarios declare.</param>
    public static string Of(string command, IEnumerable<string> bounds) => command switch
    {
        "list" => List,
        "explain" => Explain,
        "check" => Check.Replace("{0}\n", OtherBounds(bounds), StringComparison.Ordinal),
        "pairs" => Pairs,
        "seeds" => Seeds,
        "paths" => Paths,
        "replay" => Replay,
        "record" => Record,
        "calibrate" => Calibrate,
        "designs" => Designs,
        "measure" => Measure,
        _ => Root,
    };

    private static string OtherBounds(IEnumerable<string> bounds)
    {
        string[] others = [.. bounds.Where(name => name is not ("--cpus" or "--pages")).Order().Select(name => name + " N")];
        if (others.Length == 0)
        {
            return "\n";
        }

        IReadOnlyList<string> lines = Report.Paragraph.Wrap(
            $"or in short: {string.Join(", ", others)}", new string(' ', 23), new string(' ', 23), width: 84);
        return string.Join('\n', lines) + "\n\n";
    }
}
