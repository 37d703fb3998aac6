"""What is done about the workers of a cluster, in the words of its engine: a row an engine.

Tried with distributed 2026.8, ipyparallel 9.2, Ray 2.60 and joblib 1.6; the tests try them again.
"""

from __future__ import annotations

from typing import NamedTuple


class EngineWords(NamedTuple):
    """What mends something, each a tuple of remedies, the best first.

    Parameters
    ----------
    threads
        Fewer threads in each worker; ``{threads}`` is filled in.
    tasks
        Fewer workers, or fewer tasks at once in each; ``{workers}`` and ``{tasks}`` are filled in,
        and ``{scheduler}``: its address, without which no such line is told.
    variables
        One variable for all workers that start; ``{name}``, ``{value}`` and ``{scheduler}`` are
        filled in.
    packages
        The same packages for all; ``{package}`` is filled in.
    loaded
        The same libraries in all, loaded before the first task; ``{module}`` is filled in.
    silent
        What ends a worker that does not answer; ``{address!r}`` is filled in.
    alone
        What is done about one that nothing of its engine starts anew; ``{scheduler}``,
        ``{profile}`` and ``{tasks}`` are filled in.
    ended
        What is done about one that is no more.
    source
        Where the engine says so.
    absent
        What is done about one that its engine has no address of; ``{number}`` is how many workers
        there should be.
    """

    threads: tuple[str, ...]
    tasks: tuple[str, ...]
    variables: tuple[str, ...]
    packages: tuple[str, ...]
    loaded: tuple[str, ...]
    silent: tuple[str, ...]
    source: str
    alone: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


_AUTO = "In the workers that run: %omp_cluster {} --limit auto"
_NANNY = "Before the cluster starts, if its nannies' own environment does not set it"

