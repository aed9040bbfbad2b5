using System.CommandLine;
using System.CommandLine.Parsing;
using Shootdown.Catalogue;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>The command line from arguments to exit code.</summary>
internal static class CommandLine
{
    private const string HelpHint = "./shootdown --help";

    /// <summary>Version of the program.</summary>
    public static string Version { get; } = typeof(CommandLine).Assembly.GetName().Version?.ToString(3) ?? "unknown";

    /// <summary>Runs a command.</summary>
    public static int Run(string[] arguments, CliHost host)
    {
        using IDisposable? watch = host.WatchCode();
        try
        {
            int code = Dispatch(arguments, host);
            host.Out.Flush();
            return code;
        }
        catch (OutputException exception)
        {
            host.Error.WriteLine($"shootdown: {exception.Message}");
            return ExitCode.Unsupported;
        }
        catch (UsageException exception)
        {
            host.Error.WriteLine($"shootdown: {exception.Message}");
            if (exception.Hint.Length > 0)
            {
                host.Error.WriteLine($"  see {exception.Hint}");
            }

            return ExitCode.Usage;
        }
        catch (Exception exception)
        {
            WriteInternalError(exception, host);
            return ExitCode.Internal;
        }
        finally
        {
            Flush(host);
        }
    }

    /// <summary>What a command wrote before it failed; a failure of this is the lesser one.</summary>
    private static void Flush(CliHost host)
    {
        try
        {
            host.Out.Flush();
        }
        catch (OutputException)
        {
            // A command that ends well has flushed before.
        }

        host.Error.Flush();
    }

    private static int Dispatch(string[] arguments, CliHost host)
    {
        var tree = new CommandTree(host.Scenarios());
        ParseResult parsed = tree.Root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        Command command = parsed.CommandResult.Command;
        if (parsed.GetValue(tree.Help))
        {
            host.Out.Write(HelpText.Of(command.Name, tree.BoundOptions.Select(option => option.Name)));
            return ExitCode.Pass;
        }

        RequireUnderstood(parsed, command, tree, host);
        return command == tree.Root ? WithoutCommand(parsed, tree, host) : Run(command, parsed, tree, host);
    }

    private static int Run(Command command, ParseResult parsed, CommandTree tree, CliHost host) => command.Name switch
    {
        "list" => List(parsed.GetValue(tree.Tags) ?? [], parsed.GetValue(tree.Json), host),
        "explain" => Explain(parsed.GetValue(tree.Ids) ?? [], parsed.GetValue(tree.Json), host),
        "check" => new CheckCommand(host, CheckRequest.Read(parsed, tree)).Run(),
        "pairs" => new PairsCommand(host, PairsRequest.Read(parsed, tree)).Run(),
        "seeds" when parsed.GetValue(tree.ListOnly) => SeedsCommand.List(host.Out),
        "seeds" => new SeedsCommand(host, SeedsRequest.Read(parsed, tree)).Run(),
        "designs" => new DesignsCommand(host, DesignsRequest.Read(parsed, tree)).Run(),
        "paths" => new PathsCommand(host, parsed, tree).Run(),
        "measure" => new MeasureCommand(host, MeasureRequest.Read(parsed, tree)).Run(),
        "replay" => new TraceReplayCommand(host, ReplayRequest.Read(parsed, tree)).Run(),
        "record" => new RecordCommand(host, RecordRequest.Read(parsed, tree)).Run(),
        "calibrate" => new CalibrateCommand(host, parsed.GetValue(tree.Out)).Run(),
        "fidelity" => new FidelityCommand(host, parsed.GetValue(tree.Ids) ?? [], parsed.GetValue(tree.Json)).Run(),
        _ => throw new InvalidOperationException($"nothing runs the command {command.Name}"),
    };

    private static int WithoutCommand(ParseResult parsed, CommandTree tree, CliHost host)
    {
        if (!parsed.GetValue(tree.Version))
        {
            string[] names = [.. tree.Root.Subcommands.Select(command => command.Name)];
            throw new UsageException($"a command is missing: {string.Join(", ", names[..^1])} or {names[^1]}", HelpHint);
        }

        host.Out.WriteLine($"shootdown {Version}");
        return ExitCode.Pass;
    }

