"""How many CPUs this process may use: affinity, cgroups' quotas, cores, load, and a measurement."""
