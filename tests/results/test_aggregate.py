"""Evaluations become scores and summaries, and what is not a planned, whole evaluation is refused by name."""

import math

import numpy as np
import pandas as pd
import pytest

from gpae.config import ConfigError
from gpae.results import aggregate, schema


@pytest.fixture
def measured(study):
    """Two tasks and one method, 3 seeds in blocks of 2 and 1: wins 0, then 4 + seed of 10; return 100 * seed."""
    study.profile("tiny", ["3m", "hopper_3x1"], ["mappo"])
    for job in study.jobs("tiny"):
        wins = job.task_name == "3m"
        study.measure(job, lambda s, p, wins=wins: (4 + s) * (p > 0) if wins else 100.0 * s)
    return study


def built(study):
    aggregate.build(study.params, "tiny", study.root)
    scores, origins = aggregate.read_scores(study.params, "tiny", study.root)
    summary, sources = aggregate.read_summary(study.params, "tiny", study.root)
    assert sorted(origins) == sources
    return scores, summary, origins


def test_scores_are_win_rates_in_percent_or_mean_returns_per_seed(measured):
    scores, _, origins = built(measured)
    last = scores[(scores["evaluation"] == 2) & (scores["policy"] == "greedy")]
    assert last[last["task"] == "3m"]["score"].tolist() == [40.0, 50.0, 60.0]
    assert last[last["task"] == "hopper_3x1"]["score"].tolist() == [0.0, 100.0, 200.0]
    assert set(scores["episodes"]) == {10} and len(scores) == 2 * 3 * 3 * 2
    jobs = measured.jobs("tiny")
    assert sorted(origins) == sorted(job.evaluation.as_posix() for job in jobs)
    source = scores[(scores["task"] == "3m") & (scores["seed"] == 2)]["source"].unique().tolist()
    assert source == [job.evaluation.as_posix() for job in jobs if job.task_name == "3m" and 2 in job.seeds]
    assert origins[source[0]]["training"]["wall_seconds"] == 3600.0


def test_the_summary_is_over_the_seeds_of_all_blocks(measured):
    _, summary, _ = built(measured)
    final = aggregate.final(summary).set_index("task")
    assert final["seeds"].tolist() == [3, 3] and set(final["policy"]) == {"sampled"} and set(final["evaluation"]) == {2}
    assert final.loc["3m", ["mean", "std", "iqm"]].tolist() == pytest.approx([50.0, 10.0, 50.0])
    assert final.loc["3m", "sem"] == pytest.approx(10 / math.sqrt(3))
    assert 40 <= final.loc["3m", "low"] < 50 < final.loc["3m", "high"] <= 60
    assert (final["env_steps"] >= 10_000_000).all()


def test_the_same_evaluations_give_the_same_bytes(measured):
    paths = aggregate.build(measured.params, "tiny", measured.root)
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in aggregate.build(measured.params, "tiny", measured.root)] == before


def test_a_cells_statistics_do_not_depend_on_the_other_jobs(measured):
    _, whole, _ = built(measured)
    for job in measured.jobs("tiny", task_name="3m"):
        (measured.root / job.evaluation).unlink()
    _, part, _ = built(measured)
    pd.testing.assert_frame_equal(part, whole[whole["task"] == "hopper_3x1"].reset_index(drop=True))


def test_one_seed_and_none_at_all(measured):
    for job in measured.jobs("tiny"):
        if job.task_name == "3m" or job.seeds != (2,):
            (measured.root / job.evaluation).unlink()
    _, summary, _ = built(measured)
    final = aggregate.final(summary).iloc[0]
    assert final["mean"] == final["iqm"] == 200.0 and final["seeds"] == 1
    assert np.isnan([final["std"], final["sem"], final["low"], final["high"]]).all()
    (measured.root / measured.jobs("tiny", seeds=(2,), task_name="hopper_3x1")[0].evaluation).unlink()
    scores, summary, origins = built(measured)
    assert len(scores) == len(summary) == len(origins) == 0


