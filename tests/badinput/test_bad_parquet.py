"""Parquet files that are whole, but not what the plan asks for: refused in one line, nothing touched."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from badinputlab import ROOT, call, files, inside, provenance_of, refused, sealed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpae import plan
from gpae.config import Params
from gpae.results import schema

JOB = plan.jobs(Params(ROOT / "params"), "smoke")[0]
VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda value: [value]),
    st.floats().map(lambda value: [value]),
    st.sampled_from([[None], ["x"], [True], [b"x"], [[1]], [{"a": 1}]]),
)


def right() -> tuple[pd.DataFrame, dict]:
    """The rows of the first smoke job's evaluation, and their metadata."""
    index = pd.MultiIndex.from_product(
        [JOB.seeds, range(3), schema.POLICIES, range(JOB.evaluation_episodes)],
        names=["seed", "evaluation", "policy", "episode"],
    )
    rows = index.to_frame(index=False)
    rows["env_steps"] = np.asarray(JOB.evaluation_updates)[rows["evaluation"]] * JOB.steps_per_update
    rows = rows.assign(profile="smoke", task=JOB.task_name, method=JOB.method_name, length=9, won=True)
    return rows.assign(**{"return": 2.0}), provenance_of(JOB) | {"training": provenance_of(JOB)}


@st.composite
def wrong(draw):
    """(columns, metadata) of which one thing cannot be."""
    rows, about = right()
    how = draw(st.sampled_from(["value", "column", "rows", "missing", "more", "about"]))
    name = draw(st.sampled_from(sorted(rows.columns)))
    columns = {key: rows[key].tolist() for key in schema.EVALUATION.names}
    kinds = {field.name: field.type for field in schema.EVALUATION}
    if how == "value":
        values = {
            "profile": "quick", "task": "8m", "method": "qmix", "policy": "best", "seed": -1, "evaluation": -1,
            "episode": -2, "env_steps": -5, "return": draw(st.sampled_from([np.nan, np.inf])), "length": 0, "won": None,
        }  # fmt: skip
        columns[name][draw(st.integers(0, len(rows) - 1))] = values[name]
    elif how == "column":
        columns[name] = draw(VALUES) * len(rows)
        kinds[name] = pa.array(columns[name]).type
        if kinds[name] == schema.EVALUATION.field(name).type:
            columns.pop(name)
    elif how == "rows":
        keep = draw(st.integers(0, len(rows) - 1))
        columns = {key: values[:keep] for key, values in columns.items()}
    elif how == "missing":
        columns.pop(name)
    elif how == "more":
        columns["reward"] = [1.0] * len(rows)
    else:
        about = draw(st.sampled_from([None, "[]", "{}", "not JSON", json.dumps({"evaluation_hash": "00000000"}), "3"]))
    table = pa.table({key: pa.array(values, kinds.get(key)) for key, values in columns.items()})
    text = about if about is None or isinstance(about, str) else json.dumps(about)
    return table.replace_schema_metadata(None if text is None else {"gpae": text, "key": "seed"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "params", folder / "params")
    return folder


def told(folder, capsys, record, table):
    path = folder / JOB.evaluation
    sealed(table, path)
    before = files(folder)
    with inside(folder):
        code, error = call(capsys, "aggregate", "--profile", "smoke")
    refused(code, error)
    assert error.startswith(f"gpae: {JOB.evaluation}: ")
    assert files(folder) == before
    path.unlink()
    record("bad Parquet file")


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(table=wrong())
def test_what_cannot_be_is_refused(folder, capsys, record, table):
    told(folder, capsys, record, table)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(table=wrong())
def test_much_that_cannot_be_is_refused(folder, capsys, record, table):
    told(folder, capsys, record, table)


def test_what_can_be_is_taken(folder, capsys):
    """The rows that the others spoil."""
    rows, about = right()
    schema.write(rows, folder / JOB.evaluation, schema.EVALUATION, about)
    with inside(folder):
        code, error = call(capsys, "aggregate", "--profile", "smoke")
    assert code == 0, error
    shutil.rmtree(folder / "artifacts")


def test_rows_of_another_job_are_refused(folder, capsys):
    """Right in themselves, in the wrong place."""
    rows, about = right()
    other = replace(JOB, seeds=(1,))
    schema.write(rows.assign(seed=1), folder / JOB.evaluation, schema.EVALUATION, about)
    with inside(folder):
        code, error = call(capsys, "aggregate", "--profile", "smoke")
    refused(code, error)
    assert "column seed: values [1]; allowed: [0]" in error and other.seeds == (1,)
    shutil.rmtree(folder / "artifacts")
