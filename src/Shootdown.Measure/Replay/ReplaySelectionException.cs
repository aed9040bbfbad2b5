namespace Shootdown.Measure;

/// <summary>What was asked for selects nothing of a trace. The message names what could have been selected.</summary>
public sealed class ReplaySelectionException(string message) : Exception(message);
