"""What stops a command from outside, told in one line with what to do: no memory, no room, no right to write.

Nothing is lost by it: results appear only when they are whole, and a training goes on from its last state.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gpae.config import DopMethod, ValueDecompositionMethod
from gpae.plan import Job

_GO_ON = "then the same command goes on"
_REMEDIES = {
    errno.ENOSPC: f"make room, {_GO_ON}",
    errno.EDQUOT: f"make room, {_GO_ON}",
    errno.EROFS: f"make it writable, {_GO_ON}",
    errno.EACCES: f"give this user the right to it, {_GO_ON}",
    errno.EPERM: f"give this user the right to it, {_GO_ON}",
    errno.EIO: f"look after the disk, {_GO_ON}",
    errno.ESTALE: f"look after the file system, {_GO_ON}",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "end what else has files open, " + _GO_ON,
    errno.EFBIG: f"raise the limit on a file's size (ulimit -f), {_GO_ON}",
    errno.ENOTDIR: f"it, or what holds it, is no folder: move it away, {_GO_ON}",
    errno.EEXIST: f"it is no folder, or a link to nothing: move it away, {_GO_ON}",
    errno.ELOOP: f"a link that leads to itself: move it away, {_GO_ON}",
}
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory", "Unable to allocate", "bad_alloc")


class Fault(Exception):
    """What ends a command though its input is right; told in one line, with exit code 1."""


class OutOfMemory(Fault):
    """The device's memory does not hold a job; names the setting to lower."""


def line(error: BaseException) -> str | None:
    """What to tell of an error that is none of the program's; None where it is, and its traceback is wanted."""
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return f"{error.filename or 'a file'}: {os.strerror(error.errno)}; {_REMEDIES[error.errno]}"
    if _no_memory(error):
        return "out of memory; end what else uses it, or give the job a machine with more"
    return None


def _no_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


@contextmanager
def training(job: Job) -> Iterator[None]:
    """Turns a lack of memory into OutOfMemory with the settings on which a training's memory depends."""
    key = "buffer_windows" if isinstance(job.method, ValueDecompositionMethod | DopMethod) else "environments"
    place = f"overrides.{job.task.family}.{job.method.algorithm}.learner.{key}"
    with _told(job, place, getattr(job.learner, key)):
        yield


@contextmanager
def evaluation(job: Job) -> Iterator[None]:
    """The same of an evaluation."""
    with _told(job, "evaluation_episodes", job.evaluation_episodes):
        yield


@contextmanager
def _told(job: Job, key: str, value: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or not _no_memory(error):
            raise
        several = f", or seed_block below {len(job.seeds)}" if len(job.seeds) > 1 else ""
        raise OutOfMemory(
            f"params/profiles/{job.profile}.yaml: {key}: {value} does not fit into this device's memory;"
            f" allowed: less{several}"
        ) from None
