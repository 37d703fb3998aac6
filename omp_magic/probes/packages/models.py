"""Readers of the pools of packages that run models, as `adapters` says of all readers."""

from __future__ import annotations

from types import ModuleType

from ...knowledge.envvars import threads_in
from ...knowledge.package_dialects import TOKENIZERS_OFF
from ...machine.port.rows import THREAD_NAMES
from ...machine.python.own import affinity_cpus
from .answers import attribute, count, loaded, positive
from .poolcontext import Context, Size


def tensorflow(op: str, threads: str, _module: ModuleType, context: Context) -> Size:
    """Read what TensorFlow's context was told, else what it will choose.

    ``tf.config.threading.get_*`` creates the context and looks for devices (2.21), so the
    settings are read where they are kept: tensorflow/python/eager/context.py. Without one, the
    variable is read at the first operation, else the affinity mask counts
    (core/common_runtime/process_util.cc and local_device.cc). The threads across operations
    start all at once and have a name, those within one have none.
    """
    kept = attribute(loaded("tensorflow.python.eager.context"), "_context")
    state = vars(kept) if kept is not None else {}
    field = f"{op}_op_parallelism_threads"
    told = state.get(f"_{field}") or getattr(state.get("_config"), field, 0)
    if state.get("_context_handle") is None:
        value = context.getenv(f"TF_NUM_{op.upper()}OP_THREADS")
        chosen = positive(value, r"\s*(\d{1,9})\s*") or affinity_cpus()
        return Size(would_use=count(told) if told else chosen)
    number = told or (threads and context.thread_names().get(threads, 0))
    if number:
        return Size(num_threads=count(number))
    return Size(note="TensorFlow chose it at its first operation and does not tell")


def onnxruntime(_module: ModuleType, context: Context) -> Size:
    """Give what a session has that names no number: one thread a physical core of the machine.

    Affinity and quota are not looked at (1.32: a worker beside the caller on one of two CPUs, and
    on half a CPU). Sessions tell 0 for a number that was not given, and cannot be listed.
    """
    return Size(would_use=context.physical_cpus, workers=context.owned.get("onnxruntime"))


def jax(_module: ModuleType, context: Context) -> Size:
    """Count the threads of XLA's CPU client that compute, by their name; ask nothing.

    ``jax.devices()`` starts the client. PJRT_NPROC, then NPROC, is read at that moment, else the
    affinity (0.10.2; xla/pjrt/utils.cc, DefaultThreadPoolSize): 0 and -1 gave 1 thread, "3x" and
    "" were as if not set. It has ten threads more, which wait.
    """
    workers = context.owned.get("jaxlib")
    if workers and not context.machine.system.lacks(THREAD_NAMES):
        number = context.thread_names().get("tf_XLAEigen")
        return Size(num_threads=number or None, workers=workers)
    for name in ("PJRT_NPROC", "NPROC"):
        number = threads_in("jaxlib", name, context.getenv(name) or "")
        if number is not None:
            return Size(would_use=number)
    return Size(would_use=affinity_cpus())


def tokenizers(_module: ModuleType, context: Context) -> Size:
    """Count the pool's threads: all that its file owns are Rayon's.

    Rayon reads RAYON_NUM_THREADS when the first batch comes, then RAYON_RS_NUM_CPUS, else it
    takes the affinity, or the quota rounded down (0.23.3: 1 thread for 1.5 CPUs of two).
    TOKENIZERS_PARALLELISM is read at each batch.
    """
    workers = context.owned.get("tokenizers")
    parallel = context.getenv("TOKENIZERS_PARALLELISM")
    if parallel is not None and parallel.lower() in TOKENIZERS_OFF:
        note = f"TOKENIZERS_PARALLELISM={parallel!r:.20}: the calling thread alone"
        return Size(num_threads=1, workers=workers, note=note)
    if workers:
        return Size(num_threads=workers, workers=workers)
    for name in ("RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"):
        number = threads_in("tokenizers", name, context.getenv(name) or "")
        if number is not None:
            return Size(would_use=number)
    cpus, quota = affinity_cpus(), context.quota_cpus
    if cpus is None:
        return Size(note="not asked: it counts CPUs in its own way here")
    return Size(would_use=cpus if quota is None else max(1, min(cpus, int(quota))))


def catboost(_module: ModuleType, context: Context) -> Size:
    """Say that each call names its number; what lives of it is told by the threads alone."""
    return Size(workers=context.owned.get("catboost"))
