namespace Shootdown.Machine;

/// <summary>
/// The parts of a machine that a scenario declares to be interchangeable: renaming them changes nothing but names.
/// The declaration is checked while it is used (see <see cref="MachineSymmetry"/>).
/// </summary>
/// <param name="Cpus">CPUs that run the same programs.</param>
/// <param name="Pages">True if all pages are alike; each must have its own frame colour.</param>
public sealed record SymmetricParts(IReadOnlyList<Cpu> Cpus, bool Pages);
