"""The CPUs allowed, and what is asked -> the variables to start a program with."""

from __future__ import annotations

from ..facts.starts import ABOVE, BY_TASKS, BY_WORKERS, KEPT, LEFT, SET, Start, StartVariable
from ..knowledge.inherited import AT_START, INHERITED, for_children

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import, and a server waits for its start
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..facts.cpus import Budget
    from .asking import Asked

_MOST_NUMEXPR = 64
"""See `knowledge.numexpr.BUILT_IN`."""

MARK = "_OMP_MAGIC_RUN"
"""The variable that says which counts of a process, and with what values, are no user's."""
_TOLD = "told"


def users_own(
    environ: Mapping[str, str], asked: Asked | None = None
) -> tuple[dict[str, str], frozenset[str]]:
    """Give an environment without what an `omp-magic run` above it counted, and what of that stays.

    A value that was changed since is the user's. What was counted for a number of threads or of
    workers stays where nothing is said of these now: a worker's program has the worker's share.

    Parameters
    ----------
    environ
        The variables as they are.
    asked
        What is asked for now.
    """
    words = environ.get(MARK, "").split()
    counted = {name: value for name, _, value in (each.partition("=") for each in words)}
    found = {name for name, value in counted.items() if value and environ.get(name) == value}
    if _TOLD in words and (asked is None or not _tells(asked)):
        return dict(environ), frozenset(found)
    return {
        name: value for name, value in environ.items() if name not in found and name != MARK
    }, frozenset()


def marked(
    start: Start,
    after: Mapping[str, str],
    asked: Asked | None = None,
    above: Collection[str] = (),
) -> dict[str, str]:
    """Give a program's environment with the mark that `users_own` reads: what was counted.

    Parameters
    ----------
    start
        How it is started.
    after
        Its environment.
    asked, above
        As `make_start` has them.
    """
    told = bool(above) or (asked is not None and _tells(asked))
    words = [f"{name}={after[name]}" for name in sorted(start.counted) if name in after]
    return {**after, MARK: " ".join([_TOLD, *words] if told else words)}


def _tells(asked: Asked) -> bool:
    return asked.spec is not None or asked.workers > 1


