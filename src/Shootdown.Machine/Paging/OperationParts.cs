namespace Shootdown.Machine;

/// <summary>Operations of the machine as parts of a scenario's own <see cref="Operation"/>, which performs several as one step.</summary>
public static class OperationParts
{
    /// <summary>What <see cref="Cpu.AccessTouch"/> performs.</summary>
    public static Operation Touch(Cpu cpu, int page) => new TouchOperation(cpu, page);

    /// <summary>What <see cref="Cpu.FreeFrame"/> performs.</summary>
    public static Operation FreeFrame(Cpu cpu, int frame, string function = "free_page")
        => new FrameFreeOperation(cpu, 1UL << frame, false, function);
}
