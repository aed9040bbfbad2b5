using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// Which kernel function calls which, read from the compiled code: the calls in the bodies of all methods that return a
/// <see cref="Proc"/>, in the kernel and in the operations. A call of a virtual method is one of all that override it in the core.
/// </summary>
public sealed class CallGraph
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> OpCodeOf = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    private readonly Dictionary<MethodInfo, HashSet<MethodInfo>> _callers = [];
    private readonly List<MethodInfo> _methods = [];

    private CallGraph()
    {
        Type[] types =
        [
            .. typeof(KernelModel).Assembly.GetTypes().Where(type => type.Namespace == typeof(KernelModel).Namespace && !IsGenerated(type)),
            .. typeof(MmOperation).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(MmOperation))),
        ];
        _methods.AddRange(types.SelectMany(type => type.GetMethods(Declared)).Where(IsProc));
        foreach (MethodInfo caller in _methods)
        {
            foreach (MethodInfo callee in CalleesOf(caller))
            {
                if (!_callers.TryGetValue(callee, out HashSet<MethodInfo>? callers))
                {
                    _callers.Add(callee, callers = []);
                }

                callers.Add(caller);
            }
        }
    }

    /// <summary>The graph of the library.</summary>
    public static CallGraph Library { get; } = new();

    /// <summary>All functions, as the kernel spells them.</summary>
    public IReadOnlyList<string> Functions =>
        [.. _methods.Where(method => !IsOperation(method)).Select(KernelNames.OfMethod).Where(name => name.Length > 0).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>
    /// The functions that may be meant by a kernel name, by the same as methods are spelled, or by the name of a method, which several functions
    /// can share.
    /// </summary>
    public IReadOnlyList<string> Resolve(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string asked = name.TrimEnd('(', ')');
        string[] functions = [.. Functions];
        if (Array.Find(functions, function => string.Equals(function, asked, StringComparison.OrdinalIgnoreCase)) is { } exact)
        {
            return [exact];
        }

        string[] methods =
        [
            .. _methods.Where(method => !IsOperation(method) && string.Equals(method.Name, asked, StringComparison.OrdinalIgnoreCase))
                .Select(KernelNames.OfMethod).Where(function => function.Length > 0).Distinct().Order(StringComparer.Ordinal),
        ];
        return methods.Length > 0 ? methods : [.. functions.Where(function => function == KernelNames.ToSnakeCase(asked))];
    }

    /// <summary>
    /// The functions that call a function directly, or through methods that are only parts of functions, and that some operation
    /// reaches; an operation that calls it itself counts as its id.
    /// </summary>
    public IReadOnlyList<string> CallersOf(string function)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        var seen = new HashSet<MethodInfo>();
        var work = new Stack<MethodInfo>(_methods.Where(method => !IsOperation(method) && KernelNames.OfMethod(method) == function));
        while (work.TryPop(out MethodInfo? method))
        {
            foreach (MethodInfo caller in _callers.GetValueOrDefault(Root(method), []))
            {
                string name = IsOperation(caller) ? string.Empty : KernelNames.OfMethod(caller);
                if (IsOperation(caller))
                {
                    names.Add(OperationOf(caller));
                }
                else if (name.Length == 0 || name == function)
                {
                    if (seen.Add(caller))
                    {
                        work.Push(caller);
                    }
                }
                else
                {
                    names.Add(name);
                }
            }
        }

        return [.. names];
    }

    /// <summary>The functions that reach a function and that nothing in the library calls, no operation either.</summary>
    public IReadOnlyList<string> RootsOf(string function)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        var seen = new HashSet<MethodInfo>();
        var work = new Stack<MethodInfo>(_methods.Where(method => !IsOperation(method) && KernelNames.OfMethod(method) == function));
        while (work.TryPop(out MethodInfo? method))
        {
            HashSet<MethodInfo> callers = _callers.GetValueOrDefault(Root(method), []);
            if (callers.Count == 0 && !IsOperation(method) && KernelNames.OfMethod(method) is { Length: > 0 } name && name != function && !IsCalled(name))
            {
                names.Add(name);
            }

            foreach (MethodInfo caller in callers.Where(seen.Add))
            {
                work.Push(caller);
            }
        }

        return [.. names];
    }

    /// <summary>True if something calls a method of that name: there may be another one for machines of real size.</summary>
    private bool IsCalled(string function)
        => _methods.Any(method => !IsOperation(method) && KernelNames.OfMethod(method) == function && _callers.ContainsKey(Root(method)));

    private static bool IsGenerated(Type type) => type.GetCustomAttribute<CompilerGeneratedAttribute>() is not null;

    private static bool IsOperation(MethodInfo method) => method.DeclaringType!.IsSubclassOf(typeof(MmOperation));

    private static string OperationOf(MethodInfo method) => ((MmOperation)Activator.CreateInstance(method.DeclaringType!)!).Id;

    private static bool IsProc(MethodInfo method)
        => method.ReturnType == typeof(Proc) || (method.ReturnType.IsGenericType && method.ReturnType.GetGenericTypeDefinition() == typeof(Proc<>));

    /// <summary>A virtual method and what overrides it are one node.</summary>
    private static MethodInfo Root(MethodInfo method) => method.GetBaseDefinition();

    private static IEnumerable<MethodInfo> CalleesOf(MethodInfo method)
    {
        MethodInfo body = method.GetCustomAttribute<AsyncStateMachineAttribute>() is { } machine
            ? machine.StateMachineType.GetMethod("MoveNext", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
            : method;
        foreach (MethodBase called in CallsOf(body))
        {
            if (called is MethodInfo callee && IsProc(callee) && callee.DeclaringType?.Namespace == typeof(KernelModel).Namespace)
            {
                yield return Root(callee);
            }
        }
    }

    /// <summary>The methods that are called, from the instructions.</summary>
    private static IEnumerable<MethodBase> CallsOf(MethodInfo method)
    {
        byte[] code = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        Type[] typeArguments = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : [];
        for (int at = 0; at < code.Length;)
        {
            short value = code[at] == 0xfe ? unchecked((short)(0xfe00 | code[at + 1])) : code[at];
            OpCode opCode = OpCodeOf[value];
            at += opCode.Size;
            if (opCode.OperandType == OperandType.InlineMethod
                && method.Module.ResolveMethod(BitConverter.ToInt32(code, at), typeArguments, null) is { } called)
            {
                yield return called;
            }

            at += SizeOf(opCode.OperandType, code, at);
        }
    }

    private static int SizeOf(OperandType type, byte[] code, int at) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
        _ => 4,
    };
}
