using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>What rows of a kernel were recorded on: the kernel, and what else about the system the counts depend on.</summary>
/// <param name="Profile">The kernel.</param>
/// <param name="OwnPagesAfterFork">
/// Pages of the measuring program itself, its stack and data, that it writes between fork and the end of the recording. A property of the program's
/// build and C library, not of the kernel: read off its recordings.
/// </param>
/// <param name="HasSwap">False if there is no swap: anonymous pages are not reclaimed.</param>
public sealed record BenchMachine(TimedProfile Profile, int OwnPagesAfterFork, bool HasSwap)
{
    /// <summary>
    /// The system of the kernel that a row names, e.g. <c>6.12</c> or <c>6.18-fc</c>: the profile of that version, or of the version
    /// that is nearest as far as flushes go. Null if it is no version.
    /// </summary>
    public static BenchMachine? Of(string kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        if (!TimedProfile.IsVersion(kernel))
        {
            return null;
        }

        // "-fc" was the host, without swap; the others ran in virtual machines with one installation of Debian.
        var profile = TimedProfile.For(kernel);
        return kernel.EndsWith("-fc", StringComparison.Ordinal) ? new(WithoutSwap(profile), 8, false) : new(profile, 7, true);
    }

    /// <summary>True if there is a profile of just that version.</summary>
    public static bool HasProfile(string kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return TimedProfile.Find(kernel.Split('-')[0]) is not null;
    }

    private static TimedProfile WithoutSwap(TimedProfile profile)
        => profile with { Parts = profile.Parts with { Reclaim = kernel => new NoSwapReclaim(kernel) } };
}

/// <summary>mm/vmscan.c: <c>shrink_folio_list</c> where <c>add_to_swap</c> finds no room: the folio is kept, before it is unmapped.</summary>
internal sealed class NoSwapReclaim(KernelModel kernel) : Reclaim(kernel)
{
    /// <inheritdoc/>
    protected override async Proc<bool> UnmapAndClean(Cpu cpu, int frame, FolioMapping mapping, bool batch)
        => (!mapping.IsNone || await IsLazyfree(cpu, frame)) && await base.UnmapAndClean(cpu, frame, mapping, batch);
}
