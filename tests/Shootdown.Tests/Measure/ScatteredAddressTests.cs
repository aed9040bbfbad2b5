namespace Shootdown.Tests.Measure;

/// <summary>Processes that map memory all over their address space: the machine's page numbers have fewer bits than the trace's addresses.</summary>
public sealed class ScatteredAddressTests
{
    private const long Span = 1L << 39;
    private const string OnePage = "1 local send remote1 irq1";

    /// <summary>47 bits of addresses, and 56 of processes with five levels of tables.</summary>
    [Theory]
    [InlineData(250, 1)]
    [InlineData(9000, 14)]
    public void Every_part_of_the_address_space_has_room(int parts, int spansApart)
    {
        var script = new TraceScript();
        for (int i = 0; i < parts; i++)
        {
            long address = Span * spansApart * (i + 1);
            Map(script, address, 0x1000);
            Write(script, address);
            Unmap(script, address, 0x1000);
        }

        Assert.Equal(string.Join("; ", Enumerable.Repeat(OnePage, parts)), script.Predicted(isLazy: false));
    }

    [Fact]
    public void A_range_across_the_border_of_a_GiB_stays_one()
    {
        var script = new TraceScript();
        for (int i = 1; i < 20; i++)
        {
            Map(script, Span * i, 0x1000);
        }

        long border = (Span * 30) + (1L << 30);
        Map(script, border - 0x1000, 0x2000);
        Write(script, border - 0x1000);
        Write(script, border);
        Unmap(script, border - 0x1000, 0x2000);

        // One flush; it is a full one because the tables of both GiBs are freed.
        Assert.Equal("-1 local send remote1 irq1", script.Predicted(isLazy: false));
    }

    private static void Map(TraceScript script, long address, long bytes) => script.Call(
        "mmap",
        $"addr: {TraceScript.Hex(address)}, len: {TraceScript.Hex(bytes)}, prot: 0x3, flags: 0x32, fd: 0xffffffff, off: 0x0",
        TraceScript.Hex(address));

    private static void Unmap(TraceScript script, long address, long bytes)
        => script.Call("munmap", $"addr: {TraceScript.Hex(address)}, len: {TraceScript.Hex(bytes)}");

    private static void Write(TraceScript script, long address)
        => script.Line("page_fault_user", $"address={TraceScript.Hex(address)} ip=0x401000 error_code=0x6");
}
