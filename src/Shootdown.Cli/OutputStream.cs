namespace Shootdown.Cli;

/// <summary>A stream for results whose failures say what could not be written.</summary>
/// <param name="inner">Takes the bytes.</param>
/// <param name="place">What it is, as the user knows it: standard output, or an option with its file.</param>
internal sealed class OutputStream(Stream inner, string place) : Stream
{
    private bool _hasFailed;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Creates the file that an option names.</summary>
    /// <exception cref="UsageException">It cannot be created.</exception>
    public static OutputStream Create(string option, string path)
    {
        try
        {
            return new OutputStream(File.Create(path), $"{option} '{path}'");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{option} '{path}': cannot be written: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    /// <exception cref="OutputException">The bytes cannot be written.</exception>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    /// <exception cref="OutputException">The bytes cannot be written.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        // What a writer still holds after a failure is of no use, and it is written again when the writer is closed.
        if (_hasFailed)
        {
            return;
        }

        try
        {
            inner.Write(buffer);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed(exception);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="OutputException">The bytes cannot be written.</exception>
    public override void Flush()
    {
        if (_hasFailed)
        {
            return;
        }

        try
        {
            inner.Flush();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed(exception);
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            try
            {
                inner.Dispose();
            }
            catch (IOException exception) when (!_hasFailed)
            {
                throw Failed(exception);
            }
            catch (IOException)
            {
                // Told already.
            }
        }

        base.Dispose(disposing);
    }

    private OutputException Failed(Exception exception)
    {
        _hasFailed = true;
        return new OutputException(place, exception.Message);
    }
}