_ENGINES = {
    # Not DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__OMP_NUM_THREADS: dask.config.collect_env makes
    # names lower case, so that the nanny sets omp_num_threads, which nobody reads. A variable of
    # the nanny's own environment wins over its config (distributed/nanny.py, _get_env_variables).
    "dask": EngineWords(
        threads=(
            _AUTO.format("client"),
            # Also without a nanny, and where its environment has the variables already.
            (
                "In those that come later, too: import omp_magic; "
                "client.register_plugin(omp_magic.dask_plugin())"
            ),
            (
                f"{_NANNY}: import dask, distributed; dask.config.set({{{{"
                "'distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS': {threads}, "
                "'distributed.nanny.pre-spawn-environ.MKL_NUM_THREADS': {threads}, "
                "'distributed.nanny.pre-spawn-environ.OPENBLAS_NUM_THREADS': {threads}}})"
            ),
        ),
        tasks=(
            (
                "For a cluster of this machine: from distributed import LocalCluster; "
                "cluster = LocalCluster(n_workers={workers}, threads_per_worker={tasks})"
            ),
            (
                "In a shell of each host: dask worker {scheduler} "
                "--nworkers {workers} --nthreads {tasks}"
            ),
        ),
        variables=(
            (
                f"{_NANNY}: import dask, distributed; dask.config.set({{{{"
                "'distributed.nanny.pre-spawn-environ.{name}': {value!r}}})"
            ),
            ("In a POSIX shell of each host: {name}={quoted} dask worker {scheduler}"),
        ),
        packages=(
            "See how they differ: client.get_versions()",
            (
                "In the workers that run, which loses the results that they hold: "
                "from distributed import PipInstall; "
                "client.register_plugin(PipInstall(['{package}'], restart_workers=True))"
            ),
        ),
        # Not importlib.import_module: a module is no answer that can be sent.
        loaded=("Load it in all, before the first task: client.run(exec, 'import {module}')",),
        silent=(
            (
                "Let its nanny start it anew, which loses the results that it holds: "
                "client.restart_workers([{address!r}])"
            ),
        ),
        alone=(
            (
                "It has no nanny. Once it is ended on its host, start another in a shell there: "
                "dask worker {scheduler} --nworkers 1 --nthreads {tasks}"
            ),
        ),
        ended=("A nanny starts another one, see who is there now: %omp_cluster client",),
        source="https://docs.dask.org/en/latest/configuration.html (distributed.nanny)",
        # `restart_workers` takes addresses alone, and this one has none.
        absent=("It may be starting, wait for it: client.wait_for_workers({number}, timeout=60)",),
    ),
    "ipyparallel": EngineWords(
        threads=(
            _AUTO.format("rc"),
            (
                "Before the engines start: import ipyparallel; from traitlets.config import "
                "Config; config = Config(); config.EngineLauncher.environment = "
                "{{'OMP_NUM_THREADS': '{threads}'}}; "
                "cluster = ipyparallel.Cluster(n={workers}, config=config)"
            ),
        ),
        tasks=(
            "Start fewer engines: import ipyparallel; cluster = ipyparallel.Cluster(n={workers})",
        ),
        variables=(
            (
                "Before the engines start: import ipyparallel; from traitlets.config import "
                "Config; config = Config(); config.EngineLauncher.environment = "
                "{{{name!r}: {value!r}}}; cluster = ipyparallel.Cluster(config=config)"
            ),
        ),
        packages=("Install the same in all: %px %pip install {package}",),
        loaded=(
            "Load it in all, before the first task: rc[:].execute('import {module}', block=True)",
        ),
        silent=(
            (
                "Start all engines anew, which loses all their variables and running work: "
                "rc.cluster.restart_engines_sync()"
            ),
        ),
        alone=(
            (
                "This client has not started them. Start another engine in a shell of its host: "
                "ipengine --profile={profile}"
            ),
        ),
        ended=("Start one more, the others stay as they are: rc.cluster.start_engines_sync(n=1)",),
        source=(
            "https://ipyparallel.readthedocs.io/en/latest/reference/launchers.html "
            "(EngineLauncher.environment)"
        ),
    ),
    # Ray sets OMP_NUM_THREADS to a task's num_cpus, 1 without, where nobody has set it.
    "ray": EngineWords(
        threads=(
            (
                "When Ray starts: import ray; ray.init(runtime_env={{'env_vars': "
                "{{'OMP_NUM_THREADS': '{threads}'}}}})"
            ),
            _AUTO.format("ray"),
            "Or let a task that computes with several threads ask for as many CPUs, by num_cpus",
        ),
        tasks=("Run fewer tasks at once: import ray; ray.init(num_cpus={workers})",),
        variables=(
            (
                "When Ray starts: import ray; "
                "ray.init(runtime_env={{'env_vars': {{{name!r}: {value!r}}}}})"
            ),
        ),
        packages=("When Ray starts: import ray; ray.init(runtime_env={{'pip': ['{package}']}})",),
        loaded=(),
        silent=("See what Ray knows of it, in a shell: ray list workers",),
        source="https://docs.ray.io/en/latest/ray-core/configure.html",
    ),
    "joblib": EngineWords(
        threads=(
            (
                "For the workers: import joblib; "
                "joblib.parallel_config('loky', inner_max_num_threads={threads})"
            ),
        ),
        tasks=(
            (
                "Start fewer workers: import joblib; "
                "joblib.parallel_config('loky', n_jobs={workers}, inner_max_num_threads=1)"
            ),
        ),
        variables=(("Before the workers start: import os; os.environ[{name!r}] = {value!r}"),),
        packages=(),
        loaded=(),
        silent=(
            (
                "End its workers and all their tasks: "
                "from joblib.externals.loky import get_reusable_executor; "
                "get_reusable_executor().shutdown(wait=False, kill_workers=True)"
            ),
        ),
        source="https://joblib.readthedocs.io/en/stable/parallel.html",
    ),
    "executor": EngineWords(
        threads=(
            (
                "In the line that makes the pool: import omp_magic; "
                "from concurrent.futures import ProcessPoolExecutor; "
                "pool = ProcessPoolExecutor({workers}, "
                "initializer=omp_magic.worker_limits({threads}))"
            ),
            _AUTO.format("executor"),
        ),
        tasks=(
            (
                "Start fewer workers: from concurrent.futures import ProcessPoolExecutor; "
                "pool = ProcessPoolExecutor({workers})"
            ),
        ),
        variables=("Before the workers start: import os; os.environ[{name!r}] = {value!r}",),
        packages=(),
        loaded=(),
        silent=(
            (
                "End the pool, which drops the tasks that wait: "
                "executor.shutdown(wait=False, cancel_futures=True)"
            ),
        ),
        source="https://docs.python.org/3/library/concurrent.futures.html",
    ),
}


def words_of(engine: str) -> EngineWords:
    """Give the words of an engine; those of any executor for one that no row is for."""
    return _ENGINES.get(engine, _ENGINES["executor"])


ENGINES = tuple(_ENGINES)
"""Those that have words of their own."""
