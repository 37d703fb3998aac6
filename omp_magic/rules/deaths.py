"""Why a kernel has ended: what is left of it -> a cause, how sure that is, and what to do.

What the runtime itself said comes first, then the signal, the exit, who asked the kernel to end,
and the memory killer. Where nothing of that is left it ended by a way that leaves no trace: that is
then said, and not guessed at.
"""

from __future__ import annotations

from ..facts.deaths import Death
from ..facts.memory import bytes_words
from ..facts.remains import Kills, Remains
from ..knowledge.lastlines import SIGNALS, LastLine, last_line_in
from .death_words import (
    cell_words,
    doing_words,
    evidence_of,
    exit_words,
    figures_words,
    finding_of,
    lasted,
    place_of,
    remedies_of,
    signal_words,
    tried,
    with_owner,
    written,
)

_FAULTHANDLER = "https://docs.python.org/3/library/faulthandler.html"
_RUNTIMES = ("OMP101", "OMP107", "OMP102", "OMP105")
"""Findings that may be behind a segmentation fault, the likelier first."""
_HANGS = ("OMP103", "OMP204")


def judge_death(remains: Remains) -> Death:
    """Give why a kernel ended.

    Parameters
    ----------
    remains
        What is left of it.
    """
    exited = remains.exited is not None and remains.exited[0]
    said = last_line_in("\n".join(remains.lines))
    # All of them end by abort or exit. Where neither was the line is a child's, which has the same
    # stderr; or it cannot be told.
    ended = remains.error == "Aborted" or exited
    seen = remains.signals_kept and remains.exited is not None
    if said is not None and (ended or (not seen and remains.shutdown_s is None)):
        return _by_line(remains, *said, sure=ended)
    if remains.error or exited:
        return _by_signal(remains) if remains.error else _by_exit(remains)
    return _from_outside(remains)


def _from_outside(remains: Remains) -> Death:
    if remains.shutdown_s is not None:
        return _by_request(remains, remains.shutdown_s)
    # A group counts its own, also where the machine's memory was used up: then it was another's.
    own = [each for each in remains.kills if each.where and each.after is not None]
    killed = next((each for each in own or remains.kills if each.more), None)
    if killed is not None:
        return _by_memory(remains, killed)
    return _by_machine(remains) if remains.same_boot is False else _by_somebody(remains)


def _by_line(remains: Remains, row: LastLine, groups: tuple[str, ...], *, sure: bool) -> Death:
    named = tuple(with_owner(remains, group) for group in groups)
    finding = finding_of(remains, (row.code,))
    return Death(
        remains=remains,
        cause="runtime",
        sure=sure,
        headline=row.told.format(
            *named, cell=f"{'' if sure else ', most likely'}{cell_words(remains)}"
        ),
        why=row.why if sure else f"{row.why} That the kernel wrote it, and no child, is not sure.",
        code=row.code,
        evidence=(
            *written(remains),
            *signal_words(remains),
            *exit_words(remains),
            *evidence_of(remains, finding),
        ),
        remedies=remedies_of(row.code, finding),
        source=row.source,
    )


def _by_signal(remains: Remains) -> Death:
    signal, meaning = SIGNALS.get(remains.error, (remains.error, "an error in C"))
    place = place_of(remains.stack)
    finding = finding_of(remains, _RUNTIMES)
    if signal == "SIGABRT" and finding is not None and finding.code == "OMP101":
        # The line that says so was lost on its way; a runtime that was foreseen to end it did.
        return Death(
            remains=remains,
            cause="runtime",
            sure=False,
            headline=f"died of Error #15, most likely{cell_words(remains)}: {finding.title}",
            why=finding.why,
            code=finding.code,
            evidence=(*signal_words(remains), *evidence_of(remains, finding)),
            remedies=finding.remedies,
            source=finding.source,
        )
    why = (
        f"{signal} is {meaning}. Python's stack says which call of the notebook led there; whose "
        "fault it is a library's own code knows."
    )
    if finding is not None:
        why += f" Known to do so, and found in that kernel: {finding.title}."
    return Death(
        remains=remains,
        cause="signal",
        sure=True,
        headline=f"died of {signal}{cell_words(remains)}{f', in {place}' if place else ''}",
        why=why,
        code=finding.code if finding is not None else "",
        evidence=(*written(remains), *evidence_of(remains, finding)),
        remedies=(
            *(finding.remedies if finding is not None else ()),
            *tried(remains),
        ),
        source=finding.source if finding is not None else _FAULTHANDLER,
    )


