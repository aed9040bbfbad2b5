using System.Globalization;
using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// What a report shows instead of a word's name. Written as an interpolated string in kernel code; on a timed machine, where nobody
/// reads it, it is not even put together.
/// </summary>
[InterpolatedStringHandler]
public struct OperationText
{
    /// <summary>Called by compiled code.</summary>
    public OperationText(int literalLength, int formattedCount, Cpu cpu, out bool isEnabled)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        _ = literalLength;
        _ = formattedCount;
        isEnabled = cpu.Machine.Timed is null;
        Text = null;
    }

    /// <summary>The text; null for none.</summary>
    public string? Text { get; private set; }

    /// <summary>A text that is there already.</summary>
    public static implicit operator OperationText(string? text) => new() { Text = text };

    /// <summary>A text that is there already.</summary>
    public static OperationText FromString(string? text) => text;

    /// <summary>Called by compiled code.</summary>
    public void AppendLiteral(string literal) => Text += literal;

    /// <summary>Called by compiled code.</summary>
    public void AppendFormatted<T>(T value) => Text += Convert.ToString(value, CultureInfo.InvariantCulture);
}
