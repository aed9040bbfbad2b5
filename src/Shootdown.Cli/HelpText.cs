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
