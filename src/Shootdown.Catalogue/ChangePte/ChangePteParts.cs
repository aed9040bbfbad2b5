using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The mechanisms of kernels with <c>change_pte</c> (2.6.32 to 6.9).</summary>
public static class ChangePteParts
{
    /// <summary>2.6.32 to 3.6: nothing surrounds the change of an entry to another page; <c>change_pte</c> is all that tells of it.</summary>
    public static KernelParts Alone { get; } = new()
    {
        MmuNotifier = kernel => new ChangePteNotifier(kernel, fallsBack: true),
        PteOps = kernel => new ChangePteOps(kernel),
        CopyOnWrite = kernel => new CopyWithoutRange(kernel),
        Ksm = kernel => new KsmWithoutRange(kernel),
    };

    /// <summary>3.7 to 6.9 (6bdb913f0a70): start and end surround it.</summary>
    public static KernelParts InRange { get; } = new()
    {
        MmuNotifier = kernel => new ChangePteNotifier(kernel, fallsBack: false),
        PteOps = kernel => new ChangePteOps(kernel),
    };

    /// <summary>do_wp_page() of 2.6.32 to 3.6.</summary>
    private sealed class CopyWithoutRange(KernelModel kernel) : CopyOnWrite(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int page)
        {
        }

        /// <inheritdoc/>
        protected override async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int page)
        {
        }
    }

    /// <summary>write_protect_page() and replace_page() of 2.6.32 to 3.6.</summary>
    private sealed class KsmWithoutRange(KernelModel kernel) : Ksm(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
        {
        }

        /// <inheritdoc/>
        protected override async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
        {
        }
    }
}
