"""Files and folders that appear under their name when they are whole, and not before.

They are written beside their place under a hidden name and renamed. A kill leaves at most `.<name>.<process>` there,
which nothing reads and `gpae prune` removes.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

# folders that are being written: where their files go meanwhile
_STAGED: ContextVar[dict[Path, Path] | None] = ContextVar("staged", default=None)
_OTHERS_SECONDS = 3600  # a process of another machine may still write what has changed since


def _staged() -> dict[Path, Path]:
    return _STAGED.get() or {}


def _place(path: Path) -> Path:
    """Where a file is written: into the folder that stands for one of its own that is being written, else at `path`."""
    for folder, beside in _staged().items():
        if path.absolute().is_relative_to(folder):
            return beside / path.absolute().relative_to(folder)
    return path


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def write_whole(path: Path, content: bytes) -> Path:
    """Writes a file so that it appears whole or not at all, also when the power fails; returns `path`."""
    place = _place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(place)
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    except OSError as error:  # a write does not say of which file
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
    finally:
        beside.unlink(missing_ok=True)
    return path


def _take_the_name(beside: Path, folder: Path) -> None:
    """What was there is renamed before it is removed: a kill in between must not leave a part of it."""
    old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[None]:
    """What `write_whole` writes into `folder` meanwhile appears at the end, all of it, in place of what was there."""
    beside = _beside(folder)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    token = _STAGED.set(_staged() | {folder.absolute(): beside})
    try:
        yield
        _take_the_name(beside, folder)
    finally:
        _STAGED.reset(token)
        shutil.rmtree(beside, ignore_errors=True)


def copy_whole(source: Path, folder: Path) -> None:
    """The folder `source` also under the name `folder`, in place of what was there; files are shared where they can."""
    beside = _beside(folder)
    shutil.rmtree(beside, ignore_errors=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(source, beside, copy_function=_link)
        _take_the_name(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _link(source: str, other: str) -> None:
    try:
        os.link(source, other)
    except OSError:  # a file system that has no second names
        shutil.copy2(source, other)


def remove_whole(folder: Path) -> None:
    """Takes a folder away so that it is there with all that it holds, or not at all."""
    beside = _beside(folder)
    folder.rename(beside)
    shutil.rmtree(beside)


def leftovers(folder: Path) -> list[Path]:
    """What killed processes left under `folder`, and what none still writes."""
    found = []
    for path in sorted(folder.rglob(".*")):
        name, _, process = path.name[1:].rpartition(".")
        old = name and process.isdecimal() and time.time() - path.stat().st_mtime > _OTHERS_SECONDS
        if old and not Path("/proc", process).exists():
            found.append(path)
    return found
