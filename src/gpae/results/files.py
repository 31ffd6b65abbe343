"""Files and folders that appear under their name when they are whole, and not before.

They are written beside their place under a hidden name and renamed. A kill leaves at most `.<name>.<random>.part`
there, which nothing reads and `gpae prune` removes. The name is random, since processes of two containers may have the
same number; whoever writes holds a lock on it, which the system takes back however the process ends.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from gpae.config import ConfigError

# folders that are being written: where their files go meanwhile
_STAGED: ContextVar[dict[Path, Path] | None] = ContextVar("staged", default=None)
_OTHERS_SECONDS = 3600  # a process of another machine may still write what has changed since
_PART = re.compile(r"\..+\.[0-9a-f]{16}\.part")


def _staged() -> dict[Path, Path]:
    return _STAGED.get() or {}


def _place(path: Path) -> Path:
    """Where a file is written: into the folder that stands for one of its own that is being written, else at `path`."""
    for folder, beside in _staged().items():
        if path.absolute().is_relative_to(folder):
            return beside / path.absolute().relative_to(folder)
    return path


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")


@contextmanager
def _held(beside: Path) -> Iterator[None]:
    """Shows other processes that what is there is being written; not on a file system without locks."""
    descriptor = os.open(beside, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)


def _written_now(path: Path) -> bool:
    """Whether a process holds it, or another machine's may: a network file system need not tell."""
    try:
        if time.time() - path.lstat().st_mtime <= _OTHERS_SECONDS:
            return True
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:  # it has just taken its name
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return False


def read_regular(path: Path, most: int | None = None, links: bool = True) -> bytes:
    """The bytes of a file; what is none, a pipe or a device, is neither waited for nor read.

    most: bytes; links: whether `path` may be a link to it
    Raises ConfigError where it is absent, no file, or longer.
    """
    try:
        place = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
            raise
        raise ConfigError(f"{path}: {os.strerror(error.errno)}; allowed: a file") from None
    about = os.fstat(place)
    if not stat.S_ISREG(about.st_mode):
        os.close(place)
        raise ConfigError(f"{path}: not a file; allowed: a file")
    with open(place, "rb") as file:
        if most is not None and about.st_size > most:
            raise ConfigError(f"{path}: {about.st_size} bytes; allowed: {most} of such a job")
        return file.read() if most is None else file.read(most)


def write_whole(path: Path, content: bytes) -> Path:
    """Writes a file so that it appears whole or not at all, also when the power fails; returns `path`."""
    place = _place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(place)
    try:
        with open(beside, "wb") as file:
            with _held(beside):
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
    old = _beside(folder)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[None]:
    """What `write_whole` writes into `folder` meanwhile appears at the end, all of it, in place of what was there."""
    beside = _beside(folder)
    beside.mkdir(parents=True)
    token = _STAGED.set(_staged() | {folder.absolute(): beside})
    try:
        with _held(beside):
            yield
        _take_the_name(beside, folder)
    finally:
        _STAGED.reset(token)
        shutil.rmtree(beside, ignore_errors=True)


def copy_whole(source: Path, folder: Path) -> None:
    """The folder `source` also under the name `folder`, in place of what was there; files are shared where they can."""
    beside = _beside(folder)
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
    return [path for path in sorted(folder.rglob(".*.part")) if _PART.fullmatch(path.name) and not _written_now(path)]
