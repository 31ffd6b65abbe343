"""Checkpoints by orbax: arrays by name, with a digest and the parameters they were made from.

A checkpoint is written under another name and renamed, so it is whole or absent. What it holds is checked when it is
read: another format, other parameters or other bits than were written are refused by name.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from gpae.config import ConfigError
from gpae.plan import FORMAT, Job


def _named(tree: Any) -> dict[str, jax.Array]:
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


def save(path: Path, job: Job, tree: Any) -> None:
    """The arrays of `tree` under `path`, replacing what is there."""
    named = jax.device_get(_named(tree))
    about = {"format": FORMAT, "parameters": job.training_parameters, "digest": _digest(named)}
    beside = path.with_name(f"writing-{path.name}")
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        arrays, meta = ocp.args.StandardSave(named), ocp.args.JsonSave(about)
        checkpointer.save(beside.absolute(), ocp.args.Composite(arrays=arrays, about=meta), force=True)
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)


def restore(path: Path, job: Job, like: Any) -> Any:
    """The tree saved under `path`; like: a tree of arrays or shapes of the same structure.

    Raises ConfigError where the checkpoint is damaged, of another format or made from other parameters.
    """
    remedy = "remove it to train again, or put back what it was made from"
    named = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in _named(like).items()}
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            about = checkpointer.restore(path.absolute(), ocp.args.Composite(about=ocp.args.JsonRestore())).about
    except Exception as error:
        raise ConfigError(f"{path}: damaged checkpoint: {_line(error)}; {remedy}") from None
    _compare(path, about, job, remedy)
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            wanted = ocp.args.Composite(arrays=ocp.args.StandardRestore(named))
            found = jax.device_get(checkpointer.restore(path.absolute(), wanted).arrays)
    except Exception as error:
        raise ConfigError(f"{path}: damaged checkpoint: {_line(error)}; {remedy}") from None
    if _digest(found) != about["digest"]:
        raise ConfigError(f"{path}: damaged checkpoint: its arrays are not those that were saved; {remedy}")
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    whole = [found.get(jax.tree_util.keystr(at), np.zeros(leaf.shape, leaf.dtype)) for at, leaf in leaves]
    return jax.tree.unflatten(structure, whole)


def _compare(path: Path, about: dict[str, Any], job: Job, remedy: str) -> None:
    if about.get("format") != FORMAT:
        raise ConfigError(f"{path}: checkpoint of format {about.get('format')}; this version reads {FORMAT}; {remedy}")
    theirs, ours = _flat(about.get("parameters", {})), _flat(job.training_parameters)
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
