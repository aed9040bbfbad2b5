using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Devices;

/// <summary>What a random instruction does.</summary>
public enum DeviceAct
{
    MapRead, MapWrite, Unmap, WriteProtect, UnlinkTable, FreeTable, FreeFrame, Begin, Return,
    Iotlb, IotlbLeaf, DeviceTlb, DeviceTlbAll, IotlbNoWait, ClearPasid, FlushPasid, EnableAts, UserLoad, Invlpg,
    DeviceTouch, DeviceLoad, DeviceStore, DeviceWalk,
}

/// <summary>One instruction of a random program.</summary>
public readonly record struct DeviceInstruction(DeviceAct Act, int Page, int Value);

/// <summary>A small random program for two CPUs and a device: page tables change, invalidations are queued, the device accesses.</summary>
public sealed class RandomDeviceProgram
{
    private static readonly DeviceAct[] Flat =
    [
        DeviceAct.MapRead, DeviceAct.MapWrite, DeviceAct.Unmap, DeviceAct.Unmap, DeviceAct.WriteProtect, DeviceAct.FreeFrame, DeviceAct.Begin,
        DeviceAct.Iotlb, DeviceAct.Iotlb, DeviceAct.DeviceTlb, DeviceAct.DeviceTlb, DeviceAct.IotlbNoWait, DeviceAct.DeviceTlbAll,
        DeviceAct.ClearPasid, DeviceAct.FlushPasid, DeviceAct.EnableAts, DeviceAct.UserLoad, DeviceAct.Invlpg,
    ];

    private static readonly DeviceAct[] Tables =
    [
        DeviceAct.MapWrite, DeviceAct.Unmap, DeviceAct.UnlinkTable, DeviceAct.UnlinkTable, DeviceAct.FreeTable, DeviceAct.FreeFrame,
        DeviceAct.Iotlb, DeviceAct.Iotlb, DeviceAct.IotlbLeaf, DeviceAct.DeviceTlb, DeviceAct.FlushPasid, DeviceAct.ClearPasid,
    ];

    private readonly bool _tables;
    private readonly bool _ats;
    private readonly ImmutableArray<ImmutableArray<DeviceInstruction>> _code;

    public RandomDeviceProgram(int seed)
    {
        Seed = seed;
        var random = new Random(seed);
        _tables = seed % 2 == 1;
        _ats = random.Next(3) != 0;
        DeviceAct[] device = _tables
            ? [DeviceAct.DeviceTouch, DeviceAct.DeviceWalk]
            : [DeviceAct.DeviceTouch, DeviceAct.DeviceTouch, DeviceAct.DeviceLoad, DeviceAct.DeviceStore];
        DeviceAct[] menu = _tables ? Tables : Flat;
        _code = [Make(random, menu, random.Next(2, 6)), Make(random, menu, random.Next(1, 3)), Make(random, device, random.Next(1, 4))];
    }

    public int Seed { get; }

    public override string ToString()
        => $"seed {Seed}{(_ats ? ", ATS" : string.Empty)}:\n" + string.Join('\n', _code.Select(TextOf));

    private static string TextOf(ImmutableArray<DeviceInstruction> code, int agent)
        => $"  {(agent < 2 ? $"CPU{agent}" : "device")}: {string.Join("; ", code.Select(at => $"{at.Act} {at.Page} {at.Value}"))}";

    /// <summary>Builds the model; property 0 is P-life, 1 P-ret, 2 P-write.</summary>
    /// <param name="tlb">Representation of TLBs.</param>
    /// <param name="model">Memory model.</param>
    /// <param name="property">What is judged.</param>
    /// <param name="small">True for one CPU, whose own TLB is not used, and two pages: what the explicit representation can take.</param>
    /// <param name="costs">Counts costs too, if not null.</param>
    public CheckModel Build(TlbKind tlb, MemoryModelKind model, int property, bool small = false, PCost? costs = null)
    {
        int cpus = small ? 1 : 2;
        var machine = new MachineModel(new MachineOptions
        {
            Cpus = cpus,
            Devices = 1,
            Levels = _tables ? 2 : 1,
            EntriesPerTable = 2,
            Frames = 3,
            Tables = !_tables ? 1 : small ? 2 : 3,
            Tlb = tlb,
            Model = model,
        });
        AddressSpace space = machine.Paging.NewAddressSpace("mm");
        int pages = small ? 2 : machine.Paging.PageCount;
        ImmutableArray<PageTable> tables = [.. Enumerable.Range(0, pages).Select(page => machine.Paging.BuildPath(space, page))];
        machine.Paging.BuildMapping(space, 0, Pte.Leaf(0, true));
        machine.Paging.BuildMapping(space, 1, Pte.Leaf(1, true, dirty: true));
        for (int frame = 0; frame < 3; frame++)
        {
            machine.Paging.BuildFrame(frame);
        }

        foreach (Cpu cpu in small ? [] : machine.Cpus)
        {
            machine.Paging.BuildLoadedRoot(cpu, space, 0);
        }

        Device device = machine.Devices[0];
        device.BuildBound(space, _ats);
        for (int i = 0; i < cpus; i++)
        {
            Cpu cpu = machine.Cpus[i];
            ImmutableArray<DeviceInstruction> code = small ? [.. _code[i].Where(at => at.Act != DeviceAct.UserLoad)] : _code[i];
            var promise = new Promise(machine, cpu, space, 0, 2, i == 0 ? PromiseKind.Removed : PromiseKind.WriteProtected, "call()");
            machine.AddTask(cpu, $"program{i}", () => Run(cpu, device, tables, promise, space, code));
        }

        ImmutableArray<DeviceInstruction> own = _code[2];
        device.AddProgram(() => RunDevice(device, own, pages));
        Property judged = property switch { 0 => new PLife(), 1 => new PRet(), _ => new PWrite() };
        return new CheckModel(machine, costs is null ? [judged] : [costs], []);
    }

