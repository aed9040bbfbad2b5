using Shootdown.Machine;

namespace Shootdown.Measure;

/// <content>The kernel's tracepoints: which flushes it makes.</content>
internal sealed partial class ReplayedKernel
{
    private PredictedFlush _flush;
    private bool _hasFlush;
    private long _interruptsBefore;

    /// <inheritdoc/>
    public void TlbFlush(Cpu cpu, long time, TlbFlushReason reason, long pages)
    {
        switch (reason)
        {
            case TlbFlushReason.RemoteSendIpi:
                BeginFlush(cpu, pages);
                _flush = _flush with { HasSendIpi = true, LazySpared = LazyCpus(cpu) };
                break;
            case TlbFlushReason.RemoteShootdown:
                _flush = _flush with { Remote = _flush.Remote + 1 };
                break;
            case TlbFlushReason.LocalMmShootdown or TlbFlushReason.LocalShootdown:
                if (!_hasFlush || _flush.HasLocal)
                {
                    BeginFlush(cpu, pages);
                }

                _flush = _flush with { HasLocal = true, Pages = pages };
                break;
            default:
                break;
        }
    }

    /// <inheritdoc/>
    public void IpiSent(Cpu cpu, long time, CpuSet mask)
    {
    }

    /// <inheritdoc/>
    public void Handler(Cpu cpu, long start, long end, Cpu sender)
    {
    }

    /// <inheritdoc/>
    public void Span(Cpu cpu, long start, long end, string name)
    {
    }

    private void BeginFlush(Cpu cpu, long pages)
    {
        EndFlush();
        _hasFlush = true;
        _interruptsBefore = Interrupts();
        _flush = new PredictedFlush(_at.TimeNs, cpu.Index, _at.Tid, pages, false, false, 0, 0, 0);
    }

    private void EndFlush()
    {
        if (!_hasFlush)
        {
            return;
        }

        _hasFlush = false;
        int interrupts = (int)(Interrupts() - _interruptsBefore);
        int spared = Math.Max(0, _flush.LazySpared - (interrupts - _flush.Remote));
        if (!_at.IsSelected)
        {
            return;
        }

        Counts.LocalMm += _flush.HasLocal ? 1 : 0;
        Counts.SendIpi += _flush.HasSendIpi ? 1 : 0;
        Counts.Remote += _flush.Remote;
        Counts.Interrupts += interrupts;
        LazySpared += spared;
        _listener?.Invoke(_flush with { Interrupts = interrupts, LazySpared = spared });
    }

    private long Interrupts()
    {
        long sum = 0;
        for (int i = 0; i < _cpusUsed; i++)
        {
            sum += Machine.Cpus[i].TlbInterrupts;
        }

        return sum;
    }

    /// <summary>Other CPUs that have the initiator's address space loaded and are lazy.</summary>
    private int LazyCpus(Cpu initiator)
    {
        int lazy = 0;
        for (int i = 0; i < _cpusUsed; i++)
        {
            lazy += i != initiator.Index && IsLazy(i) && LoadedOn(i) == _mmOfRun?.LoadedValue ? 1 : 0;
        }

        return lazy;
    }
}
