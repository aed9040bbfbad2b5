using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Faults that map huge pages: a trace does not say so, the settings of the machine and what faults next do.</summary>
public sealed class HugePageReplayTests
{
    private const int Huge = 512;
    /// <summary>The huge page is split, which flushes all of it, and a page of it protected.</summary>
    private const string OneHugePage = "-1 local send remote1 irq1; 1 local send remote1 irq1";

    /// <summary>munmap of 2 MiB of which one page was touched: one entry of 2 MiB, or one of 4 KiB; its flush counts in units of its size.</summary>
    [Theory]
    [InlineData(HugePageMode.Never, 0, 1)]
    [InlineData(HugePageMode.Madvise, 0, 1)]
    [InlineData(HugePageMode.Always, 0, Huge)]
    [InlineData(HugePageMode.Madvise, 14, Huge)]
    [InlineData(HugePageMode.Never, 14, 1)]
    [InlineData(HugePageMode.Always, 15, 1)]
    public void The_setting_and_the_advice_decide(HugePageMode mode, int advice, int pagesMapped)
    {
        TraceScript script = Mapped(Huge, advice);
        script.Fault(3, 0x6);
        ProtectPageOf(script, 100);

        // If the entry is huge, page 100 is mapped and must be flushed; else it was never touched.
        Assert.Equal(pagesMapped == Huge ? OneHugePage : "", script.Predicted(isLazy: false, hugePages: mode));
    }

    [Fact]
    public void An_area_that_does_not_cover_it_gets_none()
    {
        TraceScript script = Mapped(Huge - 1);
        script.Fault(3, 0x6);
        ProtectPageOf(script, 100);
        Assert.Equal("", script.Predicted(isLazy: false, hugePages: HugePageMode.Always));
    }

    [Theory]
    [InlineData("6.1", OneHugePage)]
    [InlineData("6.12", "")]
    public void Stacks_have_none_since_Linux_6_7(string kernel, string expected)
    {
        const int privateFixedAnonymousStack = 0x20032;
        var script = new TraceScript();
        script.Map(0, Huge, privateFixedAnonymousStack);
        script.Fault(3, 0x6);
        ProtectPageOf(script, 100);
        Assert.Equal(expected, script.Predicted(isLazy: false, hugePages: HugePageMode.Always, kernel: TimedProfile.Find(kernel)));
    }

    /// <summary>No huge page was free: the same thread faults in its range again.</summary>
    [Fact]
    public void A_fault_in_it_shows_that_there_is_none()
    {
        TraceScript script = Mapped(Huge);
        script.Fault(3, 0x6);
        script.Fault(4, 0x6);
        ProtectPageOf(script, 100);
        Assert.Equal("", script.Predicted(isLazy: false, hugePages: HugePageMode.Always));
    }

    [Fact]
    public void Two_threads_may_fault_on_it_at_once()
    {
        TraceScript script = Mapped(Huge);
        script.Fault(3, 0x6);
        script.Line("page_fault_user", "address=0x200000004000 ip=0x401000 error_code=0x6", "w-11   [001]");
        ProtectPageOf(script, 100);
        Assert.Equal(OneHugePage, script.Predicted(isLazy: false, hugePages: HugePageMode.Always));
    }

    [Fact]
    public void A_range_where_something_is_mapped_gets_none()
    {
        TraceScript script = Mapped(Huge, advice: 15);
        script.Fault(3, 0x6);
        Advise(script, 14);
        script.Fault(4, 0x6);
        ProtectPageOf(script, 100);
        Assert.Equal("", script.Predicted(isLazy: false, hugePages: HugePageMode.Always));
    }

    private static TraceScript Mapped(int pages, int advice = 0)
    {
        var script = new TraceScript();
        script.Map(0, pages);
        if (advice != 0)
        {
            Advise(script, advice);
        }

        return script;
    }

    private static void Advise(TraceScript script, int advice)
        => script.Call("madvise", $"start: 0x200000000000, len_in: 0x200000, behavior: {TraceScript.Hex(advice)}");

    private static void ProtectPageOf(TraceScript script, int page)
        => script.Call("mprotect", $"start: {TraceScript.Hex(0x200000000000 + (page * 4096L))}, len: 0x1000, prot: 0x1");
}
