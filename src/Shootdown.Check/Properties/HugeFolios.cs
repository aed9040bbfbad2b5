using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>Which frame's words stand for a frame that may be part of a huge folio.</summary>
internal static class HugeFolios
{
    /// <summary>The first frame of the folio; the frame itself if it is small, or the machine has no huge folios.</summary>
    /// <param name="heads">A word a frame: the first frame, + 1, of its huge folio, or 0. Empty if there are none.</param>
    /// <param name="state">The state.</param>
    /// <param name="frame">The frame.</param>
    internal static int FirstOf(IReadOnlyList<Word> heads, MachineState state, int frame)
    {
        ulong head = heads.Count == 0 ? 0 : state.Read(heads[frame].Address);
        return head == 0 ? frame : (int)head - 1;
    }
}