def make_start(
    budget: Budget,
    environ: Mapping[str, str],
    asked: Asked | None = None,
    above: Collection[str] = (),
) -> Start:
    """Give the variables for a program and its pools.

    What the user has set stays, and so does what it sets for others: OpenBLAS, MKL, BLIS and
    NumExpr take OMP_NUM_THREADS where they have no variable of their own, so none gets one then,
    unless it was named. A value that a library goes on without is in nobody's way.

    Parameters
    ----------
    budget
        The CPUs allowed.
    environ
        The user's variables. An empty one counts as not set.
    asked
        What was asked for besides; None for nothing.
    above
        Those that an `omp-magic run` above has set, and that stay; see `users_own`.
    """
    workers, divided = (asked.workers, asked.divided) if asked is not None else (1, BY_WORKERS)
    threads = max(1, budget.threads // workers)
    allowed = _allowed(threads, workers, divided)
    own = {name: text for name, text in environ.items() if text.strip()}
    wanted = dict(_counts(threads, asked))
    forced = dict(asked.forced(own, wanted, threads)) if asked is not None else {}
    user = {name: own[name] for name in own if name not in forced}
    found = {each.name: each for each in forced.values()}
    weaker = _weaker(user, forced)
    notes = []
    if workers > budget.threads:
        many = _TOO_MANY[divided].format(workers)
        notes.append(f"{many}: {budget.threads} would do")
    for name, count in wanted.items():
        if name in found:
            continue
        value = _holding(name, count, own)
        if name in user:
            why = ABOVE if name in above else "set already"
            found[name] = StartVariable(name=name, value=user[name], state=KEPT, why=why)
            if name not in above:
                notes += _of_kept(name, user[name], value, allowed, asked)
        elif name in weaker and not (weaker[name] == _FOR_ALL and _is_named(name, asked)):
            by = weaker[name]
            why = f"it would overrule {by}={_shown(_value(by, user, forced))}"
            found[name] = StartVariable(name=name, value=None, state=LEFT, why=why)
            if _is_named(name, asked):
                notes.append(f"{name} is not set: {why}; --set {name}={value} sets it")
        else:
            was = "; was empty" if name in environ else ""
            found[name] = StartVariable(
                name=name, value=value, state=SET, why=_why(asked) + was,
                named=_is_named(name, asked, itself=True),
            )  # fmt: skip
    for each in _numexpr_ceiling(found, user):
        found[each.name] = each
    order = (*(name for name in wanted if name in found), *(n for n in found if n not in wanted))
    return Start(
        budget=budget,
        workers=workers,
        threads=threads,
        variables=tuple(found[name] for name in order),
        notes=(*(asked.notes if asked is not None else ()), *notes),
        counted=frozenset(
            name
            for name in (*found, *above)
            if name not in forced and (name in above or found[name].state == SET)
        ),
        divided=divided,
    )


def _counts(threads: int, asked: Asked | None) -> Iterator[tuple[str, str]]:
    """Give each variable of a thread count that is to be set, in the order of the tables."""
    if asked is None or asked.spec is None:
        yield from for_children(threads)
        for name in AT_START:
            yield name, str(threads)
        return
    for name, names in INHERITED:
        # All pools are a program's own; joblib's count is for who names it, see `for_children`.
        named = names if name in dict(for_children(1)) else tuple(filter(None, names))
        amount = asked.spec.for_pool(named)
        if amount is not None:
            yield name, str(amount.threads(threads))
    rest = asked.spec.for_pool(("",))
    if rest is not None:
        listed = {name for name, _ in INHERITED}
        others = (name for name, _ in for_children(1) if name not in listed)
        for name in (*others, *AT_START):
            yield name, str(rest.threads(threads))


def _is_named(name: str, asked: Asked | None, *, itself: bool = False) -> bool:
    """Tell whether the pools of a variable were named, by blas too or each itself; not just all."""
    if asked is None or asked.spec is None:
        return False
    names = tuple(filter(None, dict(INHERITED).get(name, ())))
    if itself:
        names = tuple(each for each in names if each != "blas")
    return asked.spec.for_pool(names) is not None


def _why(asked: Asked | None) -> str:
    return "as --threads says" if asked is not None and asked.spec is not None else ""


def _weaker(user: Mapping[str, str], forced: Mapping[str, StartVariable]) -> dict[str, str]:
    """Give each variable that would overrule one that has a value, and that one."""
    given = {*user, *(name for name, each in forced.items() if each.value is not None)}
    if given.isdisjoint(_YIELDING):
        return {}  # as it is nearly always: the tables are not loaded
    from ..knowledge.envvars import threads_in  # noqa: PLC0415 - as above
    from ..knowledge.precedence import ORDERS  # noqa: PLC0415 - as above

    found: dict[str, str] = {}
    for reader, order in ORDERS.items():
        for place, name in enumerate(order.variables):
            for other in order.variables[place + 1 :]:
                if name in given or other not in given:
                    continue
                if threads_in(reader, other, _value(other, user, forced)) is not None:
                    found.setdefault(name, other)
    return found


def _says_nothing(name: str, text: str) -> bool:
    """Tell whether no library makes anything of a count that the user has set."""
    if text.isascii() and text.isdecimal() and text.strip("0"):
        return False  # as it is nearly always: the tables are not loaded
    from ..knowledge.envvars import threads_in  # noqa: PLC0415 - as above
    from ..knowledge.meanings import problem_of  # noqa: PLC0415 - as above
    from ..knowledge.precedence import ORDERS  # noqa: PLC0415 - as above

    readers = [key for key, order in ORDERS.items() if name in order.variables]
    unread = all(threads_in(reader, name, text) is None for reader in readers)
    return bool(readers) and unread and bool(problem_of(name, text))


def _of_kept(
    name: str, text: str, value: str, allowed: tuple[int, str], asked: Asked | None
) -> Iterator[str]:
    """Say what is wrong with a count of the user's, which stays, if anything is."""
    stays = f"{name}={_shown(text)} is set already and stays"
    if asked is not None and asked.threads and text.strip() != value:
        yield f"{stays}; --set {name}={value} replaces it"
    elif _says_nothing(name, text):
        yield f"{stays}, and nothing understands it; --fix OMP304 replaces it"
    elif _most(name, text) > allowed[0]:
        yield f"{stays}: more than {allowed[1]}; --fix OMP201 replaces it"


def _most(name: str, text: str) -> int:
    """Give the most threads that a reader makes of a count that the user has set; 0 for none."""
    if text.isascii() and text.isdecimal() and len(text) < _MOST_DIGITS:
        return int(text)  # as it is nearly always: the tables are not loaded
    from .fixes import most_threads_in  # noqa: PLC0415 - as above

    return most_threads_in(name, text) or 0


_MOST_DIGITS = 9


_TOO_MANY = {
    BY_WORKERS: "{} workers are more than the CPUs",
    BY_TASKS: "{} tasks at once (workers times their threads) are more than the CPUs, with one "
    "thread each too",
}


def _allowed(threads: int, workers: int, divided: str) -> tuple[int, str]:
    told = f"the {threads} thread{'s' if threads > 1 else ''} that the CPUs allow"
    return threads, f"{told} each {divided}" if workers > 1 else told


_FOR_ALL = "OMP_NUM_THREADS"
"""It is read by libraries that have a variable of their own too."""

_YIELDING = frozenset({
    "OMP_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS", "GOTO_NUM_THREADS", "NPROC",
    "RAYON_RS_NUM_CPUS",
})  # fmt: skip
"""Those that are the strongest of no row of `knowledge.precedence.ORDERS`; a test compares."""


def _value(name: str, user: Mapping[str, str], forced: Mapping[str, StartVariable]) -> str:
    return user[name] if name in user else forced[name].value or ""


def _holding(name: str, value: str, own: Mapping[str, str]) -> str:
    """Give a count that the reader does not refuse: NumExpr has one thread above its ceiling."""
    if name == "NUMEXPR_NUM_THREADS" and "NUMEXPR_MAX_THREADS" in own:
        from ..knowledge.numexpr import most_threads  # noqa: PLC0415 - nearly nobody sets it

        most = most_threads(own["NUMEXPR_MAX_THREADS"])
        return str(min(int(value), most)) if most >= 1 else value
    return value


def _numexpr_ceiling(
    found: Mapping[str, StartVariable], user: Mapping[str, str]
) -> Iterator[StartVariable]:
    """Raise NumExpr's ceiling for a count above it, which it would refuse."""
    count = found.get("NUMEXPR_NUM_THREADS")
    if count is None or count.state != SET or "NUMEXPR_MAX_THREADS" in (*user, *found):
        return
    if int(count.value or 1) > _MOST_NUMEXPR:
        yield StartVariable(
            name="NUMEXPR_MAX_THREADS",
            value=count.value,
            state=SET,
            why=f"NumExpr refuses more than {_MOST_NUMEXPR} without it",
        )


def _shown(text: str) -> str:
    """Give a value for a line: as it is where it is a word, else quoted and short."""
    if text.isascii() and text.isprintable() and " " not in text and len(text) <= 40:
        return text
    from ..knowledge.meanings import shown  # noqa: PLC0415 - nearly every value is a number

    return shown(text)
