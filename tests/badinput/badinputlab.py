"""What is wrong in an input, and a command called in this process as the shell would."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from gpae import cli, runtime
from gpae.plan import FORMAT, Job

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


def sealed(table: pa.Table, path: Path) -> None:
    """Any table as a file whose digest is right, as somebody who wants to be believed would make it."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"sha256": "0" * 64})
    content = sink.getvalue().to_pybytes()
    place = b"sha256\x18\x40"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.replace(place + b"0" * 64, place + hashlib.sha256(content).hexdigest().encode()))


def provenance_of(job: Job) -> dict[str, Any]:
    """What a file of a job says of where it came from."""
    return {
        "format": FORMAT,
        "training_hash": job.training_hash,
        "evaluation_hash": job.evaluation_hash,
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "git_dirty": False,
        "code": "0123456789abcdef",
        "versions": {"gpae": "0.1.0", "jax": "0.4.38"},
        "system": "Linux-6.1-x86_64-with-glibc2.36",
        "platform": "cpu",
        "device": "cpu",
        "processor": "A processor",
        "cores": job.cores,
        "wall_seconds": 12.5,
        "finished": "2026-01-01T00:00:00+00:00",
    }


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
