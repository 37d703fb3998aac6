"""%omp_env in a real kernel, and real kernels that start through `omp-magic run`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Kernel

from omp_magic.cli.main import main


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    started = Kernel({"KMP_AFFINITY": "</code><b>x", "API_TOKEN": "hunter2"})
    folder = tmp_path_factory.mktemp("start")
    assert started.run(f"%cd -q {folder}\n%load_ext omp_magic\nimport os, sys").status == "ok"
    yield started
    started.close()


def test_the_variables_are_shown_saved_and_kept(session: Kernel) -> None:
    shown = session.run("made = %omp_env --format dockerfile --workers 8192\nmade")
    assert shown.status == "ok", shown.traceback
    assert "ENV OMP_NUM_THREADS=1" in shown.text
    html = shown.result["text/html"]
    assert "ENV OMP_NUM_THREADS=1" in html
    assert "ENV OMP_NUM_THREADS=1" in session.value("str(made)")
    assert session.value("made.variables['OMP_NUM_THREADS']") == "1"
    assert session.value("[os.path.exists(made.save('Dockerfile')), made.file_name]") == [
        True,
        "Dockerfile",
    ]
    again = session.run("made.save('Dockerfile')")
    assert again.ename == "ReportError"
    assert (
        "a file that is there: Dockerfile'; accepted: another name, or force=True" in again.evalue
    )
    assert session.run("made.save('Dockerfile', force=True)").status == "ok"
    assert session.run("%omp_env --format bash;").result == {}
    wrote = session.run("%omp_env --format bash --output 'my env.sh'")
    assert (wrote.result, wrote.stdout) == ({}, "my env.sh is written\n"), wrote.traceback
    assert "export OMP_NUM_THREADS=" in session.value("open('my env.sh').read()")
    assert session.run("%omp_env --output 'my env.sh' --force").status == "ok"
    assert json.loads(session.run("%omp_env --format kernelspec").text)["language"] == "python"
    assert not session.value("'numpy' in sys.modules or 'OMP_NUM_THREADS' in os.environ")


def test_nothing_from_outside_is_more_than_text(session: Kernel) -> None:
    shown = session.run("%omp_env --set 'KMP_AFFINITY=compact' --fix OMP303")
    assert shown.status == "ok", shown.traceback
    assert "KMP_AFFINITY=compact" in shown.text
    taken = session.run("%omp_env --format python --fix 304")
    assert taken.status == "ok", taken.traceback
    assert 'os.environ.pop("KMP_AFFINITY", None)' in taken.text
    for reply in (shown, taken):
        assert "<b>x" not in reply.result["text/html"]
        assert "hunter2" not in str(reply.result)


def test_a_sessions_limit_is_nobodys_wish(session: Kernel) -> None:
    session.run("%omp_limit 3")
    made = session.run("made = %omp_env --format python --threads 5")
    assert made.status == "ok", made.traceback
    assert session.value("[made.variables['OMP_NUM_THREADS'], os.environ['OMP_NUM_THREADS']]") == [
        "5",
        "3",
    ]
    session.run("%omp_limit off")
    session.run("os.environ['OMP_NUM_THREADS'] = '7'\nmade = %omp_env --format python")
    assert session.value("made.variables['OMP_NUM_THREADS']") == "7"
    session.run("del os.environ['OMP_NUM_THREADS']")


def test_what_a_cell_has_set_is_the_users_while_a_limit_holds_the_variables(
    session: Kernel,
) -> None:
    made = "made = %omp_env --format python"
    session.run("os.environ.update(OMP_NUM_THREADS='3', MKL_NUM_THREADS='7')\n%omp_limit 1")
    assert session.run(made).status == "ok"
    names = "[made.variables[each + '_NUM_THREADS'] for each in ('OMP', 'MKL')]"
    assert session.value(names) == ["3", "7"]
    # It is said while the limit is in force: the limit leaves it.
    session.run(f"os.environ['OMP_NUM_THREADS'] = '5'; del os.environ['MKL_NUM_THREADS']\n{made}")
    assert session.value("made.variables['OMP_NUM_THREADS']") == "5"
    assert not session.value("'MKL_NUM_THREADS' in made.variables")
    session.run("%omp_limit off\ndel os.environ['OMP_NUM_THREADS']")


def test_the_magic_is_completed_and_refuses_in_one_line(session: Kernel) -> None:
    assert "kubernetes" in session.complete("%omp_env --format ku")
    assert "--workers" in session.complete("%omp_env --wo")
    for line, said in (
        ("--format basch", "did you mean bash?"),
        ("--threads nope", "example: %omp_env --threads"),
        ("--fix OMP204", "OMP204: no variable mends it; workers that are spawned"),
        ("--set 'OMP_PLACES=cores' --fix 999", "a finding's code"),
        ("--set XLA_FLAGS=a\\\\b --format dockerfile", "which this format cannot hold"),
        ("--wrong", "accepted: --format, --threads, --workers, --set, --fix, --output, --force"),
        ("--output /", "a folder: /'; accepted: a file; example: %omp_env --output"),
    ):
        reply = session.run(f"%omp_env {line}")
        assert reply.status == "error"
        assert reply.ename == "UsageError" or said in reply.stderr, reply.traceback
        told = reply.stderr.strip() or reply.evalue
        assert said in told
        assert "\n" not in told


def test_the_command_says_in_its_own_words_where_no_file_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    for place, said in (
        (str(there), f"or --force to replace it; example: omp-magic env --output {there} --force"),
        ("", "found 'no name'"),
        (str(tmp_path), "a folder: "),
    ):
        assert main(["env", "--output", place]) == 2
        told = capsys.readouterr()
        assert said in told.err
        assert (told.out, told.err.count("\n")) == ("", 1)
    assert there.read_text() == "mine"


def test_python_asks_the_same(session: Kernel) -> None:
    asked = "omp_magic.environment('bash', workers=8192, sets={'OMP_PLACES': 'cores'})"
    session.run(f"import omp_magic\nmade = {asked}")
    text = session.value("str(made)")
    assert "export OMP_NUM_THREADS=1\n" in text
    assert "export OMP_PLACES=cores\n" in text


@pytest.mark.skipif(os.name != "posix", reason="exec(2): the kernel is the process")
def test_a_kernel_starts_through_run_and_is_the_managers_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = str(tmp_path / "share" / "jupyter")
    monkeypatch.setenv("JUPYTER_PATH", here)
    words = ["install", "--name", "one-thread", "--threads", "1", "--prefix", str(tmp_path)]
    assert main(["kernel", *words]) == 0
    folder = tmp_path / "share" / "jupyter" / "kernels" / "one-thread"
    spec = json.loads((folder / "kernel.json").read_text("utf-8"))
    assert spec["metadata"]["omp_magic"] == {"run": ["--threads", "1"]}
    started = Kernel(name="one-thread")
    try:
        pid = getattr(started.manager.provisioner, "pid", None)
        assert started.value("__import__('os').getpid()") == pid
        # The extension is there, and nothing of it was loaded before it was asked.
        status = started.run("%omp_status")
        assert status.status == "ok", status.traceback
        assert started.run("import numpy, threadpoolctl").status == "ok"
        counts = "[each['num_threads'] for each in threadpoolctl.threadpool_info()]"
        assert started.value(counts) == [1]
        # What run has set is nobody's wish, while a limit holds the variables too.
        for limit in ("off", "2"):
            started.run(f"%omp_limit {limit}")
            shown = started.run("%omp_env --format bash --threads 3").text
            assert "export OMP_NUM_THREADS=3\n" in shown
            assert "already" not in shown
            assert "ITK" not in shown
        started.run("%omp_limit off")
        stopped = started.run("while True: pass", interrupt_after=0.5)
        assert stopped.ename == "KeyboardInterrupt"
        started.restart()
        after = getattr(started.manager.provisioner, "pid", None)
        assert after != pid
        assert started.value("__import__('os').getpid()") == after
        assert started.run("%omp_status").status == "ok"
        started.client.shutdown()
        started.manager.finish_shutdown()
        assert not started.manager.is_alive()
    finally:
        started.close()


def test_our_kernels_are_listed_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str) -> tuple[int, str, str]:
        code = main(["kernel", *words])
        return (code, *capsys.readouterr())

    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    theirs = tmp_path / "share" / "jupyter" / "kernels" / "theirs"
    theirs.mkdir(parents=True)
    spec = {"argv": ["x"], "display_name": "theirs", "language": "python"}
    (theirs / "kernel.json").write_text(json.dumps(spec))
    assert "none is there" in command("list")[1]
    with pytest.raises(SystemExit):
        command()
    assert "no action; accepted: install, list, remove; example: " in capsys.readouterr().err
    code, said, _ = command("install", "--user", "--name", "mine", "--display-name", "a\x1bb")
    assert (code, "mine is put into" in said) == (0, True)
    assert "mine  a\\x1bb  --threads auto" in command("list")[1]
    assert command("install", "--user", "--name", "mine", "--threads", "auto/2")[0] == 0
    assert "--threads auto/2" in command("list")[1]
    for words, told in (
        (("remove", "theirs"), "kernel 'theirs' is not one of ours and stays"),
        (("remove", "nope"), "there is no kernel 'nope'; accepted: one of ours: mine"),
        (("install", "--name", "theirs", "--user"), "is there and is not one of ours"),
        (("install", "--name", "a b", "--user"), "letters, digits"),
        (("install", "--name", "x" * 101, "--user"), "1 to 100 letters"),
        (("install", "--name=-x", "--user"), "letters, digits"),
        (("install", "--fix", "OMP101", "--user"), "OMP101: no variable mends it"),
        (("install", "--fix", "", "--user"), "a finding's code"),
        (("install", "--prefix", ""), "found prefix ''"),
        (("install", "--threads", "x", "--user"), "found 'x'"),
        (("install", "--prefix", "/proc/none"), "accepted: --user"),
        (("list", "x"), "found list x; accepted: no name"),
        (("install", "x", "--name", "y"), "found install x y; accepted: one name"),
        (("remove",), "found no name; accepted: one or more of ours: mine"),
    ):
        code, said, error = command(*words)
        assert (code, said) == (2, "")
        assert told in error
        assert error.count("\n") == 1
    assert (theirs / "kernel.json").exists()
    assert command("install", "other", "--user")[0] == command("install", "--user")[0] == 0
    labels = [line.split("(")[1].split(",")[0] for line in command("list")[1].splitlines()]
    assert labels == ["omp_magic mine", "omp_magic", "omp_magic other"]
    assert command("remove", "mine", "omp-magic", "--name", "other")[0] == 0
    assert "none is there" in command("list")[1]


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's folder of this user, with something in it."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "path"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    put_other(tmp_path / "data" / "kernels" / "theirs")
    (tmp_path / "data" / "kept").touch()
    return tmp_path / "data"


def put_other(
    folder: Path, text: str = '{"argv": ["x"], "display_name": "x", "language": "x"}'
) -> Path:
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(text)
    return folder


@pytest.mark.parametrize("name", [".", "..", "../kernels", "theirs/.", "a.", "..."])
def test_no_name_reaches_out_of_its_folder(name: str, jupyter: Path) -> None:
    """jupyter_client removes the folder of a name first: `..` was all of Jupyter's data."""
    before = sorted(jupyter.rglob("*"))
    assert main(["kernel", "install", "--user", "--name", name]) == 2
    assert sorted(jupyter.rglob("*")) == before


