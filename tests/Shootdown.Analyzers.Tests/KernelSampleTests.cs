using Microsoft.CodeAnalysis;

namespace Shootdown.Analyzers.Tests;

/// <summary>Code as the kernel is written must pass all rules together.</summary>
public sealed class KernelSampleTests
{
    private const string Sample = """
        public readonly record struct VaRange(int Start, int Count)
        {
            public Enumerator GetEnumerator() => new(Start, Start + Count);

            public struct Enumerator(int next, int end)
            {
                private int _next = next - 1;
                public int Current => _next;
                public bool MoveNext() => ++_next < end;
            }
        }

        public interface IFlushPolicy
        {
            Proc Flush(Cpu cpu, VaRange range);
        }

        public sealed class LazyFlush(Word generation) : IFlushPolicy
        {
            private readonly Word _generation = generation;

            public async Proc Flush(Cpu cpu, VaRange range)
                => await cpu.Store(_generation, await cpu.Load(_generation) + 1);
        }

        public static class Memory
        {
            private const int BatchMax = 32;

            /// <summary>The example of the design.</summary>
            public static async Proc<int> ZapPteRange(Cpu cpu, IFlushPolicy policy, ImmutableArray<Word> table, VaRange range)
            {
                int cleared = 0;
                foreach (int va in range)
                {
                    ulong pte = await cpu.Load(table[va]);
                    if ((pte & 1) != 0 && cleared < BatchMax)
                    {
                        await cpu.Store(table[va], 0);
                        cleared++;
                    }
                }

                await policy.Flush(cpu, range);
                return cleared;
            }

            public static Proc<int> ZapOne(Cpu cpu, IFlushPolicy policy, ImmutableArray<Word> table, int va)
                => ZapPteRange(cpu, policy, table, new VaRange(va, 1));
        }
        """;

    [Fact]
    public async Task Ordinary_kernel_code_is_not_reported()
    {
        IEnumerable<Diagnostic> found = await Compiler.Analyze(
            Sample,
            new SharedLocalAnalyzer(),
            new StaticStateAnalyzer(),
            new CaptureAnalyzer(),
            new UnawaitedCallAnalyzer(),
            new ForeignAwaitAnalyzer(),
            new MutableFieldAnalyzer(),
            new AmbientApiAnalyzer());
        Assert.Empty(found);
    }

    [Fact]
    public void Every_rule_is_an_error_with_help()
    {
        Type[] rules = [.. typeof(KernelAnalyzer).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(KernelAnalyzer)))];
        IEnumerable<DiagnosticDescriptor> descriptors = rules
            .Select(type => Assert.Single(((KernelAnalyzer)Activator.CreateInstance(type)!).SupportedDiagnostics))
            .OrderBy(descriptor => descriptor.Id, StringComparer.Ordinal);
        Assert.Equal(Enumerable.Range(1, 7).Select(n => $"SHOOT00{n}"), descriptors.Select(descriptor => descriptor.Id));
        Assert.All(descriptors, descriptor =>
        {
            Assert.Equal(DiagnosticSeverity.Error, descriptor.DefaultSeverity);
            Assert.NotEmpty(descriptor.Description.ToString(null));
        });
    }
}
