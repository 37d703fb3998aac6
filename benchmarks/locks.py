"""A lock file's wheels for three systems: our answer against unpacking the same wheels once.

Takes a file of requirements (60 packages and more tell most), fetches what the cache lacks, then
measures a second run of `omp-magic check` in a process of its own: wall time and largest memory.
The peer is Python's own zipfile unpacking those wheels to a disk, which is the least that a look
at installed environments would cost. Exits with 1 when an aim is missed.

    python benchmarks/locks.py requirements.txt [3.12]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile

TARGETS = ("macos-arm64", "windows-x86_64", "linux-x86_64")
AIM_S, AIM_MB = 60.0, 400.0


def command(file: str, python: str) -> list[str]:
    words = ["-m", "omp_magic", "check", "--requirements", file, "--python", python, "--json"]
    return [sys.executable, *words, "--target", ",".join(TARGETS)]


def wheels(file: str, python: str) -> list[str]:
    from omp_magic.facts.targets import parse_python, parse_target
    from omp_magic.requirements.gathering import gather
    from omp_magic.requirements.reading import read_requirements

    found: list[str] = []
    for name in TARGETS:
        target = parse_target(name, python=parse_python(python))
        found += gather(read_requirements(file, target), target).wheels
    return found


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print(f"found {len(sys.argv) - 1} words; accepted: FILE [3.N]; example: lock.txt 3.12")
        return 2
    file, python = sys.argv[1], [*sys.argv, "3.12"][2]
    asked = wheels(file, python)
    size_mb = sum(map(os.path.getsize, asked)) / 1e6
    for _ in range(2):  # the first one also keeps the facts of the wheels' files
        begin = time.perf_counter()
        subprocess.run(command(file, python), check=False, stdout=subprocess.DEVNULL)
        ours_s = time.perf_counter() - begin
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    begin = time.perf_counter()
    for wheel in asked:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    unpacked_s = time.perf_counter() - begin
    print(f"{len(asked)} wheels for {len(TARGETS)} systems, {size_mb:.0f} MB")
    print(
        f"omp-magic check        {ours_s:7.1f} s  {memory_mb:6.0f} MB  aim {AIM_S} s, {AIM_MB} MB"
    )
    print(f"zipfile, all unpacked  {unpacked_s:7.1f} s  ratio {ours_s / unpacked_s:.2f}")
    return int(ours_s > AIM_S or memory_mb > AIM_MB)


if __name__ == "__main__":
    sys.exit(main())
