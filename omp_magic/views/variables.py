"""Words for environment variables, the same in every view."""

from __future__ import annotations

from ..facts.settings import EnvSetting


def value_of(setting: EnvSetting) -> str:
    """Give a variable's value as libraries see it; ``not set`` where it is not."""
    return "not set" if setting.native is None else setting.native


def history_of(setting: EnvSetting) -> str:
    """Give when a variable was set and where it differs."""
    words = []
    if setting.at_exec is None:
        words.append("set after the start")
    elif setting.at_exec != setting.native:
        words.append(f"was {setting.at_exec} at the start")
    else:
        words.append("set before the start")
    if setting.python != setting.native:
        shown = "not set" if setting.python is None else setting.python
        words.append(f"os.environ says {shown}")
    if setting.change is not None and setting.change.by:
        words.append(f"by {setting.change.by}")
    elif setting.set_by:
        words.append(f"by {' or '.join(setting.set_by)}")
    return ", ".join(words)


def effect_of(setting: EnvSetting) -> str:
    """Give what the loaded libraries made of a variable; what it means where none reads it."""
    if setting.problem:
        return setting.problem
    words = []
    for state in dict.fromkeys(reading.state for reading in setting.readings):
        same = [reading for reading in setting.readings if reading.state == state]
        readers = ", ".join(reading.reader for reading in same)
        by = ", ".join(sorted({reading.by for reading in same if reading.by}))
        why = "; ".join(dict.fromkeys(reading.why for reading in same if reading.why))
        more = f" ({why})" if why else ""
        words.append(f"{state}{f' by {by}' if by else ''}: {readers}{more}")
    return "; ".join(words) or setting.meaning
