using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// Writes a frame as numbers: the state machine's type, its position and every hoisted variable. Two frames with the
/// same encoding behave the same from here on. The builder and the awaiters are skipped: an awaiter holds
/// nothing once its operation is known, and encoding it by reference would tell equal states apart.
/// </summary>
/// <remarks>Refuses anything mutable that is reachable by reference: it would be shared between snapshots.</remarks>
internal static class FrameCodec
{
    private const int NestingMax = 16;
    private const long NullReference = long.MinValue;

    private static readonly ConcurrentDictionary<Type, FieldInfo[]> FieldsOfType = new();
    private static readonly ConcurrentDictionary<Type, string?> ClassVerdicts = new();

    internal static long[] Encode(ProcFrame frame)
    {
        var words = new List<long>(8) { Hash128.OfText(frame.StateMachineType.FullName!).Low };
        Type type = frame.StateMachineType;
        object machine = frame.Boxed;
        foreach (FieldInfo field in FieldsOfType.GetOrAdd(type, FrameFields))
        {
            Append(words, field.GetValue(machine), new Place(type, field.Name), 0);
        }

        return [.. words];
    }

    /// <summary>
    /// Writes the operation that a stack waits for: its operands were computed from variables that need not be live, and
    /// so not part of any frame, after it.
    /// </summary>
    internal static long[] Encode(Operation operation)
    {
        Type type = operation.GetType();
        var words = new List<long>(8) { Hash128.OfText(type.FullName!).Low };
        foreach (FieldInfo field in FieldsOfType.GetOrAdd(type, static t => [.. AllFields(t)]))
        {
            Append(words, field.GetValue(operation), new Place(type, field.Name), 0);
        }

        return [.. words];
    }

    private static FieldInfo[] FrameFields(Type type) => [.. AllFields(type).Where(field =>
        field.Name != "<>t__builder" && !field.Name.StartsWith("<>u__", StringComparison.Ordinal))];

    private static IEnumerable<FieldInfo> AllFields(Type type)
    {
        for (Type? level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            foreach (FieldInfo field in level
                .GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .OrderBy(field => field.MetadataToken))
            {
                yield return field;
            }
        }
    }

    private static void Append(List<long> words, object? value, Place place, int nesting)
    {
        if (nesting > NestingMax)
        {
            throw Impure(place, "nests values more than 16 deep; keep locals of kernel code flat");
        }

        switch (value)
        {
            case null:
                words.Add(NullReference);
                return;
            case MachineHandle handle:
                words.Add(handle.HandleId);
                return;
            case string text:
                Hash128 hash = Hash128.OfText(text);
                words.Add(hash.Low);
                words.Add(hash.High);
                return;
            case CpuSet cpus:
                words.Add(unchecked((long)cpus.Mask));
                return;
            case Operation operation:
                words.AddRange(Encode(operation));
                return;
            case Delegate code:
                AppendDelegate(words, code, place);
                return;
        }

        Type type = value.GetType();
        if (type.IsPrimitive || type.IsEnum)
        {
            words.Add(Primitive(value, type, place));
            return;
        }

        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>))
        {
            AppendItems(words, (IEnumerable)value, place, nesting);
            return;
        }

        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>.Enumerator))
        {
            throw Impure(place, "goes through an ImmutableArray with foreach, which holds an array; loop over an index with for");
        }

        if (!type.IsValueType)
        {
            if (ClassVerdicts.GetOrAdd(type, WhyMutable) is { } why)
            {
                throw Impure(place, why);
            }

            words.Add(Hash128.OfText(type.FullName!).Low);
        }

        foreach (FieldInfo field in FieldsOfType.GetOrAdd(type, static t => [.. AllFields(t)]))
        {
            Append(words, field.GetValue(value), place, nesting + 1);
        }
    }

    private static void AppendItems(List<long> words, IEnumerable items, Place place, int nesting)
    {
        int header = words.Count;
        words.Add(0);
        foreach (object? item in items)
        {
            Append(words, item, place, nesting + 1);
            words[header]++;
        }
    }

    private static void AppendDelegate(List<long> words, Delegate code, Place place)
    {
        if (code.GetInvocationList().Length > 1)
        {
            throw Impure(place, "holds a multicast delegate");
        }

        words.Add(code.Method.MetadataToken);
        words.Add(Hash128.OfText(code.Method.DeclaringType?.FullName ?? string.Empty).Low);
        object? target = code.Target;
        bool isCompilerCache = target is not null && !AllFields(target.GetType()).Any()
            && target.GetType().IsDefined(typeof(CompilerGeneratedAttribute), false);
        if (target is not null && !isCompilerCache)
        {
            Append(words, target, place, 1);
        }
    }

    private static long Primitive(object value, Type type, Place place)
    {
        if (type.IsEnum)
        {
            type = Enum.GetUnderlyingType(type);
            value = Convert.ChangeType(value, type, System.Globalization.CultureInfo.InvariantCulture);
        }

        return value switch
        {
            bool flag => flag ? 1 : 0,
            char c => c,
            ulong wide => unchecked((long)wide),
            double real => BitConverter.DoubleToInt64Bits(real),
            float real => BitConverter.SingleToInt32Bits(real),
            IntPtr or UIntPtr => throw Impure(place, "holds a native pointer"),
            _ => Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture),
        };
    }

    /// <summary>Null if instances of the class can never change, else the reason.</summary>
    private static string? WhyMutable(Type type)
    {
        if (type.IsArray)
        {
            return $"holds an array ({type.Name}); use ImmutableArray<T>, a range struct or words of the machine";
        }

        foreach (FieldInfo field in AllFields(type))
        {
            if (!field.IsInitOnly)
            {
                return $"holds a {type.Name}, whose field {Readable(field.Name)} can change; "
                    + "keep what changes in words of the machine (MachineModel.NewWord), or make the type immutable";
            }
        }

        return null;
    }

    private static ProcRuleException Impure(Place place, string why) => new(
        $"kernel code keeps state outside the machine: {Readable(place.Field)} in {KernelNames.MethodOfFrame(place.Frame)} "
        + $"({place.Frame.DeclaringType?.Name}) {why}");

    /// <summary>The name in the source behind a compiler-generated field name such as <c>&lt;list&gt;5__2</c>.</summary>
    private static string Readable(string field)
    {
        int end = field.IndexOf('>', StringComparison.Ordinal);
        if (!field.StartsWith('<') || end < 0)
        {
            return $"'{field}'";
        }

        return end > 1 ? $"'{field[1..end]}'" : "a temporary value (a loop's enumerator or part of an expression)";
    }

    private readonly record struct Place(Type Frame, string Field);
}