    private static ImmutableArray<DeviceInstruction> Make(Random random, DeviceAct[] menu, int length)
    {
        var code = ImmutableArray.CreateBuilder<DeviceInstruction>();
        bool promises = false;
        for (int i = 0; i < length; i++)
        {
            DeviceAct act = menu[random.Next(menu.Length)];
            promises |= act == DeviceAct.Begin;
            code.Add(new DeviceInstruction(act, random.Next(4), random.Next(3)));
        }

        if (promises)
        {
            code.Add(new DeviceInstruction(DeviceAct.Return, 0, 0));
        }

        return code.ToImmutable();
    }

    private static async Proc Run(
        Cpu cpu, Device device, ImmutableArray<PageTable> tables, Promise promise, AddressSpace space, ImmutableArray<DeviceInstruction> code)
    {
        for (int pc = 0; pc < code.Length; pc++)
        {
            int page = code[pc].Page % tables.Length;
            switch (code[pc].Act)
            {
                case DeviceAct.MapRead:
                case DeviceAct.MapWrite:
                    await cpu.EntryExchange(tables[page], page, Pte.Leaf(code[pc].Value, code[pc].Act == DeviceAct.MapWrite), "set");
                    break;
                case DeviceAct.Unmap:
                    await cpu.EntryExchange(tables[page], page, Pte.None, "clear");
                    break;
                case DeviceAct.WriteProtect:
                    await cpu.EntryClearBits(tables[page], page, Pte.WriteBit, "wrprotect");
                    break;
                case DeviceAct.UnlinkTable:
                    var root = new PageTable(space.RootTable, 1, 0);
                    await cpu.EntryExchange(root, page, code[pc].Value == 0 ? Pte.Table(tables[page].Index) : Pte.None, "pmd_clear");
                    break;
                case DeviceAct.FreeTable:
                    await cpu.FreeTable(tables[page].Index);
                    break;
                case DeviceAct.FreeFrame:
                    await cpu.ReclaimFrames(1UL << code[pc].Value, "free");
                    break;
                case DeviceAct.Begin:
                    await cpu.BeginPromise(promise);
                    break;
                case DeviceAct.Return:
                    await cpu.ReturnPromise(promise);
                    break;
                case DeviceAct.UserLoad:
                    await cpu.AccessTouch(page);
                    break;
                case DeviceAct.Invlpg:
                    await cpu.Invlpg(page);
                    break;
                case DeviceAct.ClearPasid:
                    await cpu.PasidEntryStore(device, code[pc].Value == 0, "pasid");
                    break;
                case DeviceAct.EnableAts:
                    await cpu.EnableAts(device);
                    break;
                default:
                    await Invalidate(cpu, device, code[pc].Act, page);
                    break;
            }
        }
    }

    private static async Proc Invalidate(Cpu cpu, Device device, DeviceAct act, int page)
    {
        InvalidationKind kind = act switch
        {
            DeviceAct.IotlbLeaf => InvalidationKind.IotlbLeaf,
            DeviceAct.DeviceTlb => InvalidationKind.DeviceTlb,
            DeviceAct.DeviceTlbAll => InvalidationKind.DeviceTlbAll,
            DeviceAct.FlushPasid => InvalidationKind.Pasid,
            _ => InvalidationKind.Iotlb,
        };
        bool waits = act != DeviceAct.IotlbNoWait;
        await device.Queue.Submit(cpu, InvalidationCommand.Of(kind, page, 1), waits);
        if (waits)
        {
            await device.Queue.Await(cpu);
        }
    }

    private static async Proc RunDevice(Device device, ImmutableArray<DeviceInstruction> code, int pages)
    {
        for (int pc = 0; pc < code.Length; pc++)
        {
            int page = code[pc].Page % pages;
            switch (code[pc].Act)
            {
                case DeviceAct.DeviceLoad:
                    await device.AccessLoad(page);
                    break;
                case DeviceAct.DeviceStore:
                    await device.AccessStore(page, code[pc].Value + 1);
                    break;
                case DeviceAct.DeviceWalk:
                    await device.SpeculativeWalks();
                    break;
                default:
                    await device.AccessTouch(page);
                    break;
            }
        }
    }
}
