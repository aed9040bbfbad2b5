namespace Shootdown.Machine;

/// <summary>
/// How reports name a method of kernel code whose C# name does not give the kernel's back. Overrides inherit it.
/// </summary>
/// <param name="name">The kernel function, or empty for a part of a function: its steps are then shown as its caller's.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelNameAttribute(string name = "") : Attribute
{
    /// <summary>The kernel function; empty if there is none of its own.</summary>
    public string Name { get; } = name;
}
