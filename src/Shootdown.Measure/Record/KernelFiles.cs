namespace Shootdown.Measure;

/// <summary>Files below /proc and /sys, which come and go with what they tell of.</summary>
internal static class KernelFiles
{
    /// <summary>The text of a file; empty if it is not there, not for this user, or gone while it is read.</summary>
    public static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
