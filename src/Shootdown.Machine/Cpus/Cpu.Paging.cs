namespace Shootdown.Machine;

/// <summary>What a user access returned.</summary>
/// <param name="Raw">Packed value.</param>
public readonly record struct AccessResult(long Raw)
{
    internal const long FaultBit = 1L << 62;

    /// <summary>True if the access raised a page fault; there is no value then.</summary>
    public bool Faulted => (Raw & FaultBit) != 0;

    /// <summary>The value that a load saw.</summary>
    public int Value => (int)Raw;
}

/// <content>Page tables, frames, translation hardware and user accesses.</content>
public sealed partial class Cpu
{
    /// <summary>Reads an entry (<c>ptep_get</c>, <c>pmdp_get</c>).</summary>
    public Op<Pte> EntryRead(
        PageTable table, int page, string function = "ptep_get", StepWeight weight = StepWeight.Context)
        => _timed is { } timed ? Op<Pte>.DoneWith(timed.EntryRead(this, table, page))
            : new(new EntryOperation(this, table, page, EntryAction.Read, default, default, function, weight));

    /// <summary>Stores an entry with a plain store (<c>set_pte_at</c>).</summary>
    public Op EntryStore(PageTable table, int page, Pte value, string function = "set_pte_at")
        => _timed is { } timed ? timed.EntryStore(this, table, page, value)
            : new(new EntryOperation(this, table, page, EntryAction.Store, value, default, function));

    /// <summary>Exchanges an entry atomically and returns the old one (<c>ptep_get_and_clear</c>).</summary>
    public Op<Pte> EntryExchange(PageTable table, int page, Pte value, string function)
        => _timed is { } timed ? Op<Pte>.DoneWith(timed.EntryModify(this, table, page, EntryAction.Exchange, value, default))
            : new(new EntryOperation(this, table, page, EntryAction.Exchange, value, default, function));

    /// <summary>Clears bits of an entry atomically and returns the old one (<c>ptep_set_wrprotect</c>).</summary>
    public Op<Pte> EntryClearBits(PageTable table, int page, ulong bits, string function)
        => _timed is { } timed ? Op<Pte>.DoneWith(timed.EntryModify(this, table, page, EntryAction.ClearBits, new Pte(bits), default))
            : new(new EntryOperation(this, table, page, EntryAction.ClearBits, new Pte(bits), default, function));

    /// <summary>Replaces an entry if it still has a value; returns what was found.</summary>
    public Op<Pte> EntryCompareExchange(PageTable table, int page, Pte expected, Pte value, string function)
        => _timed is { } timed ? Op<Pte>.DoneWith(timed.EntryModify(this, table, page, EntryAction.CompareExchange, value, expected))
            : new(new EntryOperation(this, table, page, EntryAction.CompareExchange, value, expected, function));

    /// <summary>Takes a free frame for a page from the allocator, with one reference; -1 if there is none.</summary>
    public Op<int> AllocFrame(int page)
        => _timed is { } timed ? Op<int>.DoneWith(timed.AllocFrame(this))
            : new(new FrameAllocOperation(this, page));

    /// <summary>Drops one reference of every frame of a set in one step; what nobody refers to any more is freed.</summary>
    public Op PutFrames(FrameSet frames, string function)
        => _timed is { } timed ? timed.PutFrames(this, frames)
            : new(new FramePutOperation(this, frames.Mask, function));

    /// <summary>Takes a reference of a frame unless it has none (<c>folio_try_get</c>); 0 if it has none.</summary>
    public Op<int> FrameTryGet(int frame, string function = "folio_try_get")
        => _timed is { } timed ? Op<int>.DoneWith(timed.TryGetFrame(this, frame))
            : new(new FrameTryGetOperation(this, frame, function));

    /// <summary>Takes a reference that counts as a pin, unless the frame has none (<c>try_grab_folio_fast</c>); 0 if it has none.</summary>
    public Op<int> FrameTryPin(int frame, string function = "try_grab_folio_fast") => new(new FrameTryPinOperation(this, frame, function));

    /// <summary>
    /// Lets a frame go that a call returned: a pin with its reference, or a reference alone. Without a request it is
    /// the call itself that changes its mind.
    /// </summary>
    public Op Unpin(int frame, PinRequest? request, bool pinned, string function)
        => new(new FrameUnpinOperation(this, frame, request, pinned, function));

    /// <summary>A call that looks up pages for somebody to hold begins.</summary>
    public Op BeginPin(PinRequest request) => new(new PinRequestOperation(request, false, -1));

    /// <summary>It returns a frame, or none (-1).</summary>
    public Op ReturnPin(PinRequest request, int frame) => new(new PinRequestOperation(request, true, frame));

    /// <summary>Reads an entry without a lock (<c>ptep_get_lockless</c>): the table may be gone.</summary>
    public Op<Pte> EntryReadLockless(AddressSpace space, PageTable table, int page, string function, StepWeight weight = StepWeight.Key)
        => _timed is { } timed ? Op<Pte>.DoneWith(timed.EntryRead(this, table, page))
            : new(new LocklessReadOperation(this, space, table, page, function, weight));

    /// <summary>Takes the frames of a huge page, each with one reference; the first of them, or -1.</summary>
    public Op<int> AllocHugeFrames(int page, int count)
        => _timed is { } timed ? Op<int>.DoneWith(timed.AllocHugeFrames(this)) : new(new HugeAllocOperation(this, page, count));

    /// <summary>Copies a frame's contents to one that nobody else uses yet.</summary>
    public Op CopyFrame(int from, int to, string function)
        => _timed is { } timed ? timed.CopyFrame(this, from, to)
            : new(new FrameCopyOperation(this, from, to, function));

