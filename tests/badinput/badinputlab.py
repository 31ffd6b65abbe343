"""What is wrong in an input, and a command called in this process as the shell would."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from gpae import cli, runtime

ROOT = Path(__file__).parents[2]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([0, -1, 2**31, 2**63, 10**12, 10**400]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "0.2", "../../etc/passwd", "a\x00b", "a\nb", "e\u202eé", "x" * 5000, "smoke.yaml"]),
    st.dates(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.none()), st.integers(), max_size=2),
)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """In a folder, with the settings of a job, so that a command goes on in this process."""
    before, old = dict(os.environ), Path.cwd()
    os.chdir(folder)
    os.environ.update(runtime.settings(1))
    try:
        yield
    finally:
        os.chdir(old)
        os.environ.clear()
        os.environ.update(before)


def call(capsys, *arguments: str) -> tuple[int, str]:
    """`gpae arguments`: exit code and standard error."""
    capsys.readouterr()
    argv, sys.argv = sys.argv, ["gpae", *arguments]
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = argv
    return code, capsys.readouterr().err


def refused(code: int, error: str) -> None:
    """One line that begins with the program's name, exit code 2."""
    assert code == 2, f"{code}: {error}"
    lines = error.rstrip("\n").split("\n")
    assert len(lines) == 1 and lines[0].startswith("gpae: "), error


def files(folder: Path) -> dict[str, Any]:
    """Every file of a folder but params/, and when it was written."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("params/", ".cache")):
            found[name] = path.stat().st_mtime_ns
    return found
