"""Evaluations to scores and metrics to diagnostics: a number a seed and point, and what is said of it over seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.plan import NOISE, Job
from gpae.results import schema, statistics, validation
from gpae.results.files import write_whole

_KEY = ["task", "method"]


def scores_path(profile: str) -> Path:
    return Path("artifacts", profile, "scores.parquet")


def summary_path(profile: str) -> Path:
    return Path("artifacts", profile, "summary.parquet")


def diagnostics_path(profile: str) -> Path:
    return Path("artifacts", profile, "diagnostics.parquet")


def score_of(job: Job, rows: pd.DataFrame) -> pd.Series:
    """An episode's part in the score."""
    if job.score == "win_rate_percent":
        return rows["won"].astype(float) * 100
    return rows["captured"] * 100 if job.score == "capture_rate_percent" else rows["return"]


def _scores(job: Job, rows: pd.DataFrame) -> pd.DataFrame:
    groups = rows.assign(score=score_of(job, rows)).groupby(
        ["profile", *_KEY, "seed", "evaluation", "env_steps", "policy"], sort=True, as_index=False
    )
    return groups.agg(score=("score", "mean"), episodes=("score", "size")).assign(source=job.evaluation.as_posix())


def _summary(scores: pd.DataFrame) -> pd.DataFrame:
    """SUMMARY's rows; the statistics of a cell depend on that cell's seeds alone, not on what else has been run."""
    parts = []
    for (profile, *cell), rows in scores.groupby(["profile", *_KEY], sort=False):
        table = rows.pivot_table(index="seed", columns=["evaluation", "env_steps", "policy"], values="score")
        values = table.to_numpy()
        found, iqm = statistics.moments(values), statistics.interquartile_mean(values)
        parts.append(
            table.columns.to_frame(index=False)
            .assign(profile=profile, **dict(zip(_KEY, cell, strict=True)), seeds=found.seeds)
            .assign(mean=found.mean, std=found.std, sem=found.sem, iqm=iqm.point, low=iqm.low, high=iqm.high)
        )
    return pd.concat(parts) if parts else _nothing(schema.SUMMARY)


def _diagnostics(job: Job, rows: pd.DataFrame) -> pd.DataFrame:
    """DIAGNOSTICS' rows: each update counts for the first evaluation point at or past it."""
    points = np.asarray(job.evaluation_updates)
    quantities = [name for name in rows.columns if name not in schema.METRICS.names]
    long = rows.melt(["seed", "update"], quantities, "quantity").dropna(subset="value")
    long["evaluation"] = np.searchsorted(points, long["update"])
    groups = long.groupby(["seed", "quantity", "evaluation"], as_index=False)
    found = groups.agg(updates=("value", "size"), value=("value", "mean"), total=("value", "sum"))
    # METRICS has sums over the episodes that ended in an update
    episodes = found[found["quantity"] == "episodes"].set_index(["seed", "evaluation"])["total"]
    found = found.join(episodes.rename("episodes"), on=["seed", "evaluation"])
    of_episodes = found["quantity"].str.startswith("episode_")
    found["value"] = found["value"].where(~of_episodes, found["total"] / found["episodes"].where(found["episodes"] > 0))
    found["env_steps"] = points[found["evaluation"]].astype(np.int64) * job.steps_per_update
    about = {"profile": job.profile, "task": job.task_name, "method": job.method_name}
    return found.dropna(subset="value").drop(columns=["total", "episodes"]).assign(**about)


