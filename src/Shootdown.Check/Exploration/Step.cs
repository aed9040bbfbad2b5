namespace Shootdown.Check;

/// <summary>Which agent moves and in which way.</summary>
/// <param name="Agent">Index of the agent.</param>
/// <param name="Alternative">Way in which its operation happens.</param>
public readonly record struct Step(byte Agent, ushort Alternative);
