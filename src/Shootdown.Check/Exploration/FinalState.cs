using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>A digest of what a program can observe of a final state: kernel memory and where each program stands.</summary>
internal static class FinalState
{
    internal static UInt128 Digest(MachineState state)
    {
        ulong low = 0;
        ulong high = 0;
        for (int address = 0; address < state.Words.Length; address++)
        {
            if (state.Machine.WordInfo(address).Kind != WordKind.Hardware)
            {
                low ^= Hash128.Mix(state.Read(address) + Hash128.SplitMix(2 * (ulong)address));
                high ^= Hash128.Mix(state.Read(address) ^ Hash128.SplitMix((2 * (ulong)address) + 1));
            }
        }

        foreach (LocalState local in state.Locals)
        {
            if (local.Agent.Kind == AgentKind.Task)
            {
                low ^= local.HashLow;
                high ^= local.HashHigh;
            }
        }

        return new UInt128(high, low);
    }
}
