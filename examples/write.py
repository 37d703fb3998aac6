"""Write what omp-magic env writes into examples/server/fixed: `make examples`.

The CPUs and the packages are named here, so that every machine writes the same; what a user runs
is ``omp-magic env --format FORMAT --workers 2``, which counts and looks.
"""

from __future__ import annotations

from pathlib import Path

from omp_magic.facts.cpus import Bound, Budget
from omp_magic.starting import in_form
from omp_magic.starts.asking import asked_for
from omp_magic.starts.making import make_start
from omp_magic.starts.readers import readers_here

FOLDER = Path(__file__).parent / "server" / "fixed"
WORKERS = 2
CPUS = Bound(source="declared", cpus=4.0, detail="examples/write.py")
BUDGET = Budget(
    quota_cpus=None, threads=4, binding=CPUS, bounds=(CPUS,), affinity_cpus=4, machine_cpus=4
)
RUNTIMES = {"openblas": ("numpy",)}
"""What requirements.txt installs on Linux: NumPy's wheel has an OpenBLAS, gunicorn has nothing."""
FILES = {
    "Dockerfile": "dockerfile",
    "compose.override.yaml": "compose",
    "kubernetes.yaml": "kubernetes",
    "omp-magic.config.js": "pm2",
    "small-server.env": "dotenv",
    "small-server.service.d/omp-magic.conf": "systemd",
    "start.sh": "bash",
    "workflow.yml": "github",
}
"""The format of each; between marks where there are some, else the whole file."""
_BEGIN, _END = "# omp-magic env: begin\n", "# omp-magic env: end\n"


def made(word: str) -> str:
    """Give what the tool writes in a format."""
    start = make_start(BUDGET, {}, asked_for(workers=WORKERS))
    command = f"omp-magic env --format {word} --workers {WORKERS}"
    readers = readers_here(RUNTIMES, ())
    return in_form(word, start, readers, command=command, python="/opt/env/bin/python").text


def files() -> dict[str, str]:
    """Give the text that each file is to have."""
    found = {}
    for name, word in FILES.items():
        path = FOLDER / name
        text = path.read_text("utf-8") if path.exists() else ""
        above, begin, rest = text.partition(_BEGIN)
        found[name] = made(word)
        if begin:
            found[name] = above + begin + made(word) + _END + rest.partition(_END)[2]
    return found


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(text, "utf-8", newline="\n")
