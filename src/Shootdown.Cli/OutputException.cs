namespace Shootdown.Cli;

/// <summary>Results could not be written: the disk is full, or the place is gone.</summary>
/// <param name="place">What was written to, as the user knows it.</param>
/// <param name="reason">What the system said.</param>
internal sealed class OutputException(string place, string reason) : Exception($"{place} cannot be written: {reason}");
