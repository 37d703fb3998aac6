"""`omp-magic enable` and `disable`: which file, what is written there, and the way back.

The block stands behind all else in the profile's ``ipython_config.py``, which IPython in a terminal
and ipykernel both read. Where ipykernel's own file sets the list anew, it stands there too.
"""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from contextlib import suppress

from ..errors import ProfileError
from ..machine.python.lacking import give_to
from .block import has_block, mentions, with_block, without_block
from .look import Loading, look

_FILES = {"IPython": "ipython_config.py", "ipykernel": "ipython_kernel_config.py"}
"""By the application that does not load it without a block in there; ipykernel reads both."""


def enable(profile: str = "default") -> str:
    """Let a profile load the extension.

    Parameters
    ----------
    profile
        Its name; the default one is made where there is none, as IPython makes it.

    Returns
    -------
    str
        What was written, and where.

    Raises
    ------
    ProfileError
        When there is no such profile, it cannot be written, or what is written would not be
        followed. Nothing was changed.
    """
    paths = _paths(profile, make=True)
    before = {path: _read(path) for path in paths.values()}
    found = _looked(profile, paths)
    if not found.missing:
        ours = [path for path, data in before.items() if has_block(data)]
        if ours:
            return f"enabled already in {' and '.join(ours)}: nothing changed"
        who = " and ".join(found.loaded)
        return f"{who} load it already, by lines of your own{_theirs(before)}: nothing changed"
    written: list[str] = []
    try:
        for app, path in paths.items():
            if app in found.missing:
                written.append(path)
                _write(path, with_block(without_block(before[path], path)))
                found = _looked(profile, paths, "with enable's lines in it, ")
        _must_load(found, paths["IPython"])
    except BaseException:
        for path in written:
            _write(path, before[path])
        raise
    files = " and ".join(written)
    text = "\n".join(f"    {line}" for line in with_block(b"").decode().splitlines())
    return f"enabled: every new kernel and terminal has the magics. Written into {files}:\n{text}"


def disable(profile: str = "default") -> str:
    """Take out what `enable` has written; a file that it made goes.

    Parameters
    ----------
    profile
        Its name.

    Returns
    -------
    str
        What was taken out, and where.

    Raises
    ------
    ProfileError
        When there is no such profile, or it cannot be written.
    """
    paths = _paths(profile, make=False)
    before = {path: _read(path) for path in paths.values()}
    taken = [path for path, data in before.items() if has_block(data)]
    after = {path: without_block(data, path) for path, data in before.items() if data is not None}
    for path in taken:
        _write(path, after[path])
    gone = [path for path in taken if after[path] is None]
    line = f"nothing of enable's is in {paths['IPython']}: nothing changed"
    if taken:
        line = f"disabled: taken out of {' and '.join(taken)}"
        line += f"; made for it, so it is gone: {' and '.join(gone)}" if gone else ""
    if any(map(os.path.exists, paths.values())) and any(look(profile).loaded.values()):
        line += f"; lines of your own still load it{_theirs(after)}"
    return line


def _paths(profile: str, *, make: bool) -> dict[str, str]:
    folder = _folder(profile, make=make)
    return {app: os.path.join(folder, name) for app, name in _FILES.items()}


def _folder(profile: str, *, make: bool) -> str:
    """Give a profile's folder, by IPython's own rules."""
    from IPython.core.profiledir import ProfileDir, ProfileDirError  # noqa: PLC0415 - 0.3 s

    home = _ipython_dir(make=make)
    begin = "profile_"
    folder = os.path.join(home, begin + profile)
    plain = os.path.basename(profile) == profile != ""
    if plain and os.path.isdir(folder):
        return folder
    if profile != "default":
        names = os.listdir(home) if os.path.isdir(home) else []
        have = sorted(name[len(begin) :] for name in names if name.startswith(begin))
        accepted = ", ".join(have) or "default"
        example = "ipython profile create NAME makes one"
        raise ProfileError(f"found no such profile; accepted: {accepted}; {example}", folder)
    if make:
        try:
            ProfileDir.create_profile_dir_by_name(home, profile)  # type: ignore[no-untyped-call]  # IPython has no types here
        except (OSError, ProfileDirError) as error:
            raise ProfileError(_reason(error), folder) from None
    return folder


def _ipython_dir(*, make: bool) -> str:
    """Give IPython's folder; what it makes by being asked stays only if something is to be made."""
    from IPython.paths import get_ipython_dir  # noqa: PLC0415 - as above

    asked = os.path.expanduser(os.environ.get("IPYTHONDIR", os.path.join("~", ".ipython")))
    there = os.path.exists(asked)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            home = str(get_ipython_dir())
        except OSError as error:
            raise ProfileError(_reason(error), asked) from None
    if any("temp directory" in str(each.message) for each in said):
        os.rmdir(home)  # IPython goes on in a folder that is gone with the session
        raise ProfileError("cannot be written, so it can keep no profile", asked)
    if not make and not there:
        with suppress(OSError):  # it is another one, and has something in it
            os.rmdir(home)
    return home


def _looked(profile: str, paths: dict[str, str], when: str = "") -> Loading:
    found = look(profile)
    if found.error:
        raise ProfileError(f"{when}{found.error}; it was left as it was", paths["IPython"])
    return found


def _must_load(found: Loading, path: str) -> None:
    if not found.missing:
        return
    app = found.missing[0]
    section, why = found.overriding.get(app), f"{app} would not load it all the same"
    if section is not None:
        why = f"{section} is set, so {app} does not follow c.InteractiveShellApp.extensions"
        why += f'; example: {section}.append("omp_magic") behind that line'
    raise ProfileError(f"{why}; it was left as it was", path)


def _theirs(files: dict[str, bytes | None]) -> str:
    """Say which lines outside the block name the extension."""
    places = [f"{path} line {number}" for path, data in files.items() for number in mentions(data)]
    return f" ({', '.join(places)})" if places else ""


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProfileError(_reason(error), path) from None


def _write(path: str, data: bytes | None) -> None:
    """Write a file in one step, or remove it: a reader sees it before or after, never half."""
    real = os.path.realpath(path)  # a link stays one
    if data == _read(path):
        return
    try:
        if data is None:
            os.unlink(real)
        else:
            _replace(real, data)
    except OSError as error:
        raise ProfileError(_reason(error), path) from None


def _replace(path: str, data: bytes) -> None:
    known = os.stat(path) if os.path.exists(path) else None
    if known is not None and not os.access(path, os.W_OK):
        raise PermissionError(13, "is read-only")  # its folder would let us replace it
    file, made = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".omp_magic-")
    try:
        with os.fdopen(file, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(made, stat.S_IMODE(known.st_mode) if known else 0o666 & ~_umask())
        if known is not None:
            give_to(made, known)
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise


def _umask() -> int:
    mask = os.umask(0o077)  # it can be read only by setting it
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return f"cannot be written or read: {text or error}"
