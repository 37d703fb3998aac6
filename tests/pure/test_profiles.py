"""The block that `omp-magic enable` writes: put in, found again, taken out byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omp_magic.errors import ProfileError
from omp_magic.profiles.block import has_block, mentions, with_block, without_block

LINES = st.lists(
    st.tuples(
        st.sampled_from([b"c = get_config()", b"", b"x = '\xe9'", b"# omp_magic: other"]),
        st.sampled_from([b"\n", b"\r\n"]),
    )
)


@given(LINES, st.sampled_from([b"", b"last", b"last\r"]))
def test_what_was_there_is_there_again(lines: list[tuple[bytes, bytes]], last: bytes) -> None:
    data = b"".join(map(b"".join, lines)) + last
    made = with_block(data)
    assert made.startswith(data)
    assert not has_block(data)
    assert has_block(made)
    assert without_block(made, "f") == data
    assert without_block(made + b"more\n", "f") == with_a_line_end(data) + b"more\n"


def with_a_line_end(data: bytes) -> bytes:
    """What is written behind the block begins a line of its own."""
    end = b"\r\n" if b"\r\n" in data else b"\n"
    return data if not data or data.endswith((b"\n", b"\r")) else data + end


def test_a_file_that_was_made_goes_and_an_empty_one_stays() -> None:
    assert without_block(with_block(None), "f") is None
    assert without_block(with_block(b""), "f") == b""
    assert without_block(with_block(None) + b"mine\n", "f") == b"mine\n"
    assert without_block(b"mine\n" + with_block(None), "f") == b"mine\n"
    assert without_block(None, "f") is None
    assert without_block(b"mine", "f") == b"mine"


def test_several_blocks_go_and_half_a_block_is_an_error() -> None:
    assert without_block(with_block(with_block(b"a\n") + b"b\n"), "f") == b"a\nb\n"
    half = with_block(b"a\n").replace(b"# omp_magic: end", b"# end")
    for broken in (half, with_block(half)):
        with pytest.raises(ProfileError, match="f: found '# omp_magic: begin' without"):
            without_block(broken, "f")


def test_the_block_is_a_program_that_adds_to_any_list() -> None:
    class App:
        extensions = ["mine"]  # noqa: RUF012 - as traitlets has it: a list that is added to

    class Config:
        InteractiveShellApp = App

    exec(with_block(b"c = 3"), {"get_config": Config})
    assert App.extensions == ["mine", "omp_magic"]


def test_lines_that_name_it_outside_the_block() -> None:
    own = b"# omp_magic\nc.InteractiveShellApp.extensions = ['omp_magic']\n"
    assert mentions(own) == mentions(with_block(own)) == (2,)
    assert mentions(with_block(None) + own) == (8,)
    assert mentions(None) == ()
