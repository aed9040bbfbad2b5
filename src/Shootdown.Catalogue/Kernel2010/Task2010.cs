using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A process of the 2010 kernel: a task that may move, its address space, and the gather on its stack.</summary>
/// <param name="Task">The task.</param>
/// <param name="Mm">Its address space.</param>
/// <param name="Stack">The gather on its stack; unused where gathers are per CPU.</param>
public readonly record struct Task2010(MovableTask Task, Mm Mm, GatherWords Stack);
