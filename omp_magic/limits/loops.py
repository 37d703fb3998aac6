"""The event loop that runs in this thread, as far as a limit must know it."""

from __future__ import annotations

import sys


def isolates(loop: object) -> bool:
    """Tell whether steps of coroutines can be seen in this event loop."""
    base = getattr(sys.modules.get("asyncio.base_events"), "BaseEventLoop", None)
    return base is not None and isinstance(loop, base)


def running_loop() -> object | None:
    """Give the event loop that runs in this thread; asyncio is not imported for it."""
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()  # noqa: SLF001 - documented, and does not raise
