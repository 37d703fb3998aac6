"""The guard's alarms as a cell shows them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from ..guard.guard import Alarm


def report(alarm: Alarm) -> None:
    """Show an alarm as a warning that the user's filters may silence or make an error."""
    import warnings  # noqa: PLC0415 - only an alarm pays

    from .. import errors  # noqa: PLC0415 - as above
    from ..views.alarm import AlarmView  # noqa: PLC0415 - as above

    view = AlarmView(alarm)
    category, refusal = {
        "OMP204": (errors.UnsafeForkWarning, None),
        "OMP213": (errors.UnsendableFunctionWarning, errors.UnsendableFunctionError),
    }.get(alarm.findings[0].code, (errors.DuplicateRuntimeWarning, errors.AlarmError))
    forced = False
    with warnings.catch_warnings(record=True) as shown:
        try:
            warnings.warn(str(view), category, stacklevel=2)
        except category as error:
            if refusal is not None:
                raise refusal(str(error)) from None
            forced = True  # a fork cannot be refused
    if shown or forced:
        from IPython.display import display  # noqa: PLC0415 - as above

        display(view)  # type: ignore[no-untyped-call]  # IPython's has no types
        if alarm.before:
            # The load may end the process in C, which flushes nothing: a kernel's stream
            # waits here until its own thread has sent all that was shown.
            sys.stdout.flush()
