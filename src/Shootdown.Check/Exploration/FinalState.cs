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
                (ulong placeLow, ulong placeHigh) = PlaceOf(local);
                low ^= placeLow;
                high ^= placeHigh;
            }
        }

        return new UInt128(high, low);
    }

    /// <summary>
    /// Where a program stands. One that may wait for ever (a daemon's loop) is judged by its functions and what it waits for, not by what its
    /// locals hold from the last turn: the compiler keeps those or not, as it likes, and no one sees them.
    /// </summary>
    private static (ulong Low, ulong High) PlaceOf(LocalState local)
    {
        if (!local.Agent.MayStop || local.Operation is null)
        {
            return (local.HashLow, local.HashHigh);
        }

        var place = Hash128.OfText($"{local.Agent.Index} {string.Join('/', local.CallStack())}: {local.Operation.Text}");
        return (unchecked((ulong)place.Low), unchecked((ulong)place.High));
    }
}
