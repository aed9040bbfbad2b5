using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Steps that the programs make as a whole.</summary>
public sealed partial class TlbDefer
{
    /// <summary>
    /// A CPU in user mode: it faults at a page that it finds empty or starts its system call on any page, either of which begins
    /// with the page-table lock; the reclaimer may instead flush its batch.
    /// </summary>
    private sealed class ErrandOperation(Cpu cpu, World world) : Operation
    {
        public override string Text => $"spin_lock({world.Lock.Name})";

        public override StepWeight Weight => StepWeight.Context;

        public override int AcquiresLock => cpu.Index == 0 ? -1 : world.Lock.Word.Address;

        public override int BlockedOn(MachineState state) => world.Lock.Word.Address;

        public override int Alternatives(MachineState state)
        {
            if (!cpu.Machine.Model.IsDrained(state, cpu))
            {
                return 0;
            }

            int count = HasBatch(state) ? 1 : 0;
            if (state.Read(world.Lock.Word.Address) == 0)
            {
                count += world.Pages;
                for (int page = 0; page < world.Pages; page++)
                {
                    count += state.Read(world.EntryAddress(page)) == 0 ? 1 : 0;
                }
            }

            return count;
        }

        public override long Execute(MachineState state, int alternative)
        {
            int rest = alternative;
            if (HasBatch(state) && rest-- == 0)
            {
                if (state.Record is { } record)
                {
                    record.Text = "try_to_unmap_flush()";
                }

                return new Errand(ErrandKind.Flush, 0).Raw;
            }

            state.Write(world.Lock.Word.Address, (ulong)cpu.Index + 1);
            for (int page = 0; page < world.Pages; page++)
            {
                if (state.Read(world.EntryAddress(page)) == 0 && rest-- == 0)
                {
                    state.Record?.Note($"[ page fault at {Paging.AddressText(page)} ]");
                    return new Errand(ErrandKind.Fault, page).Raw;
                }
            }

            return new Errand(ErrandKind.Page, rest).Raw;
        }

        public override long ResultUnder(Permutation permutation, long result)
        {
            var errand = Errand.Of(result);
            return errand.Kind == ErrandKind.Flush ? result : (errand with { Page = permutation.PageOf(errand.Page) }).Raw;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(world.Lock.Word.Address);
            cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
            for (int page = 0; page < world.Pages; page++)
            {
                footprint.Read(world.EntryAddress(page));
                if (cpu.Index == 0)
                {
                    footprint.Read(world.Batch[page].Address);
                }
            }
        }

        private bool HasBatch(MachineState state)
        {
            for (int page = 0; page < world.Pages && cpu.Index == 0; page++)
            {
                if (state.Read(world.Batch[page].Address) != 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>User threads touch every page that they can reach; what they may reach is judged, and nothing changes.</summary>
    private sealed class TouchAllOperation(Cpu cpu, World world) : Operation
    {
        public override string Text => "load";

        public override StepWeight Weight => StepWeight.Key;

        public override bool IsObservation => true;

        public override long Execute(MachineState state, int alternative)
        {
            for (int page = 0; page < world.Pages && state.Violation is null; page++)
            {
                // A fault is an errand of the CPU's task, so only what hits counts here.
                if (TlbInspector.MayHit(state, cpu, page))
                {
                    Touch(state, page);
                }
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (int page = 0; page < world.Pages; page++)
            {
                world.TouchOf(cpu, page).AddFootprint(footprint);
            }
        }

        /// <summary>A replay tells only of the page that violates.</summary>
        private void Touch(MachineState state, int page)
        {
            StepRecord? record = state.Record;
            state.Record = null;
            world.TouchOf(cpu, page).Execute(state, 0);
            state.Record = record;
            if (record is not null && state.Violation is not null)
            {
                state.Violation = null;
                record.Text = world.TouchOf(cpu, page).Text;
                world.TouchOf(cpu, page).Execute(state, 0);
            }
        }
    }

    /// <summary>Reclaim gives all frames of its batch back in one step.</summary>
    private sealed class FreeBatchOperation(World world) : Operation
    {
        public override string Text => "free_unref_page_list()";

        public override StepWeight Weight => StepWeight.Key;

        public override long Execute(MachineState state, int alternative)
        {
            for (int page = 0; page < world.Pages; page++)
            {
                if (state.Read(world.Batch[page].Address) != 0)
                {
                    state.Record?.Note($"frame {page}");
                    state.Write(world.Batch[page].Address, 0);
                    world.FreeOf(page).Execute(state, 0);
                }
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (int page = 0; page < world.Pages; page++)
            {
                footprint.Write(world.Batch[page].Address);
                world.FreeOf(page).AddFootprint(footprint);
            }
        }
    }

    /// <summary>The flush that a CPU makes for another: everything, or one page.</summary>
    private sealed class FlushHandler(MachineModel machine) : AtomicHandler(machine)
    {
        public override string Name => "flush_tlb_func";

        public override bool ArgumentIsPage => true;

        public override void Run(MachineState state, Cpu self, Cpu sender)
            => TlbInspector.Flush(state, self, (int)Machine.Interrupts.ArgumentOf(state, sender) - 1);

        public override void AddFootprint(Footprint footprint, Cpu self) => TlbInspector.AddFlushFootprint(footprint, self);
    }
}
