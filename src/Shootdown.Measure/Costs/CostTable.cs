using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;

namespace Shootdown.Measure;

/// <summary>
/// What things cost on the machine that is simulated, in nanoseconds, and the sizes of its TLBs. Read from a JSON file; the default
/// is what was measured on one machine (<c>costs/default.json</c>).
/// </summary>
public sealed class CostTable
{
    private const long LargestNs = 1_000_000_000;
    private static readonly Lazy<CostTable> DefaultTable = new(ReadDefault);
    private readonly Dictionary<string, int> _values = [];

    private CostTable(string name) => Name = name;

    /// <summary>The measured defaults.</summary>
    public static CostTable Default => DefaultTable.Value;

    /// <summary>The file.</summary>
    public string Name { get; }

    /// <summary>On which machine it was measured.</summary>
    public string Description { get; private set; } = string.Empty;

    /// <summary>All fields with their values, in the order of the file.</summary>
    public IReadOnlyDictionary<string, int> Values => _values;

    /// <summary>The sizes of the TLBs.</summary>
    public TlbSizes Tlb => new()
    {
        L1Entries = this["tlb.l1_entries"],
        L1Ways = this["tlb.l1_ways"],
        L1HugeEntries = this["tlb.l1_huge_entries"],
        L1HugeWays = this["tlb.l1_huge_ways"],
        L2Entries = this["tlb.l2_entries"],
        L2Ways = this["tlb.l2_ways"],
        WalkEntries = this["tlb.walk_entries"],
    };

    /// <summary>A field, as <c>group.name</c>.</summary>
    public int this[string field] => _values[field];

    /// <summary>Reads a file.</summary>
    /// <exception cref="CostFileException">It cannot be read, or a field is missing, unknown or out of bounds.</exception>
    public static CostTable Read(string path)
    {
        try
        {
            return Parse(path, File.ReadAllBytes(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CostFileException($"{path}: the cost file cannot be read: {error.Message}");
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="CostFileException">It is not JSON, or a field is missing, unknown or out of bounds.</exception>
    public static CostTable Parse(string name, string json) => Parse(name, Encoding.UTF8.GetBytes(json));

    private static CostTable Parse(string name, byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(
                json, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            CostTable table = Collect(name, document.RootElement);
            if (name != DefaultName)
            {
                table.CompareWith(Default);
            }

            table.CheckSizes();
            return table;
        }
        catch (JsonException error)
        {
            throw new CostFileException(
                $"{name}:{(error.LineNumber ?? 0) + 1}: not JSON: {error.Message.Split(" LineNumber")[0]}; "
                + "start from a copy of costs/default.json");
        }
    }

    private const string DefaultName = "costs/default.json";

    private static CostTable ReadDefault()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("costs.default.json")
            ?? throw new InvalidOperationException("costs/default.json is not part of this assembly");
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return Parse(DefaultName, copy.ToArray());
    }

    private static CostTable Collect(string name, JsonElement root)
    {
        var table = new CostTable(name);
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new CostFileException($"{name}: a cost file is a JSON object, not {Kind(root)}; start from a copy of costs/default.json");
        }

        foreach (JsonProperty group in root.EnumerateObject())
        {
            if (group.Name == "description")
            {
                table.Description = group.Value.ValueKind == JsonValueKind.String ? group.Value.GetString()!
                    : throw new CostFileException($"{name}: description is {Kind(group.Value)}; expected a text");
                continue;
            }

            if (group.Value.ValueKind != JsonValueKind.Object)
            {
                throw new CostFileException($"{name}: {group.Name} is {Kind(group.Value)}; expected an object of costs, as in costs/default.json");
            }

            foreach (JsonProperty field in group.Value.EnumerateObject())
            {
                table.Add($"{group.Name}.{field.Name}", field.Value);
            }
        }

        return table;
    }

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => $"the text \"{element.GetString()}\"",
        JsonValueKind.Number => $"the number {element.GetRawText()}",
        _ => element.GetRawText(),
    };

    private void Add(string field, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long number) || number < 0 || number > LargestNs)
        {
            throw new CostFileException(
                $"{Name}: {field} is {Kind(value)}; expected a whole number from 0 to {LargestNs.ToString(CultureInfo.InvariantCulture)}");
        }

        if (!_values.TryAdd(field, (int)number))
        {
            throw new CostFileException($"{Name}: {field} stands there twice; remove one of them");
        }
    }

    private void CompareWith(CostTable known)
    {
        foreach (string field in known._values.Keys)
        {
            if (!_values.ContainsKey(field))
            {
                throw new CostFileException($"{Name}: {field} is missing; add it (costs/default.json has {known[field]})");
            }
        }

        foreach (string field in _values.Keys)
        {
            if (!known._values.ContainsKey(field))
            {
                throw new CostFileException($"{Name}: there is no cost {field}; known are {string.Join(", ", known._values.Keys)}");
            }
        }
    }

    private void CheckSizes()
    {
        foreach ((string entries, string ways) in new[]
            { ("tlb.l1_entries", "tlb.l1_ways"), ("tlb.l1_huge_entries", "tlb.l1_huge_ways"), ("tlb.l2_entries", "tlb.l2_ways") })
        {
            int sets = this[ways] == 0 ? 0 : this[entries] / this[ways];
            if (sets == 0 || sets * this[ways] != this[entries] || (sets & (sets - 1)) != 0 || this[entries] > 1 << 20)
            {
                throw new CostFileException(
                    $"{Name}: {entries} is {this[entries]} with {ways} {this[ways]}; expected {ways} times a power of two, at most 1048576");
            }
        }

        if (this["tlb.walk_entries"] is < 1 or > 4096)
        {
            throw new CostFileException($"{Name}: tlb.walk_entries is {this["tlb.walk_entries"]}; expected 1 to 4096");
        }

        if (this["ipi.deliver_min_ns"] > this["ipi.deliver_median_ns"] || this["ipi.deliver_median_ns"] > this["ipi.deliver_p90_ns"])
        {
            throw new CostFileException(
                $"{Name}: ipi.deliver_min_ns, deliver_median_ns and deliver_p90_ns must not decrease; they are "
                + $"{this["ipi.deliver_min_ns"]}, {this["ipi.deliver_median_ns"]} and {this["ipi.deliver_p90_ns"]}");
        }
    }
}

/// <summary>A cost file cannot be used; the message names the file and the field, and says what was expected.</summary>
public sealed class CostFileException(string message) : Exception(message);
