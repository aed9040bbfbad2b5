using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>A digest of what a program can observe of a final state: kernel memory and where each program stands.</summary>
internal static class FinalState
{
    internal static UInt128 Digest(MachineState state)
    {
        ulong low = 0;
        ulong high = 0;
        ulong ordinal = 0;
        for (int address = 0; address < state.Words.Length; address++)
        {
            if (state.Machine.WordInfo(address).Kind != WordKind.Hardware)
            {
                // By position among observable words, so that machines with other hardware can be compared.
                low ^= Hash128.Mix(state.Read(address) + Hash128.SplitMix(2 * ordinal));
                high ^= Hash128.Mix(state.Read(address) ^ Hash128.SplitMix((2 * ordinal) + 1));
                ordinal++;
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
