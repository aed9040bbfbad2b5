namespace Shootdown.Analyzers.Tests;

/// <summary>
/// The shapes of the machine that the rules look at, as source: tests of the analyzer do not wait for the machine
/// to compile and cannot be changed by it.
/// </summary>
internal static class MachineStubs
{
    public const string GlobalUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.Collections.Immutable;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Shootdown.Machine;
        """;

    public const string Source = """
        using System;
        using System.Runtime.CompilerServices;

        namespace Shootdown.Machine;

        [AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = true)]
        public sealed class MachineHandleAttribute : Attribute;

        [MachineHandle]
        public abstract class MachineHandle
        {
            public object Machine { get; set; }
        }

        public sealed class Operation
        {
            public int State;
        }

        public sealed class Word : MachineHandle;

        public readonly record struct Op(Operation Operation)
        {
            public Waiter GetAwaiter() => default;
        }

        public readonly record struct Op<T>(Operation Operation)
        {
            public Waiter<T> GetAwaiter() => default;
        }

        [AsyncMethodBuilder(typeof(ProcBuilder))]
        public readonly struct Proc
        {
            public Waiter GetAwaiter() => default;
        }

        [AsyncMethodBuilder(typeof(ProcBuilder<>))]
        public readonly struct Proc<T>
        {
            public Waiter<T> GetAwaiter() => default;
        }

        public sealed class Cpu : MachineHandle
        {
            public int Index => 0;
            public Op<ulong> Load(Word word) => default;
            public Op Store(Word word, ulong value) => default;
            public Op Pause => default;
        }

        public readonly struct Waiter : INotifyCompletion
        {
            public bool IsCompleted => true;
            public void GetResult() { }
            public void OnCompleted(Action continuation) { }
        }

        public readonly struct Waiter<T> : INotifyCompletion
        {
            public bool IsCompleted => true;
            public T GetResult() => default;
            public void OnCompleted(Action continuation) { }
        }

        public struct ProcBuilder
        {
            public static ProcBuilder Create() => default;
            public Proc Task => default;
            public void SetResult() { }
            public void SetException(Exception exception) { }
            public void SetStateMachine(IAsyncStateMachine machine) { }
            public void Start<TMachine>(ref TMachine machine) where TMachine : IAsyncStateMachine { }
            public void AwaitOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
                where TAwaiter : INotifyCompletion where TMachine : IAsyncStateMachine { }
            public void AwaitUnsafeOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
                where TAwaiter : ICriticalNotifyCompletion where TMachine : IAsyncStateMachine { }
        }

        public struct ProcBuilder<T>
        {
            public static ProcBuilder<T> Create() => default;
            public Proc<T> Task => default;
            public void SetResult(T result) { }
            public void SetException(Exception exception) { }
            public void SetStateMachine(IAsyncStateMachine machine) { }
            public void Start<TMachine>(ref TMachine machine) where TMachine : IAsyncStateMachine { }
            public void AwaitOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
                where TAwaiter : INotifyCompletion where TMachine : IAsyncStateMachine { }
            public void AwaitUnsafeOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
                where TAwaiter : ICriticalNotifyCompletion where TMachine : IAsyncStateMachine { }
        }
        """;
}
