"""Checkpoints by orbax: arrays by name, with a digest and the parameters they were made from.

A checkpoint is written under another name and renamed, so it is whole or absent. What it holds is checked when it is
read: another format, other parameters, another update, other bits than were written, or numbers that are none, are
refused by name. It is arrays and JSON, and nothing in it is ever run.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from gpae.config import ConfigError
from gpae.plan import FORMAT, Job

_WRITING = "writing-"
_OS_ERROR = re.compile(r"os_error_code='(\d+)'")


def _clear(folder: Path) -> None:
    for unfinished in folder.glob(f"{_WRITING}*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def named(tree: Any) -> dict[str, jax.Array]:
    """Leaves by path; orbax stores no array without entries, and none needs storing."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves if leaf.size}


def _digest(named: dict[str, Any]) -> str:
    sha = hashlib.sha256()
    for name in sorted(named):
        array = np.asarray(named[name])
        sha.update(f"{name} {array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def save(path: Path, job: Job, tree: Any, segments: Sequence[dict[str, Any]] = ()) -> None:
    """The arrays of `tree` under `path`, replacing what is there. One process at a time saves in a folder.

    path: ends in the number of the update after which the arrays are so
    segments: the code and the machines that computed them (`gpae.training.segments`)
    Raises OSError where there is no room or no right to write; what was there before is then still there.
    """
    arrays = jax.device_get(named(tree))
    about = {
        "format": FORMAT,
        "update": int(path.name),
        "parameters": job.training_parameters,
        "segments": list(segments),
        "digest": _digest(arrays),
    }
    beside = path.with_name(f"{_WRITING}{path.name}")
    _clear(path.parent)  # of what a killed process left
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            parts = {"arrays": ocp.args.StandardSave(arrays), "about": ocp.args.JsonSave(about)}
            checkpointer.save(beside.absolute(), ocp.args.Composite(**parts))
    except Exception as error:
        _clear(path.parent)
        words = _OS_ERROR.search(str(error))  # tensorstore's
        if number := int(words[1]) if words else getattr(error, "errno", None):
            raise OSError(number, os.strerror(number), str(path)) from None
        raise
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)


def restore(path: Path, job: Job, like: Any) -> Any:
    """The tree saved under `path`; like: a tree of arrays or shapes of the same structure.

    Raises ConfigError where the checkpoint is damaged, of another format or update, made from other parameters, or has
    numbers that are none.
    """
    remedy = _remedy(path, job)
    shapes = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in named(like).items()}
    about = read_about(path, job)
    found = jax.device_get(_read(path, remedy, arrays=ocp.args.StandardRestore(shapes)))
    if _digest(found) != about.get("digest"):
        raise ConfigError(f"{path}: damaged checkpoint: its arrays are not those that were saved; {remedy}")
    if bad := not_finite(found, infinite=path.parent == job.unfinished / "state"):
        raise ConfigError(f"{path}: damaged checkpoint: {bad} has entries that are no numbers; {remedy}")
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    whole = [found.get(jax.tree_util.keystr(at), np.zeros(leaf.shape, leaf.dtype)) for at, leaf in leaves]
    return jax.tree.unflatten(structure, whole)


def read_about(path: Path, job: Job) -> dict[str, Any]:
    """What a checkpoint says of itself: format, update, parameters, segments, and the digest of its arrays.

    Raises ConfigError as `restore`, but for the arrays, which are not read.
    """
    remedy = _remedy(path, job)
    if strange := _not_regular(path):
        raise ConfigError(f"{path}: damaged checkpoint: {strange} is neither a file nor a folder; {remedy}")
    about = _read(path, remedy, about=ocp.args.JsonRestore())
    if not isinstance(about, dict) or not isinstance(about.get("parameters"), dict):
        raise ConfigError(f"{path}: damaged checkpoint: it does not say what it was made from; {remedy}")
    _compare(path, about, job, remedy)
    if str(about.get("update")) != path.name:
        raise ConfigError(f"{path}: damaged checkpoint: it is that of update {about.get('update')}; {remedy}")
    return about


def verified_digest(path: Path, job: Job) -> str:
    """The digest of a checkpoint's arrays, whatever their names and shapes; ConfigError as `restore`."""
    remedy, told = _remedy(path, job), read_about(path, job).get("digest")
    found = _digest(jax.device_get(_read(path, remedy, arrays=ocp.args.StandardRestore())))
    if found != told:
        raise ConfigError(f"{path}: damaged checkpoint: its arrays are not those that were saved; {remedy}")
    return found


def not_finite(arrays: dict[str, Any], infinite: bool = False) -> str:
    """The name of the first array with an entry that is NaN or infinite; empty for none.

    infinite: whether infinities are right, as in a search's best value so far before its first
    """
    bad = np.isnan if infinite else lambda array: ~np.isfinite(array)
    found = ((name, np.asarray(array)) for name, array in arrays.items())
    return next((name for name, array in found if array.dtype.kind == "f" and bad(array).any()), "")


def _remedy(path: Path, job: Job) -> str:
    whole = path.parent == job.checkpoints  # a job is trained again as a whole
    return f"put back what it was made from, or remove {job.checkpoints if whole else path} and train again"


def _not_regular(path: Path) -> str:
    """The first thing in a folder that is no file and no folder, which would be waited for or have no end."""
    for folder, folders, files in os.walk(path):
        for name in sorted(folders + files):
            inside = Path(folder, name)
            if not (inside.is_dir() and not inside.is_symlink() if name in folders else inside.is_file()):
                return inside.relative_to(path).as_posix()
    return ""


def _read(path: Path, remedy: str, **part: Any) -> Any:
    """One part of a checkpoint; a machine without memory, or without the right to read, has not damaged anything."""
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            return next(iter(checkpointer.restore(path.absolute(), ocp.args.Composite(**part)).values()))
    except (MemoryError, PermissionError):
        raise
    except Exception as error:
        number = _OS_ERROR.search(str(error))
        if number and int(number[1]) not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
        raise ConfigError(f"{path}: damaged checkpoint: {_line(error)}; {remedy}") from None


def _compare(path: Path, about: dict[str, Any], job: Job, remedy: str) -> None:
    if about.get("format") != FORMAT:
        raise ConfigError(f"{path}: checkpoint of format {about.get('format')}; this version reads {FORMAT}; {remedy}")
    theirs, ours = _flat(about["parameters"]), _flat(job.training_parameters)
    different = [name for name in sorted(theirs | ours) if theirs.get(name) != ours.get(name)]
    if different:
        first = different[0]
        raise ConfigError(
            f"{path}: checkpoint of other parameters: {first} is {theirs.get(first)!r} there and"
            f" {ours.get(first)!r} here ({len(different)} differ); {remedy}"
        )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def saved_updates(folder: Path) -> list[int]:
    """The updates of the checkpoints `<folder>/<update>/`, ascending; half-written ones have other names."""
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())


def keep_newest(folder: Path, count: int) -> None:
    """Removes all but the newest `count` checkpoints of a folder."""
    for update in saved_updates(folder)[:-count]:
        shutil.rmtree(folder / str(update))