def test_an_evaluation_of_other_parameters_is_refused_by_name(measured):
    job = measured.jobs("tiny")[0]
    path = measured.measure(job, lambda s, p: 1, {"evaluation_hash": "deadbeef"})
    with pytest.raises(ConfigError, match=f"{path}: made from parameters deadbeef; .* plan's {job.evaluation_hash}"):
        built(measured)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[rows["episode"] > 0], "not whole: 108 rows; allowed: 120, 10 episodes"),
        (lambda rows: rows[(rows["policy"] == "sampled") | (rows["evaluation"] < 2)], "not whole"),
        (lambda rows: rows[rows["seed"] == 0], r"column seed: values \[0\]; allowed: \[0, 1\]"),
        (lambda rows: rows[rows["evaluation"] < 2], "not whole: 80 rows; allowed: 120, 10 episodes for every seed"),
        (lambda rows: rows.assign(task="8m"), "column task, row 0: value 8m; allowed: 3m"),
        (lambda rows: rows.assign(won=None), "column won, row 0: value <NA>; allowed: true, false, as 3m has a winner"),
    ],
)
def test_an_evaluation_that_is_not_whole_is_refused_by_name(measured, change, message):
    path = measured.root / measured.jobs("tiny")[0].evaluation
    rows, about = schema.read(path, schema.EVALUATION)
    schema.write(change(rows), path, schema.EVALUATION, about)
    with pytest.raises(ConfigError, match=message) as error:
        built(measured)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_scores_of_parameters_that_are_no_longer_planned_are_refused(measured):
    built(measured)
    method = measured.root / "params" / "methods" / "mappo.yaml"
    method.write_text(method.read_text().replace("replay_windows: 1", "replay_windows: 2"))
    for read in (aggregate.read_scores, aggregate.read_summary):
        with pytest.raises(ConfigError, match="which the parameters no longer plan; .*gpae aggregate --profile tiny"):
            read(measured.params, "tiny", measured.root)


@pytest.fixture
def watched(study):
    """GPAE (off), 2 seeds and 1, whose 4 updates lead up to two evaluation points: 2 up to each."""
    study.profile(
        "tiny", ["3m"], ["gpae_off"], total_steps=16384, evaluation_interval=8192, seeds=3, seed_block=2, cores=1
    )
    for job in study.jobs("tiny"):
        assert job.evaluation_updates == (0, 2, 4)
        study.watch(
            job,
            truncation_gap=lambda seed, update: 10.0 * update + seed,
            # replaced steps in the first and third update, and none after the third of seed 2
            advantage_gap=lambda seed, update: (
                {1: 1.0, 3: 5.0}.get(update, math.nan) if (seed, update) != (2, 3) else math.nan
            ),
            episodes=lambda seed, update: {1: 1, 2: 3, 3: 2, 4: 0}[update] * (seed != 1),
            episode_return=lambda seed, update: {1: 7, 2: 5, 3: 6, 4: 0}[update] * (seed != 1),
        )
    return study


def diagnosed(study):
    aggregate.build(study.params, "tiny", study.root)
    rows, sources = aggregate.read_diagnostics(study.params, "tiny", study.root)
    return rows.set_index(["quantity", "evaluation", "seed"]).sort_index(), sources


def test_diagnostics_are_means_over_the_updates_since_the_point_before(watched):
    rows, sources = diagnosed(watched)
    assert sources == sorted(job.metrics.as_posix() for job in watched.jobs("tiny"))
    assert rows.loc["truncation_gap", "value"].tolist() == [15.0, 16.0, 17.0, 35.0, 36.0, 37.0]
    assert rows.loc["truncation_gap", "env_steps"].tolist() == [8192] * 3 + [16384] * 3
    gap = rows.loc["advantage_gap"]
    assert gap["value"].tolist() == [1.0, 1.0, 1.0, 5.0, 5.0] and set(gap["updates"]) == {1}
    assert (2, 2) not in gap.index
    # (7 + 5) / 4 episodes and 6 / 2; seed 1 ended none
    assert rows.loc["episode_return", "value"].tolist() == [3.0, 3.0, 3.0, 3.0]
    assert rows.loc["episodes", "value"].tolist() == [2.0, 0.0, 2.0, 1.0, 0.0, 1.0]


def test_diagnostics_over_seeds(watched):
    rows, _ = diagnosed(watched)
    table = aggregate.over_seeds(rows.reset_index())
    found = table[(table["quantity"] == "truncation_gap") & (table["evaluation"] == 2)].iloc[0]
    assert (found["seeds"], found["mean"], found["std"]) == (3, 36.0, 1.0)
    assert found["sem"] == pytest.approx(1 / math.sqrt(3)) and found["env_steps"] == 16384


def test_metrics_that_are_not_the_jobs_or_not_whole_are_refused_by_name(watched):
    job = watched.jobs("tiny")[0]
    path = watched.root / job.metrics
    rows, about = schema.read(path, schema.METRICS)
    for changed, message in (
        (rows[rows["update"] < 4], "not whole: 6 rows; allowed: 8, updates 1 to 4 of every seed"),
        (rows[rows["seed"] == 0], r"column seed: values \[0\]; allowed: \[0, 1\]"),
        (rows.assign(method="mappo"), "column method, row 0: value mappo; allowed: gpae_off"),
    ):
        schema.write(changed, path, schema.METRICS, about)
        with pytest.raises(ConfigError, match=f"{path}: {message}"):
            diagnosed(watched)
    schema.write(rows, path, schema.METRICS, about | {"training_hash": "deadbeef"})
    with pytest.raises(ConfigError, match=f"{path}: made from parameters deadbeef; .* plan's {job.training_hash}"):
        diagnosed(watched)


def test_without_metrics_there_are_no_diagnostics(study):
    study.profile("tiny", ["3m"], ["mappo"])
    rows, sources = diagnosed(study)
    assert len(rows) == len(sources) == 0