@pytest.mark.parametrize("text", ["{not json", "[]", '{"metadata": []}', '{"metadata": {}}', ""])
def test_a_kernel_of_others_that_jupyter_does_not_find_is_not_replaced(
    text: str, jupyter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is broken, and one of an environment that Jupyter does not look in."""
    broken = put_other(jupyter / "kernels" / "mine", text)
    other = put_other(jupyter.parent / "other" / "share" / "jupyter" / "kernels" / "mine", text)
    for words in (["--user"], ["--prefix", str(jupyter.parent / "other")]):
        assert main(["kernel", "install", *words, "--name", "MINE"]) == 2
        assert "is there and is not one of ours" in capsys.readouterr().err
    assert {(each / "kernel.json").read_text() for each in (broken, other)} == {text}
    # Ours is, in an environment that Jupyter does not look in too.
    for threads in ("1", "2"):
        words = ["--prefix", str(jupyter.parent / "third"), "--threads", threads]
        assert main(["kernel", "install", *words]) == 0


def test_a_kernel_is_for_all_who_share_its_environment(
    jupyter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(jupyter))
    monkeypatch.setenv("USERPROFILE", str(jupyter))
    words = ["install", "--prefix", "~/env", "--name", "shared", "--fix", "104,303"]
    assert main(["kernel", *words]) == 0
    folder = jupyter / "env" / "share" / "jupyter" / "kernels" / "shared"
    spec = json.loads((folder / "kernel.json").read_text("utf-8"))
    assert spec["metadata"]["omp_magic"]["run"] == ["--fix", "OMP104", "--fix", "OMP303"]
    mask = os.umask(0)
    os.umask(mask)
    if os.name == "posix":
        assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
