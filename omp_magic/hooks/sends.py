"""Where functions are given to other processes: the calls that are seen, and who makes them.

`BaseProcess.start` sends a Process with its target and arguments, and so what the workers of a
Pool, of a ProcessPoolExecutor and of PyTorch's DataLoader are started with; the tasks of a Pool
and of an executor are sent by their own methods. Nothing is imported for it: a module is wrapped
once it is there.
"""

from __future__ import annotations

import sys

from .wrapping import Wrappings

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

_TASKS = ("apply_async", "map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered")
_ALL_SENT = ("start", "submit")
_STAY = ("callback", "error_callback", "chunksize")
"""Arguments of a task that no worker sees; by position they come after what it sees."""
_METHODS = ("spawn", "forkserver")
_BY_TARGET = {
    "multiprocessing.pool": "Pool",
    "concurrent.futures.process": "ProcessPoolExecutor",
    "torch.utils.data._utils.worker": "DataLoader",
}
_MOST_FRAMES = 8


class Send:  # no dataclass: loading must stay cheap
    """Something that is about to be given to a process that starts anew.

    Parameters
    ----------
    kind
        As in `facts.Sending`.
    method
        ``"spawn"`` or ``"forkserver"``.
    what
        The objects that will be pickled.
    pool
        The pool or executor; None where there is none.
    """

    def __init__(self, kind: str, method: str, what: tuple[Any, ...], pool: Any) -> None:
        self.kind = kind
        self.method = method
        self.what = what
        self.pool = pool


class Sends:
    """The wrappers around these calls; in place while somebody watches."""

    def __init__(self) -> None:
        self._watchers: tuple[Callable[[Send], Exception | None], ...] = ()
        self._wrappings = Wrappings()
        self._logged = False

    def add(self, watcher: Callable[[Send], Exception | None]) -> None:
        """Tell a function of each `Send` before it happens; what it gives is raised instead."""
        if watcher not in self._watchers:
            self._watchers = (*self._watchers, watcher)
        self.cover()

    def remove(self, watcher: Callable[[Send], Exception | None]) -> None:
        """Tell it no more; with the last one the wrappers go."""
        self._watchers = tuple(each for each in self._watchers if each != watcher)
        if not self._watchers:
            self._wrappings.remove()

    def cover(self) -> None:
        """Wrap what has been imported by now."""
        if not self._watchers:
            return
        for module, holder, names in (
            ("multiprocessing.process", "BaseProcess", ("start",)),
            ("multiprocessing.pool", "Pool", _TASKS),
            ("concurrent.futures.process", "ProcessPoolExecutor", ("submit",)),
        ):
            place = getattr(sys.modules.get(module), holder, None)
            for name in names if place is not None else ():
                if hasattr(place, name):
                    self._wrappings.put(place, name, self._around)

    def _around(self, original: Any) -> Any:
        name = original.__name__
        describe = {"start": of_process, "submit": of_executor}.get(name, of_pool)
        sent = None if name in _ALL_SENT else 3 if name == "apply_async" else 2
        stay = () if name in _ALL_SENT else _STAY

        def call(owner: Any, /, *arguments: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            given = (*arguments[:sent], *(named[each] for each in named if each not in stay))
            refusal = self._tell(describe, owner, given)
            if refusal is not None:
                raise refusal
            return original(owner, *arguments, **named)

        call.__wrapped__ = original  # type: ignore[attr-defined]  # what inspect.signature follows
        return call

    def _tell(
        self, describe: Callable[[Any, Any], Send | None], owner: Any, given: tuple[Any, ...]
    ) -> Exception | None:
        refusal = None
        try:
            send = describe(owner, given) if self._watchers else None
            for watcher in self._watchers if send is not None else ():
                refusal = watcher(send) or refusal  # type: ignore[arg-type]  # not None here
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's call
            if not self._logged:
                self._logged = True
                import logging  # noqa: PLC0415 - never needed when all goes well

                line = f"omp_magic: not watched ({type(error).__name__}: {error})"
                logging.getLogger("omp_magic").warning(line)
        return refusal


def of_process(process: Any, _given: tuple[Any, ...]) -> Send | None:
    """Give what a Process sends when it starts; None where it is forked."""
    method = getattr(process, "_start_method", None) or _method_of(None)
    if method not in _METHODS:
        return None
    own = vars(process)
    target = own.get("_target")
    kind = _BY_TARGET.get(str(getattr(target, "__module__", "")), "Process")
    what = (type(process), target, own.get("_args"), own.get("_kwargs"))
    return Send(kind, method, what, _owner() if kind in ("Pool", "ProcessPoolExecutor") else None)


def of_pool(pool: Any, given: tuple[Any, ...]) -> Send | None:
    """Give a task of a Pool; None where its workers are forked, or threads."""
    threads = getattr(sys.modules["multiprocessing.pool"], "ThreadPool", ())
    method = _method_of(getattr(pool, "_ctx", None))
    return Send("Pool", method, given, pool) if _sends(pool, threads, method) else None


def _sends(pool: Any, threads: Any, method: str) -> bool:
    return method in _METHODS and not isinstance(pool, threads)


def of_executor(executor: Any, given: tuple[Any, ...]) -> Send | None:
    """Give a task of a ProcessPoolExecutor; None where its workers are forked."""
    method = _method_of(getattr(executor, "_mp_context", None))
    kind = "ProcessPoolExecutor"
    return Send(kind, method, given, executor) if method in _METHODS else None


def _method_of(context: Any) -> str:
    """Give how a context starts processes, without settling it; see `probe_start_method`."""
    source = context if context is not None else sys.modules["multiprocessing"]
    chosen = source.get_start_method(allow_none=True)
    return str(chosen or sys.modules["multiprocessing"].get_all_start_methods()[0])


def _owner() -> Any:
    """Give the pool or executor that starts a worker: its method is a few frames up."""
    pools = getattr(sys.modules.get("multiprocessing.pool"), "Pool", ())
    executors = getattr(sys.modules.get("concurrent.futures.process"), "ProcessPoolExecutor", ())
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - no other way to the caller
    for _ in range(_MOST_FRAMES):
        if frame is None:
            break
        owner = frame.f_locals.get("self")
        if isinstance(owner, pools) or isinstance(owner, executors):  # noqa: SIM101 - () is no type
            return owner
        frame = frame.f_back
    return None


SENDS = Sends()
"""The calls of this process."""
