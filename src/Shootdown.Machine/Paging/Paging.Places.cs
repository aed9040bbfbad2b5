namespace Shootdown.Machine;

/// <content>Which words belong to which page, for symmetry.</content>
public sealed partial class Paging
{
    /// <summary>For symmetry, which knows one level of tables: there the index of an entry is its page.</summary>
    private void DescribeWords()
    {
        for (int i = 0; i < TableCount * EntriesPerTable && Levels == 1; i++)
        {
            Machine.Describe(_entries + i, new WordPlace(
                $"pte {i / EntriesPerTable}", Page: i % EntriesPerTable, Meaning: WordMeaning.Entry));
        }

        for (int frame = 0; frame < Machine.Options.Frames; frame++)
        {
            Machine.Describe(_frameLife + frame, PlaceOfFrame("life", frame));
            Machine.Describe(_frameContent + frame, PlaceOfFrame("content", frame));
        }
    }

    /// <summary>The place of a word of a frame: it belongs to the page of the frame's colour.</summary>
    public WordPlace PlaceOfFrame(string family, int frame)
        => new($"frame {family} {frame / Machine.Options.FrameColours}", Page: frame % Machine.Options.FrameColours);
}
