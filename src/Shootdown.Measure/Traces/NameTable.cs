using System.Text;

namespace Shootdown.Measure;

/// <summary>
/// Names of threads, symbols and events as numbers, so that an event is a plain value. A trace with more different
/// names than <see cref="CountMax"/> gets the name "..." for further ones: memory must not grow with its length.
/// </summary>
public sealed class NameTable
{
    /// <summary>Names that are told apart.</summary>
    public const int CountMax = 1 << 16;

    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly List<string> _names = [];

    /// <summary>A table that knows the empty name as 0.</summary>
    public NameTable()
    {
        _lookup = _numbers.GetAlternateLookup<ReadOnlySpan<char>>();
        Add("");
        Overflow = Add("...");
    }

    /// <summary>The name that stands for all names beyond the bound.</summary>
    public int Overflow { get; }

    /// <summary>The name with a number.</summary>
    public string this[int number] => _names[number];

    /// <summary>The number of a name in UTF-8; bytes that are none become the replacement character.</summary>
    public int Number(ReadOnlySpan<byte> utf8)
    {
        Span<char> buffer = stackalloc char[256];
        utf8 = utf8[..Math.Min(utf8.Length, buffer.Length)];
        return Number(buffer[..Encoding.UTF8.GetChars(utf8, buffer)]);
    }

    /// <summary>The number of a name.</summary>
    public int Number(ReadOnlySpan<char> name)
        => _lookup.TryGetValue(name, out int number) ? number
            : _names.Count >= CountMax ? Overflow
            : Add(name.ToString());

    private int Add(string name)
    {
        _numbers.Add(name, _names.Count);
        _names.Add(name);
        return _names.Count - 1;
    }
}
