using Shootdown.Machine;

namespace Shootdown.Measure;

/// <content>Cross-calls and what they take from whom they interrupt.</content>
public sealed partial class TimedMachine
{
    private int _sendNs;
    private int _sendEachNs;
    private int _handlerNs;
    private int _acknowledgeNs;
    private int _wakeIdleNs;

    /// <inheritdoc/>
    public override Op SetInterrupts(Cpu cpu, bool off)
    {
        StateOf(cpu).InterruptsOff = off;
        return Performed;
    }

    /// <inheritdoc/>
    public override Op SendIpi(Cpu cpu, in CpuSet mask, int function, ulong argument, ulong wide)
    {
        TimedCpu sender = StateOf(cpu);
        sender.IpiArgument = argument;
        sender.IpiWide = wide;
        sender.AcknowledgedAt = 0;
        Spend(cpu, _sendNs);
        Trace?.IpiSent(cpu, Clock[cpu.Index], mask);
        Func<Cpu, Cpu, Proc> code = Model.Interrupts.CodeOf(function);
        for (int target = mask.First; target >= 0; target = mask.After(target))
        {
            Spend(cpu, _sendEachNs);
            long end = Interrupt(_cpus[target], cpu, code, Clock[cpu.Index] + _latency.Next());
            sender.AcknowledgedAt = Math.Max(sender.AcknowledgedAt, end + _acknowledgeNs);
        }

        return Performed;
    }

    /// <inheritdoc/>
    public override Op AwaitAcknowledgements(Cpu cpu)
    {
        TimedCpu sender = StateOf(cpu);
        sender.IpiWaitNs += Math.Max(0, sender.AcknowledgedAt - Clock[cpu.Index]);
        return Until(cpu, sender.AcknowledgedAt, true, AcknowledgementsWait);
    }

    /// <inheritdoc/>
    public override (ulong Argument, ulong Wide) ArgumentOf(Cpu sender)
    {
        TimedCpu state = StateOf(sender);
        return (state.IpiArgument, state.IpiWide);
    }

    /// <inheritdoc/>
    public override void CountTlbInterrupt(Cpu cpu) => StateOf(cpu).TlbInterrupts++;

    /// <inheritdoc/>
    public override void TraceTlbFlush(Cpu cpu, TlbFlushReason reason, long pages) => Trace?.TlbFlush(cpu, NowOf(cpu), reason, pages);

    /// <inheritdoc/>
    public override Op CallRcu(Cpu cpu, Func<Cpu, ulong, Proc> callback, ulong argument)
    {
        ArgumentNullException.ThrowIfNull(callback);
        TimedTask.RunToEnd(callback(cpu, argument), "an RCU callback");
        return Performed;
    }

    /// <summary>Runs a handler on another CPU, on top of whatever that does; returns when it ended.</summary>
    private long Interrupt(TimedCpu target, Cpu sender, Func<Cpu, Cpu, Proc> code, long arrival)
    {
        if (target.InterruptsOff)
        {
            throw new ProcRuleException($"{target.Cpu} waits with interrupts off while {sender} interrupts it: it would never answer");
        }

        bool isIdle = target is { Program: null, RunsUserCode: false };
        long start = Math.Max(arrival + (isIdle ? _wakeIdleNs : 0), target.HandlerEnd);
        long before = BeginHandler(target, start + _handlerNs);
        TimedTask.RunToEnd(code(target.Cpu, sender), "the handler of a cross-call");
        long end = EndHandler(target, start, before);
        target.Interrupts++;
        Trace?.Handler(target.Cpu, start, end, sender);
        return end;
    }

    /// <summary>Code that comes runs on a CPU at a time, on top of what it does; returns the time that it has reached with that.</summary>
    private long BeginHandler(TimedCpu target, long time)
    {
        long before = Clock[target.Cpu.Index];
        Clock[target.Cpu.Index] = time;
        target.InterruptsOff = true;
        return before;
    }

    /// <summary>The code has run: what the CPU does takes longer by that. Returns when it ended.</summary>
    private long EndHandler(TimedCpu target, long start, long before)
    {
        int index = target.Cpu.Index;
        target.InterruptsOff = false;
        long end = Clock[index];
        target.StolenNs += end - start;
        target.HandlerEnd = end;
        target.Delay += target.Waits ? 0 : end - start;
        Clock[index] = target.Program is null ? end : before;
        return end;
    }

    private void InitialiseCosts()
    {
        _sendNs = _costs["ipi.send_ns"];
        _sendEachNs = _costs["ipi.send_each_ns"];
        _handlerNs = _costs["ipi.handler_ns"];
        _acknowledgeNs = _costs["ipi.acknowledge_ns"];
        _wakeIdleNs = _costs["ipi.wake_idle_ns"];
        _invlpgNs = _costs["tlb.invlpg_ns"];
        _broadcastNs = _costs["estimates.invlpgb_ns"];
        _broadcastSyncNs = _costs["estimates.tlbsync_ns"];
        _fullFlushNs = _costs["tlb.full_flush_ns"];
        _loadRootNs = _costs["tlb.load_root_ns"];
        _secondLevelNs = _costs["tlb.l2_hit_ns"];
        _walkReadNs = _costs["tlb.walk_read_ns"];
        _faultNs = _costs["kernel.fault_ns"];
        _readNs = _costs["estimates.read_page_ns"];
        _writeNs = _costs["memory.write_page_ns"];
    }
}
