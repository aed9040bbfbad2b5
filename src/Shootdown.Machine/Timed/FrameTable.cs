using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>The words of a frame, as positions within it.</summary>
public enum FrameSlot
{
    /// <summary>References.</summary>
    RefCount,

    /// <summary>Entries that map it.</summary>
    MapCount,

    /// <summary>1 + where the frame was mapped first: address space in bits 32 and up, page below.</summary>
    Place,

    /// <summary>Frames of the folio that starts here, as a power of two.</summary>
    Order,

    /// <summary>1 while the frame is given up, but kept from the allocator until TLBs have been flushed.</summary>
    Held,

    /// <summary>Dirty flag.</summary>
    Dirty,

    /// <summary>IO under way.</summary>
    Writeback,

    /// <summary>Belongs to one process alone.</summary>
    AnonExclusive,

    /// <summary>May be thrown away.</summary>
    Lazyfree,

    /// <summary>How many of the references are pins.</summary>
    PinCount,

    /// <summary>The data.</summary>
    Content,

    /// <summary>Place in a file.</summary>
    Mapping,

    /// <summary>The folio lock.</summary>
    Lock,

    /// <summary>When the folio lock was released last.</summary>
    LockFreeAt,
}

/// <summary>
/// What a timed machine of millions of frames knows about each: counts, flags and place in 16 bytes, which all frames have that were ever
/// used; the rest, which few frames need, in pieces for 1024 frames that are made as they are written.
/// </summary>
internal sealed class FrameTable
{
    private const int ChunkShift = 14;
    private const int PieceShift = 10;
    private const int SpaceMax = (1 << 22) - 1;
    private const ulong PlaceMask = (1UL << 54) - 1;
    private const ulong HasRest = 1UL << 54;
    private const int OrderShift = 55;
    private const int OrderMax = 15;
    private const int FlagShift = 59;
    private const int RestSlots = FrameSlot.LockFreeAt - FrameSlot.PinCount + 1;
    private readonly ulong[]?[][] _rest = [.. Enumerable.Repeat(Array.Empty<ulong[]?>(), RestSlots)];
    private Row[][] _rows = [];
    private int _count;

    /// <summary>Makes place for frames up to a number.</summary>
    internal void Need(int count)
    {
        for (; _count < count; _count += 1 << ChunkShift)
        {
            int chunk = _count >> ChunkShift;
            if (chunk == _rows.Length)
            {
                Array.Resize(ref _rows, Math.Max(16, chunk * 2));
            }

            _rows[chunk] = new Row[1 << ChunkShift];
        }
    }

    /// <summary>The references of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref uint RefCount(int frame) => ref RowOf(frame).RefCount;

    internal ulong Read(int frame, FrameSlot slot)
    {
        ref Row row = ref RowOf(frame);
        return slot switch
        {
            FrameSlot.RefCount => row.RefCount,
            FrameSlot.MapCount => row.MapCount,
            FrameSlot.Place => row.Packed & PlaceMask,
            FrameSlot.Order => (row.Packed >> OrderShift) & OrderMax,
            >= FrameSlot.PinCount => (row.Packed & HasRest) == 0 ? 0 : ReadRest(frame, slot),
            _ => (row.Packed >> FlagBit(slot)) & 1,
        };
    }

    internal void Write(int frame, FrameSlot slot, ulong value)
    {
        ref Row row = ref RowOf(frame);
        switch (slot)
        {
            case FrameSlot.RefCount:
                row.RefCount = Within(frame, slot, value, uint.MaxValue);
                break;
            case FrameSlot.MapCount:
                row.MapCount = Within(frame, slot, value, uint.MaxValue);
                break;
            case FrameSlot.Place:
                Within(frame, slot, value >> 32, SpaceMax);
                row.Packed = (row.Packed & ~PlaceMask) | value;
                break;
            case FrameSlot.Order:
                row.Packed = (row.Packed & ~((ulong)OrderMax << OrderShift)) | ((ulong)Within(frame, slot, value, OrderMax) << OrderShift);
                break;
            case >= FrameSlot.PinCount:
                if (value != 0 || (row.Packed & HasRest) != 0)
                {
                    Rest(frame, slot) = value;
                }

                break;
            default:
                row.Packed = (row.Packed & ~(1UL << FlagBit(slot))) | ((ulong)Within(frame, slot, value, 1) << FlagBit(slot));
                break;
        }
    }

    /// <summary>A word that few frames need, such as the folio lock.</summary>
    internal ref ulong Rest(int frame, FrameSlot slot)
    {
        if (slot < FrameSlot.PinCount)
        {
            throw new ArgumentOutOfRangeException(nameof(slot), slot, "it is packed: use Read and Write");
        }

        RowOf(frame).Packed |= HasRest;
        ref ulong[]?[] pieces = ref _rest[slot - FrameSlot.PinCount];
        int piece = frame >> PieceShift;
        if (piece >= pieces.Length)
        {
            Array.Resize(ref pieces, Math.Max(piece + 1, pieces.Length * 2));
        }

        return ref (pieces[piece] ??= new ulong[1 << PieceShift])[frame & ((1 << PieceShift) - 1)];
    }

    /// <summary>The frame is free: all is 0.</summary>
    internal void Clear(int frame)
    {
        ref Row row = ref RowOf(frame);
        if ((row.Packed & HasRest) != 0)
        {
            ClearRest(frame);
        }

        row = default;
    }

    private static int FlagBit(FrameSlot slot) => FlagShift + (slot - FrameSlot.Held);

    private static uint Within(int frame, FrameSlot slot, ulong value, uint max) => value <= max ? (uint)value
        : throw new ProcRuleException($"{slot} of frame {frame} becomes {unchecked((long)value)}: a timed machine keeps 0 to {max}");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Row RowOf(int frame) => ref _rows[frame >> ChunkShift][frame & ((1 << ChunkShift) - 1)];

    private ulong ReadRest(int frame, FrameSlot slot)
    {
        ulong[]?[] pieces = _rest[slot - FrameSlot.PinCount];
        int piece = frame >> PieceShift;
        return piece < pieces.Length && pieces[piece] is { } words ? words[frame & ((1 << PieceShift) - 1)] : 0;
    }

    private void ClearRest(int frame)
    {
        int piece = frame >> PieceShift;
        foreach (ulong[]?[] pieces in _rest)
        {
            if (piece < pieces.Length && pieces[piece] is { } words)
            {
                words[frame & ((1 << PieceShift) - 1)] = 0;
            }
        }
    }

    /// <summary>Flags from bit 59, order from 55, whether there is more in 54, place below.</summary>
    private struct Row
    {
        internal ulong Packed;
        internal uint RefCount;
        internal uint MapCount;
    }
}