    private static int List(IReadOnlyList<string> tags, bool isJson, CliHost host)
    {
        IReadOnlyList<Scenario> all = host.Scenarios();
        IReadOnlyList<Scenario> selected = tags.Count == 0 ? all : new ScenarioLookup(all).WithTags(tags);
        ScenarioCard[] cards = [.. selected.Select(ScenarioCards.Of)];
        if (isJson)
        {
            ReportJson.WriteList(cards, host.Out);
        }
        else
        {
            ScenarioTable.Write(cards, host.Out);
        }

        return ExitCode.Pass;
    }

    private static int Explain(IReadOnlyList<string> ids, bool isJson, CliHost host)
    {
        if (ids.Count != 1)
        {
            throw new UsageException("explain takes one scenario ID", "./shootdown list");
        }

        ScenarioCard card = ScenarioCards.Of(new ScenarioLookup(host.Scenarios()).Find(ids[0]));
        if (isJson)
        {
            ReportJson.WriteExplanation(card, host.Out);
        }
        else
        {
            ExplainPage.Write(card, host.Out);
        }

        return ExitCode.Pass;
    }

    /// <summary>Refuses what the grammar has no place for, with the nearest thing that it has.</summary>
    private static void RequireUnderstood(ParseResult parsed, Command command, CommandTree tree, CliHost host)
    {
        IEnumerable<string> strangers = parsed.UnmatchedTokens;
        if (command != tree.Record && command.Arguments.Contains(tree.Ids))
        {
            strangers = strangers.Concat((parsed.GetValue(tree.Ids) ?? []).Where(id => id.StartsWith('-')));
        }

        if (strangers.FirstOrDefault() is { } stranger)
        {
            throw stranger.StartsWith('-') ? UnknownOption(stranger, command) : UnknownCommand(stranger, command, tree, host);
        }

        // The root's only complaint is that a command is missing, which --version does without.
        if (parsed.Errors.Count > 0 && command != tree.Root)
        {
            throw new UsageException(Worded(parsed.Errors[0]), HelpFor(command));
        }
    }

    private static string Worded(ParseError error) => error.SymbolResult is OptionResult option
        ? option.Tokens.Count == 0 ? $"{option.Option.Name} needs a value" : $"{option.Option.Name} can be given only once"
        : error.Message.TrimEnd('.');

    private static UsageException UnknownOption(string token, Command command)
    {
        int end = token.IndexOfAny(['=', ':']);
        string name = end < 0 ? token : token[..end];
        string nearest = ScenarioLookup.DidYouMean(name, CommandTree.OptionNames(command));
        return new UsageException($"unknown option '{name}'{nearest}", HelpFor(command));
    }

    private static UsageException UnknownCommand(string token, Command command, CommandTree tree, CliHost host)
    {
        if (command != tree.Root)
        {
            return new UsageException($"'{token}' is one argument too many", HelpFor(command));
        }

        string question = SingleFileScenario.IsFile(token) || new ScenarioLookup(host.Scenarios()).Knows(token)
            ? $"; did you mean './shootdown check {token}'?"
            : ScenarioLookup.DidYouMean(token, tree.Root.Subcommands.Select(known => known.Name));
        return new UsageException($"unknown command '{token}'{question}", HelpHint);
    }

    private static string HelpFor(Command command)
        => command is RootCommand ? HelpHint : $"./shootdown {command.Name} --help";

    private static void WriteInternalError(Exception exception, CliHost host)
    {
        string what = exception.Message.ReplaceLineEndings(" ");
        host.Error.WriteLine($"shootdown: internal error: {exception.GetType().Name}: {what}");
        host.Error.WriteLine("  This is a defect of shootdown and no verdict. Please report it with the command line and with the");
        host.Error.WriteLine("  output of the same command under SHOOTDOWN_DEBUG=1.");
        if (host.IsDebug)
        {
            host.Error.WriteLine(exception);
        }
    }
}
