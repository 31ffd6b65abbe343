"""Files of metrics and evaluations, held against the job that they should be of before anything is made of them.

A job fixes the rows of its files: seeds, updates, evaluation points, policies, episodes. Its environment limits what
an episode can be. Its provenance must say by what it was computed. Whatever cannot be is refused in one line with the
file, the place and what is allowed. Nothing here imports an environment: the limits are settings and constants.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gpae.config import ConfigError
from gpae.plan import FORMAT, NOISE, Job
from gpae.results import schema
from gpae.results.files import read_regular

SMAX_STEPS = 101  # the time limit of 100 is compared with the time before the step
SMAX_WON = 2.0  # the return of a victory: 1 for it, and 1 for all of the enemies' health
CATCH = 10.0  # what predators earn at most by a pair's contact in a step
_ROUNDING = 1e-3  # of returns, sums in float32
_MOST_QUANTITIES = 200  # columns of a metrics file
_CELL_BYTES = 32  # a cell of a file at most, and what one takes in it before it is compressed
_FOOTER_BYTES = 2_000_000  # metadata of a file


class Limits(NamedTuple):
    """What an episode of a task can be.

    steps: the most; least, most: of the return; lost: the most without a victory; won: the least with one
    catches: whether there is prey
    """

    steps: int
    least: float = -math.inf
    most: float = math.inf
    lost: float = math.inf
    won: float = -math.inf
    catches: bool = False


def limits(job: Job) -> Limits:
    """Of a job's environment, from its settings."""
    settings = job.environment
    if job.task.family == "smax":
        return Limits(SMAX_STEPS, 0.0, SMAX_WON, lost=1.0, won=SMAX_WON)
    steps = settings["episode_length"]
    if job.task.family == "predator_prey":
        return Limits(steps, most=CATCH * steps * settings["predators"] * settings["prey"], catches=True)
    if job.task.family == "mpe" and settings["task"] != "simple_tag":
        return Limits(steps, most=0.0)  # distances and collisions are charged, and nothing is paid
    return Limits(steps)


def read_evaluation(job: Job, root: Path = Path(".")) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(rows, provenance) of a job's evaluation; ConfigError where it is not this job's, not whole or cannot be."""
    return evaluation(job, read_regular(root / job.evaluation), root / job.evaluation)


def read_metrics(job: Job, root: Path = Path(".")) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The same of its metrics."""
    return metrics(job, read_regular(root / job.metrics), root / job.metrics)


def read(job: Job, root: Path = Path(".")) -> tuple[pd.DataFrame, dict[str, Any]]:
    """`read_evaluation`, which also refuses one of another training than the metrics that lie beside it."""
    rows, about = read_evaluation(job, root)
    if (root / job.metrics).exists():
        same_training(job, about, read_metrics(job, root)[1], root / job.evaluation)
    return rows, about


def same_training(job: Job, about: Mapping[str, Any], training: Mapping[str, Any], path: Path) -> None:
    """Raises ConfigError where an evaluation's provenance is of another training than `training`, its metrics'.

    One with the same checkpoints, bit by bit, is the same, also where it was run again later.
    """
    theirs = about["training"]
    if theirs.get("checkpoints") and theirs["checkpoints"] == training.get("checkpoints"):
        return
    different = sorted(name for name in {*theirs, *training} if theirs.get(name) != training.get(name))
    if different:
        name = "checkpoints" if "checkpoints" in different else different[0]
        raise ConfigError(f"{path}: metadata training.{name}: of another training than {job.metrics}; {schema.REMEDY}")


