using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Files of readers, a process each, and the order in which pages were read in: the inactive list, as clusters of readahead.</summary>
internal sealed class ReadOrder
{
    private readonly WorkloadRun _run;
    private readonly Mm[] _processes;
    private readonly FileMapping[] _files;
    private readonly Queue<(int Reader, int Page)> _pages = new();
    private readonly int _filePages;

    internal ReadOrder(WorkloadRun run, int readers, int filePages)
    {
        _run = run;
        _filePages = filePages;
        int first = WorkloadRun.PartOf(run.Kernel.Cpu(0));
        _processes = [.. Enumerable.Range(0, readers).Select(reader => run.Kernel.NewProcess($"reader{reader}"))];
        _files = [.. Enumerable.Range(0, readers).Select(reader => run.Kernel.Kernel.NewFile($"sparse{reader}", filePages))];
        for (int reader = 0; reader < readers; reader++)
        {
            _processes[reader].AddSharedFileArea(_files[reader], first, filePages, 0);
            _processes[reader].Areas!.Set(first, first + filePages, true, false);
        }
    }

    /// <summary>Frames in use that are not held back for a flush; page tables are no frames.</summary>
    internal long CachedPages => _run.Kernel.Machine.Tables.FramesInUse - (_run.Kernel.Machine.Held.Bytes / 4096);

    internal Mm ProcessOf(int reader) => _processes[reader];

    /// <summary>Pages of a file that come in together.</summary>
    internal void NoteRead(int reader, int page, int count)
    {
        for (int i = page; i < page + count; i++)
        {
            _pages.Enqueue((reader, i));
        }
    }

    /// <summary>The cached pages that were read in first.</summary>
    internal FrameSet TakeOldest(int count)
    {
        FrameSet folios = _run.Kernel.Kernel.NewFrameSet();
        while (folios.Count < count && _pages.TryDequeue(out (int Reader, int Page) oldest))
        {
            int frame = (int)_run.Kernel.Machine.Memory.At(_files[oldest.Reader].Pages[oldest.Page % _filePages].Address) - 1;
            folios = frame >= 0 ? folios.With(frame) : folios;
        }

        return folios;
    }
}
