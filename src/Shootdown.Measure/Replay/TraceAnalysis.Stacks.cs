namespace Shootdown.Measure;

/// <content>Call sites: the first frame of user code behind a shootdown, else the first of the kernel above the flush.</content>
internal sealed partial class TraceAnalysis
{
    private StackState _stack;
    private string _kernelFrame = "";

    private enum StackState
    {
        None, Wanted, KernelOnly,
    }

    private void AddFrame(in TraceEvent frame)
    {
        HasStacks = true;
        if (_stack == StackState.None)
        {
            return;
        }

        string symbol = names[(int)frame.A0];
        if (frame.A1 == 0)
        {
            CountSite(symbol);
        }
        else if (_stack == StackState.Wanted
            && !symbol.Contains("flush", StringComparison.Ordinal) && !symbol.Contains("trace", StringComparison.Ordinal))
        {
            _stack = StackState.KernelOnly;
            _kernelFrame = symbol;
        }
    }

    private void EndStack()
    {
        if (_stack == StackState.KernelOnly)
        {
            CountSite(_kernelFrame);
        }

        _stack = StackState.None;
    }

    private void CountSite(string symbol)
    {
        const int sitesMax = 10_000;
        _stack = StackState.None;
        if (_sites.Count < sitesMax || _sites.ContainsKey(symbol))
        {
            _sites[symbol] = _sites.GetValueOrDefault(symbol) + 1;
        }
    }
}
