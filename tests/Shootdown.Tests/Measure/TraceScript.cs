using System.Globalization;
using System.Text;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Text as trace-cmd writes it: thread 10 acts on CPU 0, thread 11 of the same process is on CPU 1.</summary>
internal sealed class TraceScript
{
    private const long Base = 0x200000000000;
    private readonly StringBuilder _lines = new();
    private int _timeUs = 1000;

    public static string Hex(long value) => string.Create(CultureInfo.InvariantCulture, $"0x{value:x}");

    public void Line(string name, string fields, string task = "w-10   [000]")
        => _lines.Append(CultureInfo.InvariantCulture, $"  {task}  1.{_timeUs++:000000}: {name}: {fields}\n");

    public void Block11() => Line(
        "sched_switch", "prev_comm=w prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120", "w-11   [001]");

    public void Map(int page, int pages, int flags = 0x32)
        => Call(
            "mmap",
            $"addr: {Hex(Base + page * 4096L)}, len: {Hex(pages * 4096L)}, prot: 0x3, flags: {Hex(flags)}, fd: 0xffffffff, off: 0x0",
            Hex(Base + page * 4096L));

    public void Fault(int page, int code) => Line("page_fault_user", $"address={Hex(Base + page * 4096L)} ip=0x401000 error_code={Hex(code)}");

    public void Call(string name, string arguments, string result = "0x0")
    {
        Line($"sys_enter_{name}", arguments);
        Line($"sys_exit_{name}", result);
    }

    /// <summary>Flushes of the program so far, as thread 11 runs on CPU 1 or is blocked there.</summary>
    public string Predicted(bool isLazy, bool hasSwap = true, HugePageMode hugePages = HugePageMode.Madvise, TimedProfile? kernel = null)
    {
        string program = _lines.ToString();
        _lines.Clear();
        _timeUs = 1;
        Line("sched_switch", "prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=w next_pid=10 next_prio=120", "<idle>-0   [000]");

        // The table that both stand on lies elsewhere, so that it does not keep tables of the operation.
        Call("mmap", "addr: 0x0, len: 0x2000, prot: 0x3, flags: 0x22, fd: 0xffffffff, off: 0x0", "0x7f0000000000");
        Line("sched_switch", "prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=w next_pid=11 next_prio=120", "<idle>-0   [001]");
        Line("page_fault_user", "address=0x7f0000001000 ip=0x401000 error_code=0x6", "w-11   [001]");
        if (isLazy)
        {
            Block11();
        }

        var flushes = new List<string>();
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(_lines + program)), "script");
        Replayer.Run(reader, "script", new ReplayOptions
        {
            HasSwap = hasSwap,
            HugePages = hugePages,
            Kernel = kernel,
            OnPredicted = flush => flushes.Add(Text(flush)),
        });
        return string.Join("; ", flushes);
    }

    private static string Text(PredictedFlush flush) => string.Create(
        CultureInfo.InvariantCulture,
        $"{flush.Pages}{(flush.HasLocal ? " local" : "")}{(flush.HasSendIpi ? " send" : "")} remote{flush.Remote} irq{flush.Interrupts}");
}
