"""A remedy read as a user reads it: what is to be run, and where.

What stands after the first ``": "`` is run as it stands. A text that can neither be run nor stands
in one of the two tables below is an error.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass

NOT_RUN = {
    r"conda (install|create -n [\w-]+) -c conda-forge [a-z][\w.-]*( [a-z][\w.-]*)*": (
        "a test's machine has no conda; the names are those of conda-forge"
    ),
    r"%pip install '[a-z]\w*>=\d+(\.\d+)*'": (
        "an environment of the tests has no other version put into it; versions: knowledge/passed"
    ),
    r"omp-magic check [a-z]\w*( [a-z]\w*)+ --target (macos-arm64|macos-x86_64|windows-x86_64)": (
        "a line for a shell that fetches wheels; tests/pure/test_foreign.py sees orders being tried"
    ),
    r"omp-magic run --workers \d+ -- (gunicorn -w \d+ server:app|python program\.py)": (
        "a line for a shell; tests/process/test_examples.py starts gunicorn so"
    ),
    r"(\w+=\S+ )?dask worker \w+://[\w.:\[\]-]+( --nworkers \d+ --nthreads \d+)?": (
        "a line for a shell of each host of a cluster"
    ),
    r"ray list workers": "a line for a shell",
    r"ipengine --profile=\S+": "a line for a shell of a host of a cluster",
    r"%px %pip install \S+": "as %pip install above",
}
"""Commands that are not run here, and why; a command of this form is taken as right."""

DONE_OTHERWISE = {
    r"(Or )?[Uu]se only one of .+ in a kernel": "alone",
    r"Or fork before the first parallel region": "alone",
    r"Pass (the number|\d+) (to \w+ )?(to the call|where you call).+": "alone",
    r"Restart the kernel(; it then runs what is installed)?": "restart",
    r"Or restart the kernel when there is room for its threads": "restart",
    r"Restart the kernel, and set \w+ alone in it, not \w+": "alone",
    r"(Ask|Or end) [^:]+": "not run",  # a test has no more CPUs, and ends no one's programs
    r"To be stopped less: %omp_limit auto": "not run",  # it lessens: figures in rules' _relief
    # What callers do cannot be seen, so the finding stays: tests/kernel/test_ending.py does it.
    r"Or let one thread in at a time, with a threading\.Lock\(\) around .+": "not run",
    # The work is done where there is no fork, or by a server's own options.
    r"Or compute with \w+ in this process, which uses all CPUs by itself": "not run",
    r"Or import TensorFlow in the children alone": "not run",
    r"Let each worker of a server load and compute by itself \(gunicorn without --preload\)": (
        "not run"
    ),
    # Cures of a cluster: tests/process/test_cluster_remedies.py does those that are code.
    r"Start all workers from one environment, or one image": "not run",
    r"Or let a task that computes with several threads ask for as many CPUs, by num_cpus": (
        "not run"
    ),
    # Packages whose switch is an argument of their own calls, or is not known.
    r"Its own switch is .+": "not run",
    r"No switch of it is known here; its documentation may name .+": "not run",
}
"""Advice with nothing to run: how the test does it, or why it cannot."""

GIVEN = ("client", "dataset", "executor", "item", "items", "pool", "rc", "work")
"""Names that a remedy leaves to its reader; the cells of its trouble define them."""

_NAME = r"[A-Za-z_]\w*"
_VARIABLES = re.compile(rf"{_NAME}=\S+( {_NAME}=\S+)*")
_UNSET = re.compile(rf"unset {_NAME}( {_NAME})*")
_FRESH = re.compile(
    r"\brestart\b|\bfresh kernel\b|\bfirst cell\b|\bbefore the kernel starts\b", re.IGNORECASE
)
# What a user fills in; a line with one of them runs nowhere as it stands.
_PLACEHOLDER = re.compile(r"…|<[\w ]+>|/path/|\b(NAME|VALUE|PACKAGES?|MODULES?|N|X|FILE)\b")


@dataclass(frozen=True)
class Remedy:
    """One remedy.

    `kind` is "cell" (Python or a magic), "body" (a cell magic, over what is to be cured),
    "variables" (of a new kernel), "not run", or a value of `DONE_OTHERWISE`. `fresh` says that it
    wants a new kernel.
    """

    text: str
    kind: str
    run: str = ""
    fresh: bool = False

    @property
    def says(self) -> str:
        return self.text.partition(": ")[0]

    def changed(self, env: dict[str, str]) -> dict[str, str]:
        """Give the variables of a kernel that is started as the remedy says."""
        if self.kind != "variables":
            return env
        words = self.run.split()
        if words[0] == "unset":
            assert set(words[1:]) <= set(env), f"{self.text!r} unsets what is not set"
            return {name: value for name, value in env.items() if name not in words}
        return {**env, **dict(word.split("=", 1) for word in words)}


def read_remedy(text: str) -> Remedy:
    """Read a remedy; an AssertionError says what is wrong with it."""
    says, colon, run = text.partition(": ")
    for form, kind in DONE_OTHERWISE.items():
        if re.fullmatch(form, text):
            return Remedy(text, kind, fresh=kind in ("alone", "restart"))
    assert colon, f"nothing to run, and not in DONE_OTHERWISE: {text!r}"
    assert not _PLACEHOLDER.search(run), f"a placeholder: {text!r}"
    if any(re.fullmatch(form, run) for form in NOT_RUN):
        return Remedy(text, "not run", run)
    fresh = bool(_FRESH.search(says))
    if _VARIABLES.fullmatch(run) or _UNSET.fullmatch(run):
        before = "before the kernel starts" in says.lower()
        assert before, f"where is it set? {text!r}"
        return Remedy(text, "variables", run, fresh=True)
    if run.startswith("%%"):
        assert "\n" not in run
        return Remedy(text, "body", run, fresh)
    if not run.startswith(("%", "!")):
        _needs_nothing(run, text)
    return Remedy(text, "cell", run, fresh)


def _needs_nothing(code: str, text: str) -> None:
    """See that a line of Python brings all names that it uses, and leaves nothing out."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise AssertionError(f"neither Python nor a shell's variables: {text!r}") from error
    nodes = list(ast.walk(tree))
    known = set(dir(builtins))
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            known |= {(each.asname or each.name).partition(".")[0] for each in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            known.add(node.name)
        assert not (isinstance(node, ast.Constant) and node.value is ...), f"left out: {text!r}"
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used -= set(GIVEN)
    assert used <= known, f"{sorted(used - known)} come from nowhere: {text!r}"
