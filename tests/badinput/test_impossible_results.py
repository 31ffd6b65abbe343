"""Results that no job can have made, in files that are whole: each refused in one line that names what is wrong, by
whatever reads them, before any output is replaced."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from badinputlab import ROOT, call, files, inside, provenance_of, refused, sealed

from gpae import plan, status
from gpae.config import ConfigError, Params
from gpae.results import aggregate, merge, schema, validation

PARAMS = Params(ROOT / "params")
JOB = plan.jobs(PARAMS, "smoke")[0]
POINTS = sorted(set(JOB.evaluation_updates))


def episodes(job=JOB) -> pd.DataFrame:
    """The rows of an evaluation that can be: the first episode of each ten is won."""
    index = pd.MultiIndex.from_product(
        [job.seeds, range(len(POINTS)), job.policies, range(job.evaluation_episodes)],
        names=["seed", "evaluation", "policy", "episode"],
    )
    rows = index.to_frame(index=False)
    rows["env_steps"] = np.asarray(POINTS)[rows["evaluation"]] * job.steps_per_update
    rows["won"] = (rows["episode"] % 10 == 0).astype("boolean")
    rows["return"] = np.where(rows["won"], 2.0, 0.5)
    return rows.assign(profile="smoke", task=job.task_name, method=job.method_name, length=9)


def updates(job=JOB) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([range(1, job.updates + 1), job.seeds], names=["update", "seed"])
    rows = index.to_frame(index=False)
    rows["env_steps"] = rows["update"] * job.steps_per_update
    return rows.assign(profile="smoke", task=job.task_name, method=job.method_name, entropy=1.0)


def about(**changes) -> dict:
    training = provenance_of(JOB) | changes.pop("training", {})
    return provenance_of(JOB) | {"training": training} | changes


def write(folder, rows=None, origin=None, metrics=None, training=None):
    schema.write(episodes() if rows is None else rows, folder / JOB.evaluation, schema.EVALUATION, origin or about())
    metrics = updates() if metrics is None else metrics
    schema.write(metrics, folder / JOB.metrics, schema.METRICS, training or provenance_of(JOB))


@pytest.fixture
def folder(tmp_path):
    """Aggregated from results that can be."""
    shutil.copytree(ROOT / "params", tmp_path / "params")
    write(tmp_path)
    aggregate.build(Params(tmp_path / "params"), "smoke", tmp_path)
    return tmp_path


def told(folder, capsys, name: str, record) -> None:
    """Aggregation and status name `name`; nothing is touched."""
    before = files(folder)
    with inside(folder):
        code, error = call(capsys, "aggregate", "--profile", "smoke")
        found = status.progress(JOB)
    refused(code, error)
    assert name in error, error
    assert files(folder) == before
    assert found.state == "damaged" and name in found.problem
    record("impossible result")


def changed(**columns):
    """A change of the rows where `policy` is the first, so that a few are wrong among many that are right."""
    return lambda rows: rows.assign(**{key: rows[key].mask(rows.index == 3, value) for key, value in columns.items()})


ROWS = {
    "a point less": (lambda rows: rows[rows["evaluation"] > 0], "not whole: "),
    "a point more": (
        lambda rows: pd.concat([rows, rows[rows["evaluation"] == 0].assign(evaluation=len(POINTS))]),
        "rows; allowed: ",
    ),
    "an episode less": (lambda rows: rows[1:], "not whole: "),
    "another index": (lambda rows: rows.assign(evaluation=rows["evaluation"] + 1), "column evaluation, row "),
    "an episode's index": (changed(episode=10_000), "column episode, row 3: value 10000; allowed: 0 to "),
    "steps that are not its own": (changed(env_steps=7), "column env_steps, row 3: value 7; allowed: each evaluation"),
    "longer than the horizon": (changed(length=102), "column length, row 3: value 102; allowed: 1 to 101"),
    "a return too high": (changed(**{"return": 2.01}), "column return, row 3: value 2.01; allowed: 0 to 2 on "),
    "a return too low": (changed(**{"return": -0.1}), "column return, row 3: value -0.1; allowed: 0 to 2 on "),
    "won beside a loss": (changed(won=True), "column return, row 3: value 0.5; allowed: 2 where the episode is won"),
    "lost beside a victory": (
        lambda rows: rows.assign(won=rows["won"].mask(rows.index == 0, False)),
        "column return, row 0: value 2.0; allowed: at most 1 where it is not won",
    ),
    "forged to 100%": (lambda rows: rows.assign(won=True), "column return, row 1: value 0.5; allowed: 2 where"),
    "won nulled": (lambda rows: rows.assign(won=None), "column won, row 0: value <NA>; allowed: true, false"),
    "another task's": (lambda rows: rows.assign(task="8m"), "column task, row 0: value 8m; allowed: 3m"),
    "another seed's": (lambda rows: rows.assign(seed=9), "column seed: values [9]; allowed: "),
}


@pytest.mark.parametrize("name", ROWS)
def test_episodes_that_cannot_be(folder, capsys, record, name):
    change, message = ROWS[name]
    write(folder, rows=change(episodes()))
    told(folder, capsys, message, record)


def deep(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


FACTS = {
    "no digest of code": ({"code": None}, "metadata code: null; allowed: the digest of the code"),
    "no digest of the training's code": ({"training": {"code": ""}}, "metadata training.code: ; allowed: "),
    "words for seconds": ({"wall_seconds": "long"}, "metadata wall_seconds: long; allowed: seconds"),
    "words for the training's": ({"training": {"wall_seconds": "an hour"}}, "metadata training.wall_seconds: an hour;"),
    "less than no time": ({"wall_seconds": -1.0}, "metadata wall_seconds: -1.0; allowed: seconds"),
    "truth for seconds": ({"wall_seconds": True}, "metadata wall_seconds: true; allowed: seconds"),
    "a list for versions": ({"versions": ["jax"]}, 'metadata versions: ["jax"]; allowed: the versions'),
    "a list for the training": ({"training_": ["x"]}, 'metadata training: ["x"]; allowed: the provenance'),
    "no training": ({"training_": None}, "metadata training: null; allowed: the provenance"),
    "lists in lists": ({"settings": deep(200)}, "metadata settings: [[["),
    "other cores": ({"cores": 64}, "metadata cores: 64; allowed: "),
    "another format": ({"format": 2}, "metadata format: 2; allowed: "),
    "another job's": ({"evaluation_hash": "deadbeef"}, "made from parameters deadbeef; allowed: the plan's "),
    "another training's": ({"training": {"training_hash": "deadbeef"}}, "its training made from parameters deadbeef;"),
    "a training that is not the metrics'": (
        {"training": {"git_commit": "f" * 40}},
        "metadata training.git_commit: of another training than artifacts/smoke/metrics/",
    ),
    "a commit of words": ({"git_commit": "the best"}, "metadata git_commit: the best; allowed: a commit"),
    "noise of words": ({"gradient_noise": "low"}, "metadata gradient_noise: of shape [1]; allowed: a number"),
    "noise of another shape": ({"gradient_noise": [[0.1]]}, "metadata gradient_noise: of shape [1, 1]; allowed: "),
    "noise in ragged lists": ({"gradient_noise": [[0.1], [[]]]}, "metadata gradient_noise: of shape "),
    "noise below 0": ({"gradient_noise": [[-1.0] * len(JOB.seeds)] * len(POINTS)}, "gradient_noise: value -1; allowed"),
}


@pytest.mark.parametrize("name", FACTS)
def test_provenance_that_cannot_be(folder, capsys, record, name):
    changes, message = FACTS[name]
    origin = about(**{key: value for key, value in changes.items() if key != "training_"})
    if "training_" in changes:
        origin["training"] = changes["training_"]
    write(folder, origin=origin)
    told(folder, capsys, message, record)


def test_a_training_is_known_by_its_checkpoints(folder, capsys, record):
    """Run again later with the same bits it is the same one; with other bits it is not."""
    made = {"checkpoints": {"0": "a" * 64}}
    write(folder, origin=about(training=made), training=provenance_of(JOB) | made | {"wall_seconds": 99.0})
    aggregate.build(PARAMS, "smoke", folder)
    other = {"checkpoints": {"0": "b" * 64}}
    write(folder, origin=about(training=made), training=provenance_of(JOB) | other)
    told(folder, capsys, "metadata training.checkpoints: of another training than ", record)


UPDATES = {
    "an update less": (lambda rows: rows[rows["update"] > 1], "not whole: "),
    "another index": (lambda rows: rows.assign(update=rows["update"] + 1), "column update, row "),
    "steps that are not its own": (changed(env_steps=7), "column env_steps, row 3: value 7; allowed: "),
    "a quantity nulled": (lambda rows: rows.assign(entropy=np.nan), "column entropy: no value at all"),
    "another seed's": (lambda rows: rows.assign(seed=9), "column seed: values [9]; allowed: "),
}


@pytest.mark.parametrize("name", UPDATES)
def test_updates_that_cannot_be(folder, capsys, record, name):
    change, message = UPDATES[name]
    write(folder, metrics=change(updates()))
    told(folder, capsys, message, record)


@pytest.mark.parametrize("text", ['{"wall_seconds": NaN}', "[" * 100_000, "[1]"])
def test_metadata_that_is_none(folder, capsys, record, text):
    table = pq.read_table(folder / JOB.evaluation)
    sealed(table.replace_schema_metadata({"gpae": text, "key": "seed"}), folder / JOB.evaluation)
    told(folder, capsys, "no metadata under the key 'gpae'", record)


def test_a_file_without_a_digest(folder, capsys, record):
    pq.write_table(pq.read_table(folder / JOB.evaluation), folder / JOB.evaluation)
    told(folder, capsys, "no digest of its bytes", record)


@pytest.mark.parametrize("place", [JOB.metrics, JOB.evaluation])
def test_a_pipe_is_not_waited_for(folder, capsys, record, place):
    (folder / place).unlink()
    os.mkfifo(folder / place)
    told(folder, capsys, "not a file", record)


def test_what_can_be_is_merged_and_a_cut_merge_goes_on(folder, tmp_path):
    here = tmp_path / "here"
    written, kept = merge.merge(PARAMS, "smoke", folder, here)
    assert written == [here / JOB.metrics, here / JOB.evaluation] and kept == []
    (here / JOB.evaluation).unlink()
    assert merge.merge(PARAMS, "smoke", folder, here)[0] == written
    assert merge.merge(PARAMS, "smoke", folder, here) == ([], [f"the same here: {JOB.evaluation}"])
    (here / JOB.evaluation).unlink()
    schema.write(updates().assign(entropy=2.0), here / JOB.metrics, schema.METRICS, provenance_of(JOB))
    assert merge.merge(PARAMS, "smoke", folder, here) == ([], [f"kept as it is here: {JOB.evaluation}"])


def large(rows: int) -> pa.Table:
    """Few bytes that unpack to many: every column is one value."""
    columns = {
        field.name: pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["x"])).cast(pa.string())
        if pa.types.is_string(field.type)
        else pa.array(np.zeros(rows), field.type)
        for field in schema.EVALUATION
    }
    return pa.table(columns).replace_schema_metadata({"gpae": "{}", "key": "seed"})


def long_text() -> pa.Table:
    table = pa.Table.from_pandas(episodes()[schema.EVALUATION.names], preserve_index=False)
    place = table.column_names.index("task")
    return table.set_column(place, "task", pa.array(["x" * 1000] * len(table))).replace_schema_metadata({"gpae": "{}"})


def attack(path, how: str) -> str:
    """Puts something in a result's place; what the refusal says of it."""
    path.unlink()
    if how == "pipe":
        os.mkfifo(path)
        return "not a file"
    if how == "device":
        path.symlink_to("/dev/zero")
        return "Too many levels of symbolic links; allowed: a file"
    if how == "link":
        path.symlink_to(ROOT / "README.md")
        return "Too many levels of symbolic links; allowed: a file"
    if how == "folder":
        path.mkdir()
        return "not a file"
    if how == "endless":
        with open(path, "wb") as file:
            file.truncate(10**10)
        return "10000000000 bytes; allowed: "
    if how == "many rows":
        sealed(large(300_000), path)
        return "300000 rows; allowed: "
    if how == "a long text":
        sealed(long_text(), path)
        return "column task: a text of 1000 characters; allowed: 256"
    other = json.loads(json.dumps(about() | {"training_hash": "deadbeef", "evaluation_hash": "deadbeef"}))
    schema.write(episodes().assign(seed=9), path, schema.EVALUATION, other)
    return "made from parameters deadbeef"


@pytest.mark.parametrize(
    "how", ["pipe", "device", "link", "folder", "endless", "many rows", "a long text", "another seed's"]
)
def test_nothing_else_is_merged(folder, tmp_path, record, how):
    message = attack(folder / JOB.evaluation, how)
    with pytest.raises(ConfigError) as error:
        merge.merge(PARAMS, "smoke", folder, tmp_path / "here")
    assert str(error.value).startswith(f"{folder / JOB.evaluation}: ") and message in str(error.value)
    assert not (tmp_path / "here").exists()
    record("hostile file in a merge")


def test_the_environments_limits_are_those_of_the_environments():
    """Of every task: the horizon that its specification has, and the returns that its rules can give."""
    from gpae.environments.registry import make

    for task in ("3m", "spread_3", "predators_2_prey_2"):
        method = "asae_vs_coma" if task.startswith("predators") else "mappo"
        job = plan.job(PARAMS, "smoke", method, task, (0,))
        assert validation.limits(job).steps == make(job.task.family, **job.environment).spec.horizon
