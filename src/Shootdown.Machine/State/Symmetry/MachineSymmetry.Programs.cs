namespace Shootdown.Machine;

/// <summary>Images of local states, and the check that programs treat interchangeable parts alike.</summary>
public sealed partial class MachineSymmetry
{
    private bool NextUnchecked(out (LocalState From, long Result, LocalState To) edge)
    {
        lock (_unchecked)
        {
            return _unchecked.TryDequeue(out edge);
        }
    }

    private void CheckEdges()
    {
        while (NextUnchecked(out (LocalState From, long Result, LocalState To) edge))
        {
            LocalState?[] slot = SlotOf(edge.To);
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                LocalState there = FollowImage(generator, edge.From, edge.Result);
                slot[generator] ??= there;
                if (!ReferenceEquals(slot[generator], there))
                {
                    throw NotAlike(edge.From, "two ways to the same place lead to different ones under other names");
                }

                RequireSameStep(generator, edge.To, there);
            }
        }
    }

    private LocalState FollowImage(int generator, LocalState from, long result)
        => ImageOf(generator, from).Next(from.Operation!.ResultUnder(_generators[generator], result));

    private LocalState ImageOf(int generator, LocalState local)
    {
        if (SlotOf(local)[generator] is { } known)
        {
            return known;
        }

        CheckEdges();
        return SlotOf(local)[generator]
            ?? throw new InvalidOperationException("a local state was reached without an edge: this is a bug of the checker");
    }

    private LocalState?[] SlotOf(LocalState local)
    {
        while (_images.Count <= local.Id)
        {
            _images.Add(new LocalState?[_generators.Length]);
        }

        return _images[local.Id];
    }

    /// <summary>Both must wait for the same kind of operation on corresponding words.</summary>
    private void RequireSameStep(int generator, LocalState local, LocalState image)
    {
        if (local.Operation?.GetType() != image.Operation?.GetType() || local.Operation?.IsLocal != image.Operation?.IsLocal)
        {
            throw NotAlike(local, $"{local.Agent} comes to {local.Operation?.Text ?? "its end"}, "
                + $"its counterpart {image.Agent} to {image.Operation?.Text ?? "its end"}");
        }

        if (Digest(WordsOf(local), _addresses[generator]) != Digest(WordsOf(image), _identity))
        {
            throw NotAlike(local, $"{local.Operation!.Text} of {local.Agent} and {image.Operation!.Text} of its counterpart "
                + $"{image.Agent} touch words that do not correspond");
        }
    }

    /// <summary>The words that a local state's operation may touch: twice the address, and 1 if it may write.</summary>
    private int[] WordsOf(LocalState local)
    {
        if (!_footprints.TryGetValue(local.Id, out int[]? words))
        {
            var footprint = new Footprint(Machine.WordCount);
            local.Operation?.AddFootprint(footprint);
            words = [.. Enumerable.Range(0, Machine.WordCount).Where(footprint.Touches)
                .Select(address => (address << 1) | (footprint.Writes(address) ? 1 : 0))];
            _footprints.Add(local.Id, words);
        }

        return words;
    }

    private static UInt128 Digest(int[] words, int[] addresses)
    {
        UInt128 digest = 0;
        foreach (int word in words)
        {
            ulong image = (2 * (ulong)addresses[word >> 1]) + (ulong)(word & 1);
            digest += new UInt128(Hash128.Mix(image + 1), Hash128.SplitMix(image));
        }

        return digest;
    }
}
