namespace Shootdown.Machine;

/// <summary>The parts that CPUs and pages play in local states.</summary>
public sealed partial class MachineSymmetry
{
    private const int OrbitMax = 100_000;
    private LocalRoles?[] _roles = new LocalRoles?[256];

    internal LocalRoles RolesOf(LocalState local)
    {
        LocalRoles?[] roles = _roles;
        return (local.Id < roles.Length ? Volatile.Read(ref roles[local.Id]) : null) ?? FindRoles(local);
    }

    private LocalRoles FindRoles(LocalState local)
    {
        lock (_gate)
        {
            CheckEdges();
            if (local.Id >= _roles.Length || _roles[local.Id] is null)
            {
                AssignRoles(local);
            }

            return _roles[local.Id]!;
        }
    }

    /// <summary>Finds all images of a local state and names the parts that CPUs and pages play in them.</summary>
    private void AssignRoles(LocalState local)
    {
        List<LocalState> orbit = OrbitOf(local);
        LocalState first = orbit.MinBy(member => (member.HashHigh, member.HashLow))!;
        byte[] cpus = RolesIn(first, 0, _cpus.Length);
        byte[] pages = RolesIn(first, Math.Max(0, _cpus.Length - 1), PageCount);
        int commonCpu = MostCommon(cpus);
        int commonPage = MostCommon(pages);
        var found = new Dictionary<LocalState, LocalRoles>();
        var work = new Stack<LocalState>();
        Set(first, cpus, pages);
        while (work.TryPop(out LocalState? member))
        {
            LocalRoles roles = found[member];
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                byte[] movedCpus = roles.Cpus;
                byte[] movedPages = roles.Pages;
                int swap = generator - Math.Max(0, _cpus.Length - 1);
                if (swap >= 0)
                {
                    movedPages = [.. roles.Pages];
                    (movedPages[swap], movedPages[swap + 1]) = (movedPages[swap + 1], movedPages[swap]);
                }
                else
                {
                    movedCpus = [.. roles.Cpus];
                    (movedCpus[generator], movedCpus[generator + 1]) = (movedCpus[generator + 1], movedCpus[generator]);
                }

                Set(ImageOf(generator, member), movedCpus, movedPages);
            }
        }

        foreach (LocalState member in orbit)
        {
            if (member.Id >= _roles.Length)
            {
                var longer = new LocalRoles?[Math.Max(member.Id + 1, _roles.Length * 2)];
                _roles.CopyTo(longer, 0);
                _roles = longer;
            }

            Volatile.Write(ref _roles[member.Id], found[member]);
        }

        int distinct = found.Values.Select(roles => (Convert.ToHexString(roles.Cpus), Convert.ToHexString(roles.Pages))).Distinct().Count();
        if (distinct != orbit.Count)
        {
            throw NotAlike(local, "its locals relate CPUs or pages with each other in a way that the checker cannot tell apart");
        }

        void Set(LocalState member, byte[] cpuRoles, byte[] pageRoles)
        {
            if (found.TryGetValue(member, out LocalRoles? there))
            {
                if (!there.Cpus.AsSpan().SequenceEqual(cpuRoles) || !there.Pages.AsSpan().SequenceEqual(pageRoles))
                {
                    throw NotAlike(local, "its locals relate CPUs or pages with each other in a way that the checker cannot tell apart");
                }

                return;
            }

            found.Add(member, new LocalRoles
            {
                KeyLow = first.HashLow,
                KeyHigh = first.HashHigh,
                Cpus = cpuRoles,
                Pages = pageRoles,
                NamedCpus = [.. cpuRoles.Select((role, index) => (_cpus[index], (int)role)).Where(named => named.Item2 != commonCpu)],
                NamedPages = [.. pageRoles.Select((role, page) => (page, (int)role)).Where(named => named.Item2 != commonPage)],
                Home = _homeOf[member.Agent.Index] >= 0 ? _cpus[_homeOf[member.Agent.Index]] : -1,
            });
            work.Push(member);
        }
    }

    private List<LocalState> OrbitOf(LocalState local)
    {
        var orbit = new List<LocalState> { local };
        var seen = new HashSet<LocalState> { local };
        for (int i = 0; i < orbit.Count; i++)
        {
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                LocalState image = ImageOf(generator, orbit[i]);
                if (seen.Add(image))
                {
                    orbit.Add(image);
                }
            }

            if (orbit.Count > OrbitMax)
            {
                throw NotAlike(local, $"its locals distinguish more than {OrbitMax} arrangements of CPUs and pages");
            }
        }

        return orbit;
    }

    /// <summary>Two parts play the same role if exchanging them leaves the local state as it is.</summary>
    private byte[] RolesIn(LocalState local, int firstGenerator, int count)
    {
        byte[] roles = new byte[count];
        byte next = 0;
        for (int part = 0; part < count; part++)
        {
            int same = -1;
            for (int earlier = 0; earlier < part && same < 0; earlier++)
            {
                same = IsFixedByExchange(local, firstGenerator, earlier, part) ? earlier : -1;
            }

            roles[part] = same >= 0 ? roles[same] : next++;
        }

        return roles;
    }

    /// <summary>The exchange of two parts as transpositions of neighbours: there and back.</summary>
    private bool IsFixedByExchange(LocalState local, int firstGenerator, int low, int high)
    {
        LocalState image = local;
        for (int i = low; i < high; i++)
        {
            image = ImageOf(firstGenerator + i, image);
        }

        for (int i = high - 2; i >= low; i--)
        {
            image = ImageOf(firstGenerator + i, image);
        }

        return ReferenceEquals(image, local);
    }

    private static int MostCommon(byte[] roles)
        => roles.Length == 0 ? -1 : roles.GroupBy(role => role).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).First().Key;
}
