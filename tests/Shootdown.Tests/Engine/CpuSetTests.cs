using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>A set of CPUs does what a sorted set of numbers does, up to CPU 511.</summary>
public sealed class CpuSetTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(512)]
    public void A_set_agrees_with_a_naive_one(int cpus)
    {
        MachineModel machine = new Shootdown.Measure.TimedMachine(cpus, 16).Model;
        var random = new Random(cpus);
        CpuSet set = default;
        CpuSet other = default;
        var naive = new SortedSet<int>();
        var naiveOther = new SortedSet<int>();
        for (int i = 0; i < 2000; i++)
        {
            Cpu cpu = machine.Cpus[random.Next(cpus)];
            switch (random.Next(5))
            {
                case 0 or 1:
                    set = set.With(cpu);
                    naive.Add(cpu.Index);
                    break;
                case 2 or 3:
                    set = set.Without(cpu);
                    naive.Remove(cpu.Index);
                    break;
                default:
                    (set, other) = (set | other, set);
                    (naive, naiveOther) = ([.. naive.Union(naiveOther)], naive);
                    break;
            }

            Assert.Equal(naive, Numbers(set));
            Assert.Equal((naive.Count, naive.Count == 0, naive.Contains(cpu.Index)), (set.Count, set.IsEmpty, set.Contains(cpu)));
            Assert.Equal(naive.SetEquals(naiveOther), set == other);
        }

        Assert.Equal(Enumerable.Range(0, cpus), Numbers(machine.AllCpus));
    }

    /// <summary>Code that keeps CPUs in one word cannot lose one: it is told.</summary>
    [Fact]
    public void What_does_not_fit_into_a_word_is_refused()
    {
        MachineModel machine = new Shootdown.Measure.TimedMachine(66, 16).Model;
        Assert.Equal(1UL << 63, machine.Cpus[63].Bit);
        Assert.Throws<ProcRuleException>(() => machine.Cpus[64].Bit);
        Assert.Throws<ProcRuleException>(() => machine.AllCpus.Mask);
        Assert.Equal(0b101UL, CpuSet.Of(machine.Cpus[0]).With(2).Mask);
    }

    [Theory]
    [InlineData(new int[0], "empty")]
    [InlineData(new[] { 0, 2, 3, 63, 64, 65, 511 }, "cpu0,cpu2,cpu3,cpu63-65,cpu511")]
    public void Sets_are_printed_as_lists(int[] cpus, string text)
        => Assert.Equal(text, cpus.Aggregate(default(CpuSet), (set, cpu) => set.With(cpu)).ToString());

    private static List<int> Numbers(CpuSet set)
    {
        var numbers = new List<int>();
        for (int cpu = set.First; cpu >= 0; cpu = set.After(cpu))
        {
            numbers.Add(cpu);
        }

        return numbers;
    }
}
