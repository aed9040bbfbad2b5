namespace Shootdown.Machine;

/// <summary>
/// Marks a class whose instances are immutable names of machine state (<see cref="Cpu"/>, <see cref="Word"/>, a lock,
/// an mm): kernel code may keep them in locals and fields, because all that changes lives in the machine.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = true)]
public sealed class MachineHandleAttribute : Attribute;
