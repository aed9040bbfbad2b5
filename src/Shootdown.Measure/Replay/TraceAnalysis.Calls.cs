namespace Shootdown.Measure;

/// <content>System calls, for traces that have nothing else.</content>
internal sealed partial class TraceAnalysis
{
    private void CountCall(ThreadState thread, in TraceEvent call)
    {
        if (!thread.IsSelected)
        {
            return;
        }

        string name = OperationNames.Of(call, names);
        bool hasRange = call.Call is MemoryCall.Mmap or MemoryCall.Munmap or MemoryCall.Madvise or MemoryCall.Mprotect or MemoryCall.Mremap;
        CallRow row = _calls.GetValueOrDefault(name) ?? new CallRow(name, 0, 0, 0);
        _calls[name] = row with { Count = row.Count + 1, Pages = row.Pages + (hasRange ? (call.A1 + 4095) >>> 12 : 0) };
    }

    private void EndCall(ThreadState thread, in TraceEvent exit)
    {
        if (thread.InCall && thread.IsSelected)
        {
            string name = OperationNames.Of(thread.Call, names);

            // A thread may be selected only since this call: execve and prctl change its name.
            CallRow row = _calls.GetValueOrDefault(name) ?? new CallRow(name, 1, 0, 0);
            _calls[name] = row with { TimeNs = row.TimeNs + Math.Max(0, exit.TimeNs - thread.Call.TimeNs) };
        }

        thread.InCall = false;
        thread.Operation = null;
    }
}
