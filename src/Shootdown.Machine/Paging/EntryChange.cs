namespace Shootdown.Machine;

/// <summary>An entry that is about to change or has changed.</summary>
/// <param name="Space">The address space that the table maps for.</param>
/// <param name="Table">The table.</param>
/// <param name="Level">Its level.</param>
/// <param name="Page">First page that the entry maps.</param>
/// <param name="Old">The value before.</param>
/// <param name="New">The value after.</param>
internal readonly record struct EntryChange(AddressSpace Space, int Table, int Level, int Page, Pte Old, Pte New);