def evaluation(job: Job, content: bytes, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """As `read_evaluation`, of a file's bytes; path: what to call it."""
    points = sorted(set(job.evaluation_updates))
    expected = len(job.seeds) * len(points) * len(job.policies) * job.evaluation_episodes
    rows, about = _read(content, path, schema.evaluation(job.score), expected)
    _provenance(job, about, path, ("training_hash", "evaluation_hash"))
    training = about.get("training")
    if not isinstance(training, dict):
        raise ConfigError(f"{path}: metadata training: {_shown(training)}; allowed: the provenance of its training")
    _provenance(job, training, path, ("training_hash",), "training.")
    if NOISE in about:
        _noise(job, about[NOISE], len(points), path)
    _cell(job, rows, path)
    _among(rows, "evaluation", range(len(points)), path)
    _among(rows, "policy", job.policies, path)
    _among(rows, "episode", range(job.evaluation_episodes), path)
    steps = np.asarray(points, np.int64)[rows["evaluation"]] * job.steps_per_update
    told = f"each evaluation point's own, the last {points[-1] * job.steps_per_update}"
    _rows(rows, rows["env_steps"] != steps, "env_steps", told, path)
    _whole(rows, expected, f"{job.evaluation_episodes} episodes for every seed, evaluation and policy", path)
    _episodes(job, rows, path)
    return rows, about


def metrics(job: Job, content: bytes, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """As `read_metrics`, of a file's bytes; path: what to call it."""
    expected = len(job.seeds) * job.updates
    rows, about = _read(content, path, schema.METRICS, expected)
    _provenance(job, about, path, ("training_hash",))
    _cell(job, rows, path)
    _whole(rows, expected, f"updates 1 to {job.updates} of every seed", path)
    _rows(rows, ~rows["update"].between(1, job.updates), "update", f"1 to {job.updates}", path)
    steps = rows["update"].astype(np.int64) * job.steps_per_update
    _rows(rows, rows["env_steps"] != steps, "env_steps", f"{job.steps_per_update} an update", path)
    if empty := [name for name in rows.columns if rows[name].isna().all()]:
        raise ConfigError(f"{path}: column {empty[0]}: no value at all; allowed: one an update and seed, or no column")
    return rows, about


def most_bytes(job: Job) -> int:
    """What one of a job's files has at most."""
    episodes = len(job.seeds) * len(set(job.evaluation_updates)) * len(job.policies) * job.evaluation_episodes
    cells = max(episodes * len(schema.PURSUIT), len(job.seeds) * job.updates * _MOST_QUANTITIES)
    return _FOOTER_BYTES + _CELL_BYTES * cells


def _read(content: bytes, path: Path, kind: Any, rows: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    columns = _MOST_QUANTITIES if b"more" in kind.metadata else len(kind)
    return schema.decode(content, path, kind, schema.Bounds(rows, columns, _CELL_BYTES))


def _cell(job: Job, rows: pd.DataFrame, path: Path) -> None:
    for column, value in {"profile": job.profile, "task": job.task_name, "method": job.method_name}.items():
        _among(rows, column, [value], path)
    if sorted(set(rows["seed"])) != sorted(job.seeds):
        found = sorted(int(seed) for seed in set(rows["seed"]))
        raise ConfigError(f"{path}: column seed: values {found[:20]}; allowed: {list(job.seeds)}")


def _among(rows: pd.DataFrame, column: str, allowed: Any, path: Path) -> None:
    values = list(allowed)
    told = f"0 to {values[-1]}" if isinstance(allowed, range) else ", ".join(map(str, values))
    _rows(rows, ~rows[column].isin(values), column, told, path)


def _rows(rows: pd.DataFrame, wrong: pd.Series, column: str, allowed: str, path: Path) -> None:
    """Raises ConfigError that names the first row where `wrong`."""
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy(bool)))
        raise ConfigError(f"{path}: column {column}, row {row}: value {rows[column].iloc[row]}; allowed: {allowed}")


def _whole(rows: pd.DataFrame, expected: int, allowed: str, path: Path) -> None:
    """No two rows have the same key and every key is the job's, so that their number says whether all are there."""
    if len(rows) != expected:
        raise ConfigError(f"{path}: not whole: {len(rows)} rows; allowed: {expected}, {allowed}")


def _episodes(job: Job, rows: pd.DataFrame, path: Path) -> None:
    """Raises ConfigError for an episode that the environment cannot have."""
    can, score = limits(job), rows["return"]
    _rows(rows, rows["length"] > can.steps, "length", f"1 to {can.steps}, the steps of an episode", path)
    outside = (score < can.least - _ROUNDING) | (score > can.most + _ROUNDING * max(1.0, abs(can.most)))
    _rows(rows, outside, "return", f"{can.least:g} to {can.most:g} on {job.task_name}", path)
    if job.score == "win_rate_percent":
        _rows(rows, rows["won"].isna(), "won", f"true, false, as {job.task_name} has a winner", path)
        won = rows["won"].to_numpy(bool)
        _rows(rows, won & (score < can.won - _ROUNDING), "return", f"{can.won:g} where the episode is won", path)
        _rows(rows, ~won & (score > can.lost + _ROUNDING), "return", f"at most {can.lost:g} where it is not won", path)
    else:
        _rows(rows, rows["won"].notna(), "won", f"null, as {job.task_name} has no winner", path)
    if can.catches:
        _rows(rows, ~rows["captured"].between(0.0, 1.0), "captured", "0 to 1, the share of the prey", path)


def _noise(job: Job, measured: Any, points: int, path: Path) -> None:
    try:
        values = np.asarray(measured, float)
    except (TypeError, ValueError, OverflowError):
        values = np.full(1, np.nan)
    if values.shape != (points, len(job.seeds)):
        shape = list(values.shape)
        raise ConfigError(f"{path}: metadata {NOISE}: of shape {shape}; allowed: a number a point and seed")
    if not (values >= 0).all():
        raise ConfigError(f"{path}: metadata {NOISE}: value {values[~(values >= 0)][0]:g}; allowed: 0 and above")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _whole_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _segment(value: Any) -> bool:
    named = ("versions", "settings", "options")
    return isinstance(value, dict) and _text(value.get("code")) and all(_texts(value.get(name, {})) for name in named)


# what provenance must say, how that is known to be so, and in words
_FACTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "git_commit": (_matches(r"unknown|[0-9a-f]{7,64}"), "a commit, or unknown"),
    "git_dirty": (lambda value: value is None or isinstance(value, bool), "true, false or null"),
    "code": (_matches(r"[0-9a-f]{16,64}"), "the digest of the code"),
    "versions": (lambda value: _texts(value) and "jax" in value, "the versions of the packages that compute"),
    "system": (_text, "a name"),
    "platform": (_text, "a name"),
    "device": (_text, "a name"),
    "processor": (_text, "a name"),
    "cores": (_whole_number, "a number"),
    "wall_seconds": (lambda value: _number(value) and value >= 0, "seconds"),
    "finished": (_matches(r"\d{4}-\d\d-\d\dT[0-9:.+-]{5,30}"), "a date and time"),
}
# what it may say besides
_MORE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "peak_memory_bytes": (_whole_number, "bytes"),
    "settings": (_texts, "texts by name"),
    "options": (_texts, "texts by name"),
    "checkpoints": (_texts, "digests by update"),
    "segments": (
        lambda value: isinstance(value, list) and value != [] and all(map(_segment, value)),
        "a list of provenances",
    ),
}


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _provenance(job: Job, about: Mapping[str, Any], path: Path, hashes: tuple[str, ...], prefix: str = "") -> None:
    """Raises ConfigError where it is another job's, or does not say what it must."""
    for name in hashes:
        if about.get(name) != getattr(job, name):
            what = f"made from parameters {_shown(about.get(name))}; allowed: the plan's {getattr(job, name)}"
            raise ConfigError(f"{path}: {'its training ' if prefix else ''}{what}")
    if about.get("format") != FORMAT:
        raise ConfigError(f"{path}: metadata {prefix}format: {_shown(about.get('format'))}; allowed: {FORMAT}")
    for name, (right, allowed) in (_FACTS | _MORE).items():
        missing = name not in about
        if not (name in _MORE if missing else right(about[name])):
            what = "missing" if missing else _shown(about[name])
            raise ConfigError(f"{path}: metadata {prefix}{name}: {what}; allowed: {allowed}")
    if about["cores"] != job.cores:
        raise ConfigError(f"{path}: metadata {prefix}cores: {about['cores']}; allowed: {job.cores}")


def _shown(value: Any) -> str:
    """A value on one line, not too long."""
    text = json.dumps(value, default=str) if not isinstance(value, str) else value
    return text if len(text) <= 60 else text[:57] + "..."
