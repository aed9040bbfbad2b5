using Shootdown.Cli;

return CommandLine.Run(args, CliHost.OfProcess());
