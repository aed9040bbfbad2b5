using Shootdown.Cli;
using Shootdown.Tests.Measure;

namespace Shootdown.Tests.Cli;

/// <summary>A full disk, or an output that is gone, is named and is no defect of the program.</summary>
public sealed class OutputFailureTests
{
    public static TheoryData<string[]> Commands => new()
    {
        new[] { "list" },
        new[] { "explain", "cow-secondary-order" },
        new[] { "measure", "munmap-storm", "--cpus", "2", "--time", "1ms" },
        new[] { "replay", TraceText.PathOf("stress.strace") },
    };

    [Theory]
    [MemberData(nameof(Commands))]
    public void Standard_output_that_takes_nothing(string[] arguments)
    {
        (int code, _, string error) = CommandRun.Of(
            host => host with { Out = new StreamWriter(new OutputStream(new FullStream(), "the output")) }, arguments);

        Assert.Equal((3, "shootdown: the output cannot be written: No space left on device\n"), (code, error));
    }

    [Theory]
    [InlineData("replay", "--html")]
    [InlineData("replay", "--trace-out")]
    [InlineData("measure", "--html")]
    [InlineData("measure", "--trace-out")]
    public void A_file_that_takes_nothing(string command, string option)
    {
        if (!File.Exists("/dev/full"))
        {
            Assert.Skip("this system has no /dev/full");
        }

        string[] arguments = command == "replay" ? [command, TraceText.PathOf("mix2.perf-script.txt")] : [command, "munmap-storm", "--cpus", "2", "--time", "1ms"];
        (int code, _, string error) = CommandRun.Of([.. arguments, option, "/dev/full"]);

        Assert.StartsWith($"shootdown: {option} '/dev/full' cannot be written: ", error, StringComparison.Ordinal);
        Assert.Equal(3, code);
    }

    private sealed class FullStream : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("No space left on device");

        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("No space left on device");
    }
}