def _by_exit(remains: Remains) -> Death:
    code = remains.exited[1] if remains.exited is not None else None
    finding = finding_of(remains, ("OMP104", "OMP210"))
    with_code = "" if code is None else f" with {code}"
    if finding is not None and finding.code == "OMP104" and code in (None, 1):
        headline = f"was ended by mkl{cell_words(remains)}, most likely, which called exit"
        return Death(
            remains=remains,
            cause="runtime",
            sure=False,
            headline=f"{headline}{with_code}: {finding.title}",
            why=finding.why,
            code=finding.code,
            evidence=(*written(remains), *evidence_of(remains, finding)),
            remedies=finding.remedies,
            source=finding.source,
        )
    return Death(
        remains=remains,
        cause="exit",
        sure=True,
        headline=f"was ended by a library{cell_words(remains)}, which called C's exit{with_code}",
        why=(
            "C's exit ends the process at once: Python raises nothing, and cleans nothing up. "
            "Libraries call it at errors that they take for the program's end, and mostly say why "
            "on stderr."
        ),
        code=finding.code if finding is not None else "",
        evidence=(*written(remains), *evidence_of(remains, finding)),
        remedies=(*(finding.remedies if finding is not None else ()), *tried(remains)),
        source="https://man7.org/linux/man-pages/man3/exit.3.html",
    )


def _by_request(remains: Remains, asked_s: float) -> Death:
    what = "restarted" if remains.restarting else "shut down"
    source = "https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-shutdown"
    cell = remains.cell
    if cell is None or not remains.busy:
        return Death(
            remains=remains,
            cause="restart",
            sure=True,
            headline=f"was {what}, and did not end in time",
            why="It was asked to end while no cell ran, and was killed before it had cleaned up.",
            source=source,
            notable=False,
        )
    finding = finding_of(remains, _HANGS)
    ran = lasted(asked_s - cell.began_s)
    number = f"cell {cell.number}" if cell.number else "its cell"
    why = f"{number.capitalize()} did not end when the kernel was asked to, so it was killed."
    if finding is not None:
        why += f" Known to hang, and found in that kernel: {finding.title}."
    return Death(
        remains=remains,
        cause="restart",
        sure=True,
        headline=f"was {what} while {number} had run for {ran}{doing_words(remains)}",
        why=why,
        code=finding.code if finding is not None else "",
        evidence=(*figures_words(remains), *evidence_of(remains, finding)),
        remedies=(
            finding.remedies
            if finding is not None
            else ("The next time, see from a terminal what it waits for: omp-magic top",)
        ),
        source=finding.source if finding is not None else source,
    )


def _by_memory(remains: Remains, killed: Kills) -> Death:
    limit = "" if killed.limit_bytes is None else f" of {bytes_words(killed.limit_bytes)}"
    group = f"the memory limit{limit} of {killed.where}" if killed.where else "the machine's memory"
    count = "1 process" if killed.more == 1 else f"{killed.more} processes"
    where = f"in {killed.where}" if killed.where else "on this machine"
    since = f"since the kernel was last seen ({killed.before} before, {killed.after} after)"
    # A kernel that does nothing takes no memory: its group may have lost another then.
    sure = "almost surely" if killed.where and remains.busy else "most likely"
    return Death(
        remains=remains,
        cause="memory",
        sure=False,
        headline=(
            f"was {sure} killed by the memory killer{cell_words(remains)}: {group} was used up"
        ),
        why=(
            "When memory is used up the kernel of Linux ends a process with SIGKILL, which nothing "
            "in the process can see. It left no other trace, and the count of such kills went up "
            "meanwhile."
        ),
        evidence=(f"memory killer: {count} {where} {since}", *figures_words(remains)),
        remedies=(
            "See what a cell uses while it runs: %%omp_watch",
            "Plan workers that fit into the memory: %omp_plan",
        ),
        source="https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events)",
    )


def _by_machine(remains: Remains) -> Death:
    return Death(
        remains=remains,
        cause="machine",
        sure=False,
        headline=f"ended with its machine{cell_words(remains)}, or before that",
        why=(
            "The machine, or the virtual one, has started again since the kernel was last seen, "
            "and nothing says that it ended earlier."
        ),
        source="https://man7.org/linux/man-pages/man4/random.4.html (boot_id)",
        notable=remains.busy,
    )


def _by_somebody(remains: Remains) -> Death:
    cell = remains.cell
    ran = ""
    if cell is not None and remains.busy and remains.last_s - cell.began_s >= 1:
        ran = f", which had run for {lasted(remains.last_s - cell.began_s)} at least"
    killer = (
        "the memory killer's counts did not move"
        if any(each.after is not None for each in remains.kills)
        else "whether the memory killer did it is not known here"
    )
    unseen = (
        ("a signal", not remains.signals_kept),
        ("an exit in C", remains.exited is None),
    )
    names = " or ".join(name for name, is_unseen in unseen if is_unseen)
    blind = f" Here {names} would have left none either: see below." if names else ""
    return Death(
        remains=remains,
        cause="unknown",
        sure=False,
        headline=f"ended without a trace{cell_words(remains)}{ran}",
        why=(
            "It was killed (kill -9, SIGTERM, a container or a server that stopped), or code in it "
            "called os._exit: nothing in a process sees those. So would end one whose stack "
            "overflowed outside the main thread, or of whose signals a library took care."
            f"{blind} {killer[0].upper()}{killer[1:]}."
        ),
        evidence=(*written(remains), *figures_words(remains)),
        remedies=(
            "Ask the system's log, where you may: journalctl -k --grep 'oom|killed process'",
        ),
        source="https://man7.org/linux/man-pages/man7/signal.7.html (SIGKILL)",
        notable=remains.busy,
    )
