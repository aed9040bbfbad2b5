namespace Shootdown.Catalogue;

/// <summary>All items of the five mails.</summary>
public static class SeedList
{
    /// <summary>Every class of this assembly that derives from <see cref="SeedItem"/>, by id.</summary>
    public static IReadOnlyList<SeedItem> All { get; } =
    [
        .. typeof(SeedList).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(SeedItem)) && !type.IsAbstract)
            .Select(type => (SeedItem)Activator.CreateInstance(type, nonPublic: true)!)
            .OrderBy(item => item.Id, StringComparer.Ordinal),
    ];

    /// <summary>The items that are meant: an id, or a mail (<c>000</c> or <c>S000</c>) for all of its items; empty if there are none.</summary>
    public static IReadOnlyList<SeedItem> Find(string idOrMail)
    {
        ArgumentNullException.ThrowIfNull(idOrMail);
        string asked = idOrMail.StartsWith('S') || idOrMail.StartsWith('s') ? idOrMail[1..] : idOrMail;
        return
        [
            .. All.Where(item => string.Equals(item.Id[1..], asked, StringComparison.OrdinalIgnoreCase)
                || (asked.Length == 3 && item.Id[1..].StartsWith($"{asked}-", StringComparison.Ordinal))),
        ];
    }
}
