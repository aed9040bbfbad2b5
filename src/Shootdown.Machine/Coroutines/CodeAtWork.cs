namespace Shootdown.Machine;

/// <summary>A piece of kernel code between two operations, as another thread sees it.</summary>
public sealed class CodeAtWork
{
    private readonly Type _stateMachine;

    internal CodeAtWork(object thread, long run, Type stateMachine)
    {
        Thread = thread;
        Run = run;
        _stateMachine = stateMachine;
    }

    /// <summary>Which thread runs it: the same object for the same thread.</summary>
    public object Thread { get; }

    /// <summary>Which run of the thread it is: another number once the code has asked the machine for something.</summary>
    public long Run { get; }

    /// <summary>The C# method, with its class.</summary>
    public string Method => $"{_stateMachine.DeclaringType?.Name}.{KernelNames.MethodOfFrame(_stateMachine)}";

    /// <summary>What every thread of the process runs at this moment.</summary>
    public static IReadOnlyList<CodeAtWork> Now() => [.. Trampoline.AtWork()];
}
