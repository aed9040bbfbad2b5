using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>A state in few bytes: words as variable-length numbers, local states by reference.</summary>
internal sealed class PackedState
{
    private readonly byte[] _words;
    private readonly LocalState[] _locals;

    private PackedState(byte[] words, LocalState[] locals)
    {
        _words = words;
        _locals = locals;
    }

    internal static PackedState Pack(MachineState state)
    {
        Span<byte> buffer = stackalloc byte[state.Words.Length <= 1024 ? state.Words.Length * 10 : 0];
        if (buffer.Length == 0)
        {
            buffer = new byte[state.Words.Length * 10];
        }

        int length = 0;
        foreach (ulong word in state.Words)
        {
            ulong rest = word;
            for (; rest >= 0x80; rest >>= 7)
            {
                buffer[length++] = (byte)(rest | 0x80);
            }

            buffer[length++] = (byte)rest;
        }

        return new PackedState(buffer[..length].ToArray(), state.Locals.ToArray());
    }

    internal void Unpack(MachineState state)
    {
        Span<ulong> words = new ulong[state.Words.Length];
        int at = 0;
        for (int i = 0; i < words.Length; i++)
        {
            int shift = 0;
            while (_words[at] >= 0x80)
            {
                words[i] |= (ulong)(_words[at++] & 0x7f) << shift;
                shift += 7;
            }

            words[i] |= (ulong)_words[at++] << shift;
        }

        state.Restore(words, _locals);
    }
}
