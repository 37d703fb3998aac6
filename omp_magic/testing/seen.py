"""What was seen in a session, and when: values for `problems` to judge."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..facts.changes import Change


@dataclass(slots=True)
class Count:
    """A pool's threads, as they were at first, and each change.

    Parameters
    ----------
    title
        The pool's name for people.
    first, last
        Threads at the first look and at the last one. What was wished for counts as the first.
    changes
        (threads after, when) of each change since, in their order.
    """

    title: str
    first: int
    last: int
    changes: list[tuple[int, str]] = field(default_factory=list)

    def note(self, threads: int, when: str, *, wish: bool) -> None:
        """Take in a look."""
        if threads != self.last and wish:
            self.first = self.last = threads
            self.changes.clear()
        elif threads != self.last:
            self.last = threads
            self.changes.append((threads, when))

    @property
    def changed_at(self) -> str:
        """When it came to its last value; "" where that is the first one."""
        return self.changes[-1][1] if self.last != self.first else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A change of the process's state, and when it was seen.

    Parameters
    ----------
    change
        What changed.
    when
        ``"in tests/test_a.py::test_b"``.
    wish
        Whether a conftest.py or a file of tests wants it for its session.
    """

    change: Change
    when: str
    wish: bool = False


@dataclass(slots=True)
class Seen:
    """All that was seen.

    Parameters
    ----------
    came
        Path of a runtime -> with which import it came, and when.
    counts
        The pools, by what tells them apart.
    told
        The changes that still hold.
    """

    came: dict[str, str] = field(default_factory=dict)
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    told: dict[tuple[str, str], Told] = field(default_factory=dict)

    def counted(
        self,
        key: tuple[str, str],
        title: str,
        threads: int | None,
        when: str,
        *,
        wish: bool = False,
    ) -> None:
        """Take in a pool's threads; None where they may not be asked."""
        if threads is None:
            return
        known = self.counts.get(key)
        if known is None:
            self.counts[key] = Count(title, threads, threads)
        else:
            known.note(threads, when, wish=wish)
