using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Shootdown.Machine;

/// <summary>Gives C# names back as the kernel spells them.</summary>
public static class KernelNames
{
    private const BindingFlags AnyMethod = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly ConcurrentDictionary<Type, string> Names = new();

    /// <summary>PascalCase to snake_case: <c>TryToUnmapOne</c> becomes <c>try_to_unmap_one</c>.</summary>
    public static string ToSnakeCase(string pascal)
    {
        ArgumentNullException.ThrowIfNull(pascal);
        var text = new StringBuilder(pascal.Length + 8);
        for (int i = 0; i < pascal.Length; i++)
        {
            char c = pascal[i];
            if (char.IsUpper(c) && i > 0 && pascal[i - 1] != '_'
                && (!char.IsUpper(pascal[i - 1]) || (i + 1 < pascal.Length && char.IsLower(pascal[i + 1]))))
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }

    /// <summary>
    /// The kernel name of the method behind a state machine type such as <c>&lt;ZapPteRange&gt;d__4</c>; empty if
    /// <see cref="KernelNameAttribute"/> says that it is only a part of a function.
    /// </summary>
    /// <summary>
    /// The kernel name of a method that returns a <see cref="Proc"/>; empty if <see cref="KernelNameAttribute"/> says that it is only a part
    /// of a function.
    /// </summary>
    public static string OfMethod(MethodInfo method)
    {
        ArgumentNullException.ThrowIfNull(method);
        return method.GetCustomAttribute<KernelNameAttribute>(inherit: true)?.Name ?? ToSnakeCase(method.Name);
    }

    internal static string OfFrame(Type stateMachine) => Names.GetOrAdd(stateMachine, static type
        => Method(type)?.GetCustomAttribute<KernelNameAttribute>(inherit: true)?.Name ?? ToSnakeCase(MethodOfFrame(type)));

    private static MethodInfo? Method(Type stateMachine)
    {
        Type definition = stateMachine.IsGenericType ? stateMachine.GetGenericTypeDefinition() : stateMachine;
        return definition.DeclaringType?.GetMethods(AnyMethod).FirstOrDefault(method =>
            method.GetCustomAttribute<AsyncStateMachineAttribute>(inherit: false)?.StateMachineType == definition);
    }

    internal static string MethodOfFrame(Type stateMachine)
    {
        string name = stateMachine.Name;
        int end = name.IndexOf('>', StringComparison.Ordinal);
        return name.StartsWith('<') && end > 1 ? name[1..end].Replace("<", string.Empty, StringComparison.Ordinal) : name;
    }
}
