"""A process that dies at any moment of a folder's taking its name leaves nothing half there."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gpae.results import files

OLD, NEW = {"a/1": "old", "b": "old", "gone": "old"}, {"a/1": "new", "a/2": "new", "b": "new"}

# The n-th call that changes a file system, of those that Python tells its audit hooks, is not made.
DYING = """
import os, signal, sys
from pathlib import Path
from gpae.results import files

left = int(sys.argv[1])
CALLS = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir"}

def die(event, arguments):
    global left
    written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if event in CALLS or written:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""
STEPS = {
    "copy_whole": "files.copy_whole(Path('source'), Path('folder'))",
    "whole_folder": """
with files.whole_folder(Path('folder')):
    for path in sorted(Path('source').rglob('*')):
        if path.is_file():
            files.write_whole(Path('folder') / path.relative_to('source'), path.read_bytes())
""",
    "remove_whole": "files.remove_whole(Path('folder'))",
}


def fill(folder: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def content(folder: Path) -> dict[str, str] | None:
    if not folder.exists():
        return None
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def run(step: str, at: int, place: Path) -> int:
    command = [sys.executable, "-c", DYING + STEPS[step], str(at)]
    return subprocess.run(command, cwd=place, timeout=60).returncode


def test_processes_of_the_same_number_write_beside_each_other(tmp_path, monkeypatch):
    """Two containers on one folder: each process may be number 7 of its own."""
    monkeypatch.setattr(files.os, "getpid", lambda: 7)
    names = {files._beside(tmp_path / "scores.parquet").name for _ in range(100)}
    assert len(names) == 100 and all(name.startswith(".scores.parquet.") for name in names)


def test_what_is_being_written_is_no_leftover_however_old(tmp_path):
    with files.whole_folder(tmp_path / "folder"):
        (part,) = tmp_path.iterdir()
        os.utime(part, (0, 0))
        assert files.leftovers(tmp_path) == []
    dead = tmp_path / files._beside(tmp_path / "folder").name
    dead.mkdir()
    assert files.leftovers(tmp_path) == []  # another machine may have begun it
    os.utime(dead, (0, 0))
    assert files.leftovers(tmp_path) == [dead]


@pytest.mark.parametrize("before", [None, OLD], ids=["empty", "taken"])
@pytest.mark.parametrize("step", ["copy_whole", "whole_folder", "remove_whole"])
def test_a_death_at_any_call_leaves_the_old_folder_the_new_one_or_none(step, before, tmp_path):
    before = OLD if step == "remove_whole" else before
    after = None if step == "remove_whole" else NEW
    deaths, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        deaths += 1
        shutil.rmtree(tmp_path, ignore_errors=True)
        fill(tmp_path / "source", NEW)
        if before:
            fill(tmp_path / "folder", before)
        code = run(step, deaths, tmp_path)
        assert content(tmp_path / "folder") in (before, after, None)
        assert content(tmp_path / "source") == NEW
        # killed in the same call again, a process more does not make it worse
        if code and not (step == "remove_whole" and content(tmp_path / "folder") is None):
            run(step, deaths, tmp_path)
            assert content(tmp_path / "folder") in (before, after, None)
    assert code == 0 and content(tmp_path / "folder") == after
    assert deaths > (4 if step == "remove_whole" else 7)
