"""Stories of OMP401-OMP406: what the workers of a cluster do together, and in what they differ."""

from __future__ import annotations

from .story import Story

_DASK = (
    "In Dask, before nannies start the workers: import dask, distributed; dask.config.set({"
    "'distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS': 1})"
)
_PLUGIN = (
    "In Dask, in those that come later, too: import omp_magic; "
    "client.register_plugin(omp_magic.dask_plugin())"
)
_IPYPARALLEL = (
    "In ipyparallel, before the engines start: import ipyparallel; "
    "from traitlets.config import Config; config = Config(); "
    "config.EngineLauncher.environment = {'OMP_NUM_THREADS': '1'}; "
    "cluster = ipyparallel.Cluster(n=2, config=config)"
)
_RAY = "When Ray starts: import ray; ray.init(runtime_env={'env_vars': {'OMP_NUM_THREADS': '1'}})"
ONE_ENVIRONMENT = "Start all workers from one environment, or one image"

STORIES: dict[str, Story] = {
    "OMP401": Story(
        "Each worker sizes its pools by the CPUs that it sees, and not by those that the other "
        "workers of its host leave it. A worker that runs several tasks at once has an OpenMP team "
        "for each of them. So W workers with T tasks and teams of N have W x T x N threads on one "
        "machine. Dask's nanny, Ray and joblib's loky start workers with one thread for each pool, "
        "or divide the CPUs, unless somebody has set the variables or the number since.",
        "The pools of each worker that has answered, their sizes, and the tasks that it runs at "
        "once: an OpenMP pool counts for each task, one of the whole process once, and one more "
        "thread for each further task. Against them stand the CPUs that all workers of the host "
        "may use together: masks as one set, the quota of a cgroup once. Whether tasks compute at "
        "the same time is not seen, nor what else runs on the host.",
        (
            "In the workers that run, for each its host's number: %omp_cluster client --limit auto",
            _PLUGIN,
            _DASK,
            _IPYPARALLEL,
            _RAY,
            "In joblib: import joblib; joblib.parallel_config('loky', inner_max_num_threads=1)",
        ),
    ),
    "OMP402": Story(
        "The same work is done by other code on some workers: another build of a BLAS may give "
        "other last digits and another speed, and a second OpenMP runtime on a few of them has its "
        "own pool, or ends them. What only those workers have appears and goes as tasks move.",
        "The runtimes that each worker has mapped, by their version and the name of their file, "
        "which wheels end by a hash of it. Where they lie is not compared. That a worker has not "
        "imported yet what others have is a note, since Dask sends tasks to any worker. Where the "
        "package that ships a runtime is of another version, so is its runtime: that is told once, "
        "as OMP403, with both.",
        (
            ONE_ENVIRONMENT,
            "In Dask, load the same in all before the first task: client.run(exec, 'import numpy')",
        ),
    ),
    "OMP403": Story(
        "Packages that ship runtimes, or Python itself, are not of the same version in all "
        "workers. What is pickled on one may not be read on another, results may differ, and a "
        "clash of runtimes is met on some hosts alone.",
        "Python's version, and those of the distributions that shipped the mapped runtimes, with "
        "the builds that they brought: other last digits and another speed, as in OMP402. Packages "
        "without a runtime are not looked at; Dask compares its own at client.get_versions().",
        (ONE_ENVIRONMENT, "In Dask, see how they differ: client.get_versions()"),
    ),
    "OMP404": Story(
        "Libraries read their variables once, when they are loaded. A worker that was started "
        "without one, by hand, by another script or on another host, has pools of another size "
        "than its peers, and is the one that all wait for.",
        "The variables of the tables as each worker's C library has them. Others are not read. A "
        "value may be meant to differ where hosts do.",
        (_DASK, _IPYPARALLEL, _RAY),
    ),
    "OMP405": Story(
        "A worker did not answer in time, or the engine lost it: it was killed, it hangs in C and "
        "does not let Python run, or its Python cannot take what it is sent. Its tasks do not "
        "end; nothing is known of its runtimes.",
        "Each worker has its own time limit; what the engine says of it is told. One that is at "
        "work, as far as its engine can tell, is a note: it answers when that is done. A worker "
        "that computes in C and holds Python's lock looks the same as one that hangs: a longer "
        "--timeout tells them apart.",
        (
            "Ask again, and wait longer: %omp_cluster client --timeout 60",
            (
                "In Dask, where all have nannies, start all workers anew, which loses all results: "
                "client.restart()"
            ),
            (
                "In ipyparallel, where this client's Cluster started them, start all engines anew, "
                "which loses all their variables and running work: "
                "rc.cluster.restart_engines_sync()"
            ),
        ),
    ),
    "OMP406": Story(
        "Some workers may use more CPUs than others: hosts of another size, another quota, another "
        "mask. One number of threads for all leaves CPUs idle on some, or is too many for others.",
        "The CPUs that each worker may use: its mask and the quotas of its cgroups.",
        ("Set for each worker what its own host has: %omp_cluster client --limit auto",),
    ),
}
