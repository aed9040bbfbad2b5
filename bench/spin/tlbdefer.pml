/*
 * Deferred TLB flush race (reclaim batching against MADV_DONTNEED).
 *
 *   spin -a -DN=3 -DK=2 -DFIX=1 tlbdefer.pml      N CPUs, K pages, FIX=0 for the bug
 *
 * Every atomic/d_step block below is ONE action.
 *
 * Page state st[k]: 0 MAPPED (PTE present), 1 RECLAIM (PTE cleared by reclaim, frame not
 * yet freed), 2 FREE (PTE clear, frame freed; a fault may map a new frame).
 * TLB entry tlb[c*K+k]: 0 none, 1 current, 2 stale (its PTE was cleared since),
 * 3 stale after the page was given up ("freed"): access through it is the bug.
 */
#ifndef N
#define N 2
#endif
#ifndef K
#define K 1
#endif
#ifndef FIX
#define FIX 1
#endif

bit  ptl = 0;          /* page-table lock */
bit  pending = 0;      /* mm->tlb_flush_batched */
byte st[K] = 2;
byte tlb[N*K] = 0;

inline pick(v) {       /* used only inside atomic: a nondeterministic page */
  if
  :: v = 0
#if K > 1
  :: v = 1
#endif
#if K > 2
  :: v = 2
#endif
  fi
}
#define ALLC(body) _i = 0; do :: _i < N -> body; _i++ :: else -> break od; _i = 0
#define ALLK(body) _i = 0; do :: _i < K -> body; _i++ :: else -> break od; _i = 0
#if K == 1
#define ANY(m) (m[0])
#elif K == 2
#define ANY(m) (m[0] || m[1])
#else
#define ANY(m) (m[0] || m[1] || m[2])
#endif
#define RELABEL(k,from,to) ALLC(if :: tlb[_i*K+k] == from -> tlb[_i*K+k] = to :: else fi)
#define FLUSHALL(c)        ALLK(tlb[c*K+_i] = 0)

/* the hardware of CPU c: fill a TLB entry, take a page fault, make an access.
   The guard comes first, so that a disabled action leaves no half-done atomic block. */
#define HW(k) \
  :: d_step { st[k] == 0 && tlb[c*K+k] == 0 -> tlb[c*K+k] = 1 }       /* fill */ \
  :: d_step { st[k] == 2 && ptl == 0        -> st[k] = 0 }            /* page fault */ \
  :: d_step { tlb[c*K+k] != 0               -> assert(tlb[c*K+k] != 3) } /* access */
proctype hw(byte c) {
end:
  do
  HW(0)
#if K > 1
  HW(1)
#endif
#if K > 2
  HW(2)
#endif
  od
}

proctype reclaim() {
  byte k = 0, c = 0, _i = 0;
  bit mine[K] = 0;
end:
  do
  :: atomic { ptl == 0 -> ptl = 1; pick(k) }                       /* lock */
     d_step { if
       :: st[k] == 0 -> st[k] = 1; mine[k] = 1; pending = 1; RELABEL(k,1,2)
       :: else fi }                                                /* clear PTE, defer */
     d_step { ptl = 0; k = 0 }                                     /* unlock */
  :: d_step { ANY(mine) -> FLUSHALL(0); c = 1 }                    /* flush the batch: IPI to CPU 0 */
     do
     :: d_step { c < N -> FLUSHALL(c); c++ }                       /* IPI to CPU c */
     :: atomic { c == N -> c = 0; k = 0;
          do
          :: k < K -> if :: mine[k] -> st[k] = 2; mine[k] = 0; RELABEL(k,2,3) :: else fi; k++
          :: else -> break
          od; k = 0; break }                                       /* free the batch */
     od
  od
}

proctype zap() {
  byte k = 0, c = 0, _i = 0;
end:
  do
  :: atomic { ptl == 0 -> ptl = 1; pick(k) }                       /* lock */
     if
     :: d_step { st[k] == 0 -> st[k] = 1; RELABEL(k,1,2) }         /* clear PTE */
        do
        :: d_step { c < N -> tlb[c*K+k] = 0; c++ }                 /* flush page k on CPU c */
        :: atomic { c == N -> c = 0; st[k] = 2; RELABEL(k,2,3); ptl = 0; k = 0; break }
        od                                                         /* free, unlock, return */
#if FIX
     :: d_step { st[k] != 0 && pending -> FLUSHALL(0); c = 1 }     /* flush_tlb_batched_pending */
        do
        :: d_step { c < N -> FLUSHALL(c); c++ }
        :: atomic { c == N -> c = 0; pending = 0; break }
        od;
        atomic { RELABEL(k,2,3); ptl = 0; k = 0 }                  /* unlock, return: k given up */
     :: d_step { st[k] != 0 && !pending -> RELABEL(k,2,3); ptl = 0; k = 0 }
#else
     :: d_step { st[k] != 0 -> RELABEL(k,2,3); ptl = 0; k = 0 }    /* BUG: skips the flush */
#endif
     fi
  od
}

init {
  atomic {
    run reclaim();
    byte i = 0;
    do :: i < N -> run hw(i); i++ :: else -> break od;
    i = 1;
    do :: i < N -> run zap(); i++ :: else -> break od;
    i = 0
  }
}
