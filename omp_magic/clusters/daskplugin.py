"""`omp_magic.dask_plugin`: what a Dask client registers for all workers, those to come too."""

from __future__ import annotations

from builtins import eval as evaluate
from functools import cache
from typing import TYPE_CHECKING, Any, SupportsIndex

from ..limits.spec import parse_limit
from .atscheduler import NAME
from .shares import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .daskworker import AtWorker

_ASKING = 'omp_magic.dask_plugin("{}")'
_MAKING = "(lambda names: (exec({!r}, names), names['made']())[1])({{'__name__': {!r}}})"
_WITHOUT = """
def made():
    import logging
    from distributed import WorkerPlugin
    try:
        found = {text}
    except Exception as error:
        found = "%s: %s" % (type(error).__name__, error)
    if isinstance(found, WorkerPlugin):
        return found
    logging.getLogger("omp_magic").warning("omp_magic: no limit here (%s)", found)
    return WorkerPlugin()
"""
"""A worker that cannot load its plugin does not start, so this gives one that does nothing."""


def dask_plugin(spec: str | SupportsIndex | Mapping[str, SupportsIndex | str] = AUTO) -> Any:
    """Give a plugin that limits every Dask worker at its start, and reports what is found there.

    ``client.register_plugin(omp_magic.dask_plugin())`` sends it to all workers, those that come
    later and those that a nanny starts anew too; ``client.unregister_worker_plugin("omp_magic")``
    gives each pool back what it had. Workers and scheduler need no omp_magic. What is found at a
    worker is an event of the topic ``"omp_magic"`` (``client.get_events("omp_magic")``) and a line
    of the scheduler's log, once; a worker looks at itself every five seconds at most.

    Parameters
    ----------
    spec
        ``"auto"``: the worker's share of the CPUs of its machine, divided by the tasks that run
        there at once; it is counted anew when a worker with this plugin comes or goes. Anything
        else is as `omp_magic.limit` takes it.

    Returns
    -------
    distributed.WorkerPlugin
        Its name is ``"omp_magic"``, so that a second one takes the place of the first.

    Raises
    ------
    LimitError
        At once, here, when `spec` is no limit. What fails at a worker is logged there, in a line.
    ModuleNotFoundError
        When distributed is not installed.
    OSError
        When this omp_magic has no sources that could be sent.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.dask_plugin("auto/2").spec
    'auto/2'
    """
    given = (
        spec
        if spec == AUTO
        else parse_limit(spec, asking=_ASKING, names="help(omp_magic.limit)").text
    )
    return plugin_of(str(given), _at_scheduler())


def plugin_of(spec: str, at_scheduler: str) -> Any:
    """Give the plugin; called in a worker too, by the text that travels.

    Parameters
    ----------
    spec, at_scheduler
        As in `AtWorker`.
    """
    return _kind()(spec, at_scheduler)


def _at_scheduler() -> str:
    """Give a text that makes the scheduler's plugin from this package's source."""
    from .carried import source_of  # noqa: PLC0415 - only who sends it needs that

    return _MAKING.format(source_of(f"{__package__}.atscheduler"), "omp_magic_at_scheduler")


@cache
def _kind() -> type[Any]:
    """Make the class, where distributed is."""
    from distributed import WorkerPlugin  # noqa: PLC0415 - an engine that only its users have

    class OmpMagicPlugin(WorkerPlugin):
        """Limits its worker, and reports what is found there."""

        name = NAME

        def __init__(self, spec: str, at_scheduler: str) -> None:
            self.spec = spec
            self._at_scheduler = at_scheduler
            self._at: AtWorker | None = None

        def __reduce__(self) -> tuple[Any, tuple[str]]:
            from .carried import bringing_text_of  # noqa: PLC0415 - as above

            call = f"plugin_of({self.spec!r}, {self._at_scheduler!r})"
            text = bringing_text_of("clusters.daskplugin", call)
            return evaluate, (_MAKING.format(_WITHOUT.format(text=text), "omp_magic_plugin"),)

        async def setup(self, worker: Any) -> None:
            """Limit a worker."""
            from .daskworker import AtWorker  # noqa: PLC0415 - a client has no use for it

            self._at = AtWorker(worker, self.spec, self._at_scheduler)
            await self._at.begin()

        async def teardown(self, worker: Any) -> None:
            """Give its pools back what they had."""
            del worker
            at, self._at = self._at, None
            if at is not None:
                await at.end()

    return OmpMagicPlugin
