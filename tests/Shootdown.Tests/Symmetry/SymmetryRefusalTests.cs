using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Symmetry;

/// <summary>A symmetry that does not hold is refused with a reason, never believed.</summary>
public sealed class SymmetryRefusalTests
{
    [Fact]
    public void ProgramsThatTreatPagesDifferently()
        => Refuses("treats interchangeable CPUs or pages differently", (cpu, world) => PreferPageZero(cpu, world));

    [Fact]
    public void ProgramsThatVisitPagesInTheOrderOfTheirNumbers()
        => Refuses("treats interchangeable CPUs or pages differently", (cpu, world) => VisitInOrder(cpu, world));

    [Fact]
    public void CpusThatRunDifferentPrograms()
        => Refuses("treats interchangeable CPUs or pages differently", (cpu, world) => cpu.Index == 1 ? FlushOwn(cpu) : StoreShared(cpu, world));

    [Fact]
    public void WordsOfCpusWithoutAPlace()
        => Refuses("touch words that do not correspond", (cpu, world) => CountUndeclared(cpu, world));

    /// <summary>The same operation on the same word, but with a number for an operand: only running it shows the difference.</summary>
    [Fact]
    public void OperandsThatAreNumbers()
        => Refuses("do not have the same successors", (cpu, world) => StoreOwnNumber(cpu, world));

    [Fact]
    public void FramesWithoutAColourOfTheirOwn()
    {
        var machine = new MachineModel(new MachineOptions { Cpus = 2, EntriesPerTable = 2, Frames = 2 });
        var model = new CheckModel(machine, []) { Symmetry = new SymmetricParts(machine.Cpus, Pages: true) };
        ProcRuleException refusal = Assert.Throws<ProcRuleException>(() => Explorer.Explore(model, new CheckOptions { Workers = 1 }));
        Assert.Contains("need a frame colour each", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void InitialStatesThatAreNotSymmetric()
        => Refuses("is not that of its counterparts", (cpu, _) => FlushOwn(cpu), machine => machine.Paging.BuildFrame(1));

    private static async Proc PreferPageZero(Cpu cpu, World world)
    {
        int page = await cpu.ChoosePage();
        if (page == 0)
        {
            await cpu.AddReturn(world.Shared, 1);
        }
    }

    private static async Proc VisitInOrder(Cpu cpu, World world)
    {
        for (int page = 0; page < 2; page++)
        {
            await cpu.EntryExchange(world.Table, page, Pte.None, "ptep_get_and_clear");
        }
    }

    private static async Proc FlushOwn(Cpu cpu) => await cpu.FlushTlbLocal();

    private static async Proc StoreShared(Cpu cpu, World world) => await cpu.Store(world.Shared, 1);

    private static async Proc CountUndeclared(Cpu cpu, World world) => await cpu.AddReturn(world.Undeclared(cpu), 1);

    private static async Proc StoreOwnNumber(Cpu cpu, World world) => await cpu.Store(world.Shared, (ulong)cpu.Index);

    private static void Refuses(string reason, Func<Cpu, World, Proc> program, Action<MachineModel>? prepare = null)
    {
        var machine = new MachineModel(new MachineOptions { Cpus = 3, EntriesPerTable = 2, Frames = 2, FrameColours = 2 });
        var world = new World(machine);
        prepare?.Invoke(machine);
        foreach (Cpu cpu in machine.Cpus)
        {
            machine.AddTask(cpu, "program", () => program(cpu, world));
        }

        var model = new CheckModel(machine, []) { Symmetry = new SymmetricParts([.. machine.Cpus.Skip(1)], Pages: true) };
        ProcRuleException refusal = Assert.Throws<ProcRuleException>(() => Explorer.Explore(model, new CheckOptions { Workers = 1 }));
        Assert.Contains("the declared symmetry does not hold", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    private sealed class World : MachineHandle
    {
        private readonly Word[] _undeclared;

        internal World(MachineModel machine)
            : base(machine)
        {
            AddressSpace space = machine.Paging.NewAddressSpace("mm");
            Table = machine.Paging.BuildPath(space, 0);
            Shared = machine.NewWord("shared");
            _undeclared = [.. machine.Cpus.Select(cpu => machine.NewWord($"count{cpu.Index}"))];
            foreach (Cpu cpu in machine.Cpus)
            {
                machine.Paging.BuildLoadedRoot(cpu, space, 0);
            }
        }

        internal PageTable Table { get; }

        internal Word Shared { get; }

        internal Word Undeclared(Cpu cpu) => _undeclared[cpu.Index];
    }
}
