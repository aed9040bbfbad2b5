namespace Shootdown.Check;

/// <summary>
/// P-progress: no livelock. Every program that must end does so on every run that is fair: an agent that can move from some state on
/// moves at last, one that wants an exclusive lock or a mutex which is free again and again gets it; and a pending interrupt is taken if interrupts
/// are on again and again. Judged by
/// <see cref="ProgressSearch"/> once all states are known; it watches no step.
/// </summary>
public sealed class PProgress : Property
{
    /// <summary>How it is named among properties.</summary>
    public const string Name = "P-progress";

    /// <inheritdoc/>
    public override string Id => Name;

    /// <inheritdoc/>
    public override string JudgementText => "states with a program that must still end";
}