def _noise(job: Job, measured: list[list[float]]) -> pd.DataFrame:
    """DIAGNOSTICS' rows of the gradient's noise at each point but the first; measured: [point, seed]."""
    points, values = sorted(set(job.evaluation_updates)), np.asarray(measured, float)
    point, seed = (axis.ravel() for axis in np.indices(values[1:].shape))
    return pd.DataFrame(
        {
            "profile": job.profile,
            "task": job.task_name,
            "method": job.method_name,
            "seed": np.asarray(job.seeds, np.int32)[seed],
            "quantity": NOISE,
            "evaluation": point + 1,
            "env_steps": np.asarray(points, np.int64)[point + 1] * job.steps_per_update,
            "updates": 1,
            "value": values[1:].ravel(),
        }
    )


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes the profile's scores.parquet, summary.parquet and diagnostics.parquet from what there is of its jobs.

    The provenance of every evaluation goes into the scores' metadata, {"jobs": {path: provenance}}. Raises ConfigError,
    before any of the three is replaced, where a planned evaluation or metrics file is not what its job makes.
    """
    jobs = plan.jobs(params, profile)
    trained = [job for job in jobs if (root / job.metrics).exists()]
    updates = [_diagnostics(job, validation.read_metrics(job, root)[0]) for job in trained]
    parts, origins = [], {}
    for job in jobs:
        if (root / job.evaluation).exists():
            rows, about = validation.read(job, root)
            origins[job.evaluation.as_posix()] = about
            parts.append(_scores(job, rows))
            if NOISE in about:
                updates.append(_noise(job, about[NOISE]))
    scores = pd.concat(parts) if parts else _nothing(schema.SCORES)
    diagnostics = pd.concat(updates) if updates else _nothing(schema.DIAGNOSTICS)
    sources = sorted(job.metrics.as_posix() for job in trained)
    made = (
        (scores, root / scores_path(profile), schema.SCORES, {"jobs": origins}),
        (_summary(scores), root / summary_path(profile), schema.SUMMARY, {"jobs": sorted(origins)}),
        (diagnostics, root / diagnostics_path(profile), schema.DIAGNOSTICS, {"jobs": sources}),
    )
    contents = [(path, schema.encode(rows, path, kind, about)) for rows, path, kind, about in made]
    return [write_whole(path, content) for path, content in contents]


def _nothing(kind: pa.Schema) -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in kind.names})


def _planned(params: Params, profile: str, sources: Any, path: Path) -> None:
    planned = {place.as_posix() for job in plan.jobs(params, profile) for place in (job.evaluation, job.metrics)}
    if foreign := sorted(set(sources) - planned):
        raise ConfigError(
            f"{path}: made from {foreign[0]}, which the parameters no longer plan; allowed: files of planned jobs"
            f" (gpae aggregate --profile {profile})"
        )


def read_scores(params: Params, profile: str, root: Path) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """(SCORES' rows, {evaluation Parquet: its provenance}); ConfigError where they are not of today's plan."""
    path = root / scores_path(profile)
    rows, about = schema.read(path, schema.SCORES)
    _planned(params, profile, about["jobs"], path)
    return rows, about["jobs"]


def read_summary(params: Params, profile: str, root: Path) -> tuple[pd.DataFrame, list[str]]:
    """(SUMMARY's rows, the evaluation Parquets they were made from); ConfigError as `read_scores`."""
    path = root / summary_path(profile)
    rows, about = schema.read(path, schema.SUMMARY)
    _planned(params, profile, about["jobs"], path)
    return rows, about["jobs"]


def read_diagnostics(params: Params, profile: str, root: Path) -> tuple[pd.DataFrame, list[str]]:
    """(DIAGNOSTICS' rows, the metrics Parquets they were made from); ConfigError as `read_scores`."""
    path = root / diagnostics_path(profile)
    rows, about = schema.read(path, schema.DIAGNOSTICS)
    _planned(params, profile, about["jobs"], path)
    return rows, about["jobs"]


def over_seeds(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """A row a task, method, quantity and evaluation: seeds, mean, std (n - 1) and sem, NaN for one seed."""
    groups = diagnostics.groupby([*_KEY, "quantity", "evaluation", "env_steps"], as_index=False)["value"]
    return groups.agg(seeds="size", mean="mean", std="std", sem="sem")


def over_training(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """A row a task, method, quantity and seed: `value`, the mean over all updates in which there was one, `env_steps`.

    At the end of a training the learning rate is near 0, policies hardly move, and what depends on their ratios goes
    to 0 with it; that is why tables print the mean over the training and not its last value.
    """
    weighted = diagnostics.assign(value=diagnostics["value"] * diagnostics["updates"])
    groups = weighted.groupby([*_KEY, "quantity", "seed"], as_index=False)
    found = groups.agg(value=("value", "sum"), updates=("updates", "sum"), env_steps=("env_steps", "max"))
    return found.assign(value=found["value"] / found["updates"])


def over_curve(scores: pd.DataFrame, policy: str = "sampled") -> pd.DataFrame:
    """As `over_training` of the quantity `curve_score`: the mean of a seed's learning curve, of the reported policy."""

    def of_seed(curve: pd.DataFrame) -> pd.Series:
        curve = curve.sort_values("evaluation")
        steps, values = curve["env_steps"].to_numpy(float), curve["score"].to_numpy(float)
        return pd.Series({"value": statistics.area(steps, values, steps[-1]), "env_steps": steps[-1]})

    rows = reported(scores, policy)
    found = [(*cell, "curve_score", *of_seed(rows)) for cell, rows in rows.groupby([*_KEY, "seed"])]
    return pd.DataFrame(found, columns=[*_KEY, "seed", "quantity", "value", "env_steps"])


def reported(rows: pd.DataFrame, policy: str = "sampled") -> pd.DataFrame:
    """The rows of the policy that tables and curves show; of a method without evaluations of it, those it has."""
    has = (rows["policy"] == policy).groupby([rows[name] for name in _KEY]).transform("any")
    return rows[(rows["policy"] == policy) | ~has]


def final(summary: pd.DataFrame, policy: str = "sampled") -> pd.DataFrame:
    """What the papers' tables print: the reported policy at a cell's last evaluation."""
    rows = reported(summary, policy)
    last = rows.groupby(_KEY)["evaluation"].transform("max")
    return rows[rows["evaluation"] == last]
