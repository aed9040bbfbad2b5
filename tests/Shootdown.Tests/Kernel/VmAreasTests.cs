using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Kernel;

/// <summary>Areas in one word, as small machines have them, and in a tree, as machines of real size do, say the same.</summary>
public sealed class VmAreasTests
{
    private const int Pages = 7;

    [Fact]
    public void Parts_of_a_range_are_what_lies_between_its_holes()
    {
        for (uint mapped = 0; mapped < 1 << Pages; mapped++)
        {
            var tree = new AreaTree(new MachineModel(new MachineOptions()));
            foreach (int page in Enumerable.Range(0, Pages).Where(page => IsMapped(mapped, page)))
            {
                tree.Set(page, page + 1, read: true, write: page % 2 == 0);
            }

            for (int first = 0; first < Pages; first++)
            {
                int[] expected = [.. Enumerable.Range(first, Pages - first).Where(page => IsMapped(mapped, page))];
                Assert.Equal(expected, PagesOf(new VmAreas(mapped), first));
                Assert.Equal(expected, PagesOf(new VmAreas(0, tree), first));
            }
        }
    }

    private static bool IsMapped(uint mapped, int page) => (mapped >> page & 1) != 0;

    /// <summary>The pages of all parts from a page on, found as madvise() goes through them.</summary>
    private static List<int> PagesOf(VmAreas areas, int first)
    {
        List<int> pages = [];
        for (PageRange part = areas.Part(first, Pages - first); part.Count > 0; part = areas.Part(part.End, Pages - part.End))
        {
            Assert.True(areas.Covers(part.Start, part.Count));
            Assert.False(part.End < Pages && areas.Covers(part.End, 1));
            pages.AddRange(Enumerable.Range(part.Start, part.Count));
        }

        return pages;
    }
}
