namespace Shootdown.Machine;

/// <summary>Which cached upper entries an invalidation of one page drops.</summary>
internal enum WalkCacheScope
{
    /// <summary>None (arm64: last level only).</summary>
    None,

    /// <summary>Those on the way to the page (arm64).</summary>
    Path,

    /// <summary>All of the ASID (x86).</summary>
    All,
}
