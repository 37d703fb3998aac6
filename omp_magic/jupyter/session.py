"""The limit that is held for the session, as the magics and the dashboard set it.

A failure of omp_magic itself becomes one logged line and the cell runs as if it were not there.
"""

from __future__ import annotations

from ..facts.limits import Limit
from ..here import HERE
from ..limits.held import Held
from ..limits.notes import exceptions
from ..limits.spec import LimitSpec, parse_limit
from ..views.words import counted
from .saying import entry_notes, in_one_line, logged, say, spec_of


class Session:
    """The limit that `%omp_limit SPEC` holds until `%omp_limit off`."""

    def __init__(self) -> None:
        self._held: Held | None = None
        self._said: tuple[str, ...] = ()
        self._labels: dict[str, str] = {}

    @property
    def limit(self) -> str:
        """The line that has set what is in force, or ""."""
        return self._held.told.set_by if self._held is not None else ""

    def set(self, text: str, *, env: bool = True) -> str:
        """Put a limit in force instead of the one before, and give a line that says so.

        Parameters
        ----------
        text
            The limit.
        env
            Whether child processes inherit it.

        Raises
        ------
        UsageError
            When it cannot be set; the one before stays in force.
        """
        spec = spec_of(text, "%omp_limit", ("off",))
        told = Limit(spec=spec.text, set_by=f"%omp_limit {spec.text}", undo="%omp_limit off")
        with in_one_line():
            held, ended = self._put(spec, told, env=env)
        say((*ended, *entry_notes(spec, held)))
        pools, others = counted(len(held.amounts), "pool"), exceptions(held.notes)
        where = f"on {pools}, not on {others}" if others else f"on {pools}"
        return f"omp_limit {spec.text}: in force for this session {where}; %omp_limit off ends it"

    def adjust(self, name: str, threads: int | str, set_by: str, label: str = "") -> str:
        """Change the session's limit for one pool, and keep it for the others.

        Parameters
        ----------
        name
            Of the pool, as limits name it; ``""`` for every pool, instead of all before.
        threads
            A number or ``"auto"``.
        set_by
            Who asks, for people.
        label
            The pool's name for people, or "".

        Returns
        -------
        str
            A line that says what is in force.

        Raises
        ------
        LimitError
            When it cannot be set; the one before stays in force.
        """
        before = {} if self._held is None or not name else dict(self._held.spec.amounts)
        amounts = {each: amount.text for each, amount in before.items()}
        spec = parse_limit({**amounts, name: threads})
        self._labels[name] = label or name.rpartition("/")[2]
        text = ", ".join(
            f"{self._labels.get(each) or each} {amount.text}" if each else amount.text
            for each, amount in spec.amounts
        )
        return self._adjusted(spec, text, set_by)

    def apply(self, text: str, set_by: str) -> str:
        """Put a limit in force as a magic's line has it, instead of all before.

        Parameters
        ----------
        text
            What follows ``%omp_limit``.
        set_by
            Who asks, for people.

        Returns
        -------
        str
            A line that says what is in force.

        Raises
        ------
        LimitError
            When it cannot be set; the one before stays in force.
        """
        words = text.split()
        spec = parse_limit(" ".join(word for word in words if word != "--no-env"))
        return self._adjusted(spec, spec.text, set_by, env="--no-env" not in words)

    def _adjusted(self, spec: LimitSpec, text: str, set_by: str, *, env: bool = True) -> str:
        told = Limit(spec=text, set_by=set_by, undo="%omp_limit off")
        held, ended = self._put(spec, told, env=env)
        return "; ".join((f"limit {text}", *entry_notes(spec, held), *ended))

    def _put(
        self, spec: LimitSpec, told: Limit, *, env: bool = True
    ) -> tuple[Held, tuple[str, ...]]:
        """Give the limit that is in force now, and what the one before could not give back."""
        held = HERE.limiter.enter(spec, env=env, everywhere=True, told=told)
        ended = self._leave()
        self._held, self._said = held, held.notes
        return held, ended

    def end(self, *, quietly: bool = False) -> str:
        """Take the limit back and give a line that says so.

        Parameters
        ----------
        quietly
            Whether what could not be given back is part of the line, and not printed.
        """
        line, otherwise = "omp_limit: no limit is in force for the session", ""
        ended: tuple[str, ...] = ()
        if self._held is not None:
            line = f"omp_limit off: {self._held.told.spec} has ended"
            otherwise = ", every pool has its own count again"
            with in_one_line():
                ended = self._leave()
        left = "; ".join(f"{each.set_by}, until {each.undo}" for each in HERE.limits)
        line += f"; still in force: {left}" if left else otherwise
        if quietly:
            return "; ".join((line, *ended))
        say(ended)
        return line

    def tell(self) -> str:
        """Say what is in force, a line for each limit."""
        lines = (
            f"omp_limit {each.spec} is in force, set by {each.set_by}; {each.undo} ends it"
            for each in HERE.limits
        )
        return "\n".join(lines) or "omp_limit: no limit is in force; example: %omp_limit auto"

    def cover(self) -> None:
        """Before a cell: follow the budget, and hold the limit on what was loaded past Python.

        Cells of a subshell run on another thread (ipykernel 7), which gets the limit too.
        """
        if self._held is None:
            with logged("this thread may have an older limit"):
                HERE.sync()
        else:
            with logged("new libraries are not limited"):
                self._held.follow()
                new = tuple(note for note in self._held.notes if note not in self._said)
                self._said += new
                say(new)

    def _leave(self) -> tuple[str, ...]:
        if self._held is None:
            return ()
        held, self._held = self._held, None
        held.leave()
        return held.afterwards