    /// <summary>Compares two frames: 1 if their contents are equal (<c>pages_identical</c>).</summary>
    public Op<int> CompareFrames(int frame, int other, string function)
        => _timed is { } timed ? Op<int>.DoneWith(timed.CompareFrames(this, frame, other)) : new(new FrameCompareOperation(this, frame, other, function));

    /// <summary>Gives a frame that has no reference count back to the allocator.</summary>
    public Op FreeFrame(int frame, string function = "free_page")
        => _timed is { } timed ? timed.FreeFrames(this, FrameSet.Of(frame))
            : new(new FrameFreeOperation(this, 1UL << frame, false, function));

    /// <summary>Gives frames that have no reference counts back to the allocator in one step.</summary>
    public Op FreeFrames(FrameSet frames, string function)
        => _timed is { } timed ? timed.FreeFrames(this, frames)
            : new(new FrameFreeOperation(this, frames.Mask, false, function));

    /// <summary>Writes a frame's contents to its backing store (<c>swap_writepage</c>); returns what was written.</summary>
    public Op<ulong> WriteFrame(int frame, string function = "swap_writepage")
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.WriteFrame(this, frame))
            : new(new FrameWriteOperation(this, frame, function));

    /// <summary>
    /// Frees frames whose contents were saved or are clean, as reclaim does: a lost store shows here. References count no
    /// more: reclaim froze them at 0 before.
    /// </summary>
    public Op ReclaimFrames(FrameSet frames, string function)
        => _timed is { } timed ? timed.FreeFrames(this, frames)
            : new(new FrameFreeOperation(this, frames.Mask, true, function));

    /// <summary>Takes a free page-table page; its entries are empty. Returns its number, -1 if there is none.</summary>
    public Op<int> AllocTable(AddressSpace space, int level, int page)
        => _timed is { } timed ? Op<int>.DoneWith(timed.AllocTable(this, space, level, page))
            : new(new TableAllocOperation(this, space, level, page));

    /// <summary>Gives a page-table page back to the allocator: whoever walks it from now on reads something else.</summary>
    public Op FreeTable(int table, string function = "free_pgtable_page")
        => _timed is { } timed ? timed.FreeTable(this, table)
            : new(new TableFreeOperation(this, table, function));

    /// <summary>Writes CR3: loads the root of an address space (null: kernel tables only) with a PCID; keep is the no-flush bit.</summary>
    public Op LoadRoot(AddressSpace? space, int asid, bool keep, string function = "load_new_mm_cr3")
        => _timed is { } timed ? timed.LoadRoot(this, space, asid, keep)
            : new(new LoadRootOperation(this, space, asid, keep, function));

    /// <summary>Invalidates one page here: its last level only, or with the cached upper entries on the way to it.</summary>
    public Op FlushTlbPage(int page, bool lastLevel)
        => new(new FlushOperation(this, page, lastLevel ? WalkCacheScope.None : WalkCacheScope.Path));

    /// <summary>INVLPG: drops the page under the current PCID and all paging-structure-cache entries of that PCID.</summary>
    public Op Invlpg(int page)
        => _timed is { } timed ? timed.Invalidate(this, page)
            : new(new FlushOperation(this, page));

    /// <summary>Drops everything of the current PCID (<c>native_flush_tlb_local</c>).</summary>
    public Op FlushTlbLocal()
        => _timed is { } timed ? timed.Invalidate(this, -1)
            : new(new FlushOperation(this, -1));

    /// <summary>Drops everything of all ASIDs of this CPU (arm64 <c>local_flush_tlb_all</c>).</summary>
    public Op FlushTlbLocalAll() => new(new FlushAllOperation(this, false, "[ TLBI all, this CPU ]"));

    /// <summary>arm64 TLBI VMALLE1IS, and the wait for it: everything in the TLBs of all CPUs.</summary>
    public Op TlbiAll(string text = "[ TLBI all ]") => new(new FlushAllOperation(this, true, text));

    /// <summary>
    /// arm64 TLBI VALE1IS (last level) or VAE1IS (with what walk caches hold on the way to the page), and the wait for it:
    /// in the TLBs of all CPUs.
    /// </summary>
    public Op TlbiPage(int asid, int page, bool lastLevel)
        => new(new BroadcastFlushOperation(this, asid, page, lastLevel ? WalkCacheScope.None : WalkCacheScope.Path));

    /// <summary>arm64 TLBI ASIDE1IS, and the wait for it: everything of an ASID in the TLBs of all CPUs.</summary>
    public Op TlbiAsid(int asid) => new(new BroadcastFlushOperation(this, asid, -1, WalkCacheScope.All));

    /// <summary>A user load.</summary>
    public Op<AccessResult> AccessLoad(int page)
        => _timed is { } timed ? Op<AccessResult>.DoneWith(timed.Access(this, page, false, 0))
            : new(new AccessOperation(this, page, false, 0));

    /// <summary>A user store.</summary>
    public Op<AccessResult> AccessStore(int page, int value)
        => _timed is { } timed ? Op<AccessResult>.DoneWith(timed.Access(this, page, true, value))
            : new(new AccessOperation(this, page, true, value));

    /// <summary>A user load whose value does not matter: it reaches whatever the TLB may hold, or faults.</summary>
    public Op<AccessResult> AccessTouch(int page)
        => _timed is { } timed ? Op<AccessResult>.DoneWith(timed.Access(this, page, false, 0))
            : new(new TouchOperation(this, page));

    /// <summary>The hardware walks the tables speculatively for every page, from its root and from every cached upper entry.</summary>
    public Op SpeculativeWalks() => new(new SpeculativeWalkOperation(this));
}
