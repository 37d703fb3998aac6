"""Wheels into the cache by the user's pip, a few at a time, so that little is fetched twice."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ..facts.libraries import Gap
from ..facts.targets import Target
from .installers import Answer, Asked, download, is_safe, offered_versions, pip_command, resolve
from .pins import Pin, RequirementsError, shown
from .shelf import Shelf, is_whole, keep_hash
from .steps import Step, amount, wheels
from .tags import parse_wheel_name

_A_GROUP = 8
_LARGE_BYTES = 100 << 20
_STALE_S = 86_400


class Fetcher:
    """Fetches into a shelf.

    Parameters
    ----------
    shelf
        Where wheels come to.
    target
        The system that they are for.
    options
        Lines for pip.
    progress
        Told of each step, or None.
    """

    def __init__(
        self,
        shelf: Shelf,
        target: Target,
        options: Sequence[str],
        progress: Callable[[Step], None] | None,
    ) -> None:
        self._shelf = shelf
        self._target = target
        self._options = tuple(options)
        self._progress = progress
        self.fetched_bytes = 0

    def resolve(
        self, lines: Iterable[str], limits: Iterable[tuple[str, str]]
    ) -> tuple[Answer, tuple[Pin, ...]]:
        """Give all that lines need, by uv; see `installers.resolve`."""
        with self._part() as part:
            constraints = os.path.join(part, "constraints.txt")
            with open(constraints, "w", encoding="utf-8") as file:
                file.writelines(f"{name}{specifier}\n" for name, specifier in limits)
            options = (*self._options, f"-c {constraints}")
            return resolve(lines, self._target, options, part)

    def versions(self, name: str) -> tuple[str, ...]:
        """Give the versions that have a wheel, the newest first; see `offered_versions`."""
        with self._part() as part:
            return offered_versions(name, self._target, self._options, part)

    def fetch(self, asked: Sequence[Asked]) -> tuple[dict[str, str], list[Gap]]:
        """Give name -> wheel of what could be fetched, and why the rest could not.

        Raises
        ------
        RequirementsError
            When the disk is too small, or pip is not there.
        """
        pip_command()
        lost = [_not_asked(each) for each in asked if not is_safe(each.line)]
        asked = [each for each in asked if is_safe(each.line)]
        step = self._begin(asked)
        found: dict[str, str] = {}
        groups = list(_groups(asked))
        while groups:
            group = groups.pop(0)
            with self._part() as part:
                answer = download(group, self._target, self._options, part)
                came = self._take(part, group)
            found.update(came)
            if not answer.done and answer.unreachable:
                rest = [*group, *(each for other in groups for each in other)]
                rest = [each for each in rest if each.pin.name not in found]
                lost.append(self._unreachable(rest, answer))
                break
            missing = [each for each in group if each.pin.name not in came]
            if not answer.done and len(group) > 1:
                groups = [[each] for each in missing] + groups
            elif missing and group[0].other is not None and is_safe(group[0].other):
                groups.insert(0, [group[0]._replace(line=group[0].other, other=None)])
            else:
                lost += [self._gap(each, answer) for each in missing]
            step = self._told(step, [each for each in group if each.pin.name in came])
        return found, lost

    def _begin(self, asked: Sequence[Asked]) -> Step:
        """Tell what is to come; refuse what the disk has no room for."""
        sizes = [each.size_bytes for each in asked if each.size_bytes is not None]
        folder = self._shelf.folder
        try:
            os.makedirs(folder, exist_ok=True)
            _swept(folder)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            found = error.strerror or str(error)
            raise RequirementsError(
                folder, found, "a folder to write to", "--cache FOLDER"
            ) from None
        # pip has a wheel twice for a moment: as it comes, and in the folder.
        needed = sum(sizes) + max(sizes, default=0)
        if needed > free:
            raise RequirementsError(
                folder,
                f"{amount(free)} free and {wheels(len(asked))} to fetch",
                f"a disk with {amount(needed)} for them",
                "--cache FOLDER on another disk",
            )
        step = Step(
            done=0,
            of=len(asked),
            done_bytes=0,
            of_bytes=sum(sizes),
            unsized=len(asked) - len(sizes),
            free_bytes=free,
            folder=folder,
        )
        if self._progress is not None:
            self._progress(step)
        return step

    def _told(self, step: Step, came: Iterable[Asked]) -> Step:
        for each in came:
            step = replace(
                step,
                done=step.done + 1,
                done_bytes=step.done_bytes + (each.size_bytes or 0),
                name=each.pin.title,
            )
            if self._progress is not None:
                self._progress(step)
        return step

    def _part(self) -> tempfile.TemporaryDirectory[str]:
        """Give a folder in the cache, so that moving a wheel out of it is no copy."""
        folder = self._shelf.folder
        try:
            os.makedirs(folder, exist_ok=True)
            return tempfile.TemporaryDirectory(
                dir=folder, prefix=".part-", ignore_cleanup_errors=True
            )
        except OSError as error:
            found = error.strerror or str(error)
            raise RequirementsError(
                folder, found, "a folder to write to", "--cache FOLDER"
            ) from None

    def _take(self, part: str, group: Iterable[Asked]) -> dict[str, str]:
        """Put whole wheels on the shelf."""
        came = {}
        # pip has compared them: with a hash in its lines it takes nothing else.
        digests = {each.pin.name: re.findall(r"--hash=sha256:(\w+)", each.line) for each in group}
        for file in sorted(os.listdir(part)):
            name = parse_wheel_name(file)
            path = os.path.join(part, file)
            if name is None or not is_whole(path):
                continue
            self.fetched_bytes += os.path.getsize(path)
            kept = os.path.join(self._shelf.folder, file)
            os.replace(path, kept)
            self._shelf.add(kept)
            if len(digest := digests.get(name.name, [])) == 1:
                keep_hash(kept, digest[0].lower())
            came[name.name] = kept
        return came

    def _gap(self, asked: Asked, answer: Answer) -> Gap:
        python = f"Python {self._target.python[0]}.{self._target.python[1]}"
        said = "" if answer.done else f" ({answer.why})"
        why = f"pip has no wheel for {self._target.name} with {python}{said}"
        return Gap(what=asked.pin.title, why=why, where=asked.pin.where)

    def _unreachable(self, asked: Sequence[Asked], answer: Answer) -> Gap:
        names = ", ".join(each.pin.title for each in asked[:6])
        more = f" and {len(asked) - 6} more" if len(asked) > 6 else ""
        return Gap(
            what=shown(names) + more,
            why=f"the package index cannot be reached: {answer.why}",
            where=self._shelf.folder,
        )


def _swept(folder: str) -> None:
    """Take away what runs that were killed have left."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".part-") and entry.stat().st_mtime < time.time() - _STALE_S:
                shutil.rmtree(entry.path, ignore_errors=True)


def _not_asked(asked: Asked) -> Gap:
    why = "its name, version, hash or address is none that pip is asked for"
    return Gap(what=shown(asked.pin.title), why=why, where=asked.pin.where)


def _groups(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    """Give what is fetched in one call: pip fetches all of it or none, and hashes all or none."""
    for hashed in (True, False):
        group: list[Asked] = []
        for each in asked:
            if ("--hash=" in each.line) != hashed:
                continue
            if (each.size_bytes or 0) > _LARGE_BYTES:
                yield [each]
                continue
            group.append(each)
            if len(group) == _A_GROUP:
                yield group
                group = []
        if group:
            yield group
