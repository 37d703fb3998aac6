"""Facts as bytes: what comes back, and that nothing but facts does."""

from __future__ import annotations

import json
import pickle
import zlib
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import library, snapshot

from omp_magic.errors import ParseError
from omp_magic.facts.gaps import Gap
from omp_magic.facts.libraries import Finding, Library
from omp_magic.facts.packed import pack, unpack, unpack_once
from omp_magic.facts.snapshots import Snapshot
from omp_magic.facts.workerstate import state_of


def _written(value: Any) -> bytes:
    """Give bytes as `pack` would have made them of something that it refuses."""
    return zlib.compress(json.dumps(value).encode())


def _whole() -> Snapshot:
    odd = library(
        "libomp", path="/home/\udcff/a\x1b[31m'\".so", num_threads=None, initialized=False
    )
    gap = Gap(what="a", why="b\nc", where="/é")
    finding = Finding(code="OMP101", severity="error", title="t", why="w", evidence=("1", "2"))
    made = snapshot(libraries=(odd, library("openblas", num_threads=3)), gaps=(gap,))
    return replace(made, findings=(finding,), shown=frozenset({"env", "cpus"}))


def test_what_is_packed_comes_back_and_equal_facts_are_equal_bytes() -> None:
    for facts in (_whole(), state_of(_whole()), (), (None, 1, 1.5, True, "é", ("x", ()))):
        assert unpack(pack(facts)) == facts
        assert pack(unpack(pack(facts))) == pack(facts)
    back = unpack(pack(_whole()))
    assert back.shown == {"env", "cpus"}
    assert [each.initialized for each in back.libraries] == [False, True]
    assert back.libraries[0].num_threads is None


def test_equal_bytes_are_one_object() -> None:
    assert unpack_once(pack(_whole())) is unpack_once(pack(_whole()))


def test_a_state_has_nothing_of_one_process_alone() -> None:
    def facts(number: int) -> Snapshot:
        made = library("openblas", device="08:01", inode=number, workers=number, missing=number)
        return replace(snapshot(libraries=(made,)), pid=number, num_os_threads=number)

    assert state_of(facts(1)) == state_of(facts(2))
    assert pack(state_of(facts(1))) == pack(state_of(facts(2)))


def test_what_another_version_has_besides_is_left_out_and_what_it_lacks_has_its_default() -> None:
    told = {"": "gaps.Gap", "what": "a", "why": "b", "later": 3}
    assert unpack(_written(told)) == Gap(what="a", why="b")


@pytest.mark.parametrize(
    "told",
    [
        {"": "gaps.Gap", "what": "a"},
        {"": "gaps.Later", "what": "a"},
        {"": "later.Gap", "what": "a"},
        {"": "snapshots.Gap", "what": "a", "why": "b"},
        {"": "snapshots.MissingRendererError", "name": "x"},
        {"": "libraries.named_apart", "libraries": []},
        {"": "snapshots.json"},
        {"": "os.system", "command": "true"},
        {"": "gaps.Gap.of", "what": "a"},
        {"": "..errors.ParseError", "what": "a", "found": "b", "expected": "c"},
        {"": ["gaps.Gap"]},
        {"": None},
        {"what": "a"},
        {"": "set", "items": [{"": "set"}]},
        {"": "set", "items": 3},
        {"": "gaps.Gap", "what": 3, "why": "b"},
        {"": "gaps.Gap", "what": "a", "why": {"": "gaps.Gap", "what": "a", "why": "b"}},
        {"": "clusters.ClusterWorker", "address": "a", "pid": "x"},
        {"": "clusters.ClusterWorker", "address": "a", "pid": 10**4000},
        {"": "clusters.ClusterWorker", "address": "a", "affinity": 3},
        {"": "clusters.ClusterWorker", "address": "a", "affinity": ["0"]},
        {"": "clusters.ClusterWorker", "address": "a", "quota_cpus": float("nan")},
        {"": "clusters.ClusterWorker", "address": "a", "gap": "x"},
        {"": "settings.Reading", "reader": "a", "family": "b", "state": "c", "by": ["x"]},
    ],
)
def test_what_is_no_fact_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ParseError, match="packed facts"):
        unpack(_written([told]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        pickle.dumps(3),
        pack(_whole())[:-5],
        zlib.compress(b"[1"),
        zlib.compress(b"\xff"),
        zlib.compress(b"[" * 200_000),
        zlib.compress(b" " * (65 << 20) + b"1"),
    ],
)
def test_bytes_that_are_cut_or_of_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="packed facts"):
        unpack(data)


@pytest.mark.parametrize("value", [b"x", [1], {"a": 1}, object(), Library, (1, object())])
def test_what_is_no_fact_is_not_packed(value: Any) -> None:
    with pytest.raises(TypeError, match="is no fact"):
        pack(value)
