using System.Globalization;

namespace Shootdown.Measure;

/// <summary>A thread of a user process when the recording began.</summary>
/// <param name="Tid">The thread.</param>
/// <param name="Pid">Its process.</param>
/// <param name="Cpu">The CPU that it runs on or ran on last.</param>
/// <param name="IsLast">True if no other thread with an address space ran there behind it: the CPU has its address space loaded.</param>
/// <param name="IsRunning">True if it runs or wants to.</param>
public readonly record struct RecordedTask(int Tid, int Pid, int Cpu, bool IsLast, bool IsRunning)
{
    /// <summary>As a recording has it, behind <c># shootdown</c>.</summary>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"task={Tid} pid={Pid} cpu={Cpu} last={(IsLast ? 1 : 0)} running={(IsRunning ? 1 : 0)}");

    /// <summary>Reads it; false if the line is none of a task.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> fields, out RecordedTask task)
    {
        bool read = ByteText.TryField(fields, "task"u8, out long tid) & ByteText.TryField(fields, "pid"u8, out long pid)
            & ByteText.TryField(fields, "cpu"u8, out long cpu) & ByteText.TryField(fields, "last"u8, out long last)
            & ByteText.TryField(fields, "running"u8, out long running);
        read &= (int)tid == tid && (int)pid == pid && cpu >= 0 && (int)cpu == cpu;
        task = new RecordedTask((int)tid, (int)pid, (int)cpu, last != 0, running != 0);
        return read;
    }
}
