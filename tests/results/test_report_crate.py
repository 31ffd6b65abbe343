"""The manifest is made of what there is: the same bytes for the same files, another hash for another byte."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pages
import pytest

from gpae.config import ConfigError
from gpae.results import aggregate
from gpae.results.report.check import check
from gpae.results.report.context import Context
from gpae.results.report.crate import build, crate_path
from gpae.training import checkpoint


@pytest.fixture
def study(study):
    study.profile("tiny", ["hopper_3x1"], ["gpae_off", "mappo"], seeds=2)
    return study


def crate(study):
    pages.build(study)
    graph = json.loads((study.root / crate_path("tiny")).read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def test_files_are_named_by_hash_and_jobs_are_actions(study):
    job = study.jobs("tiny", method_name="mappo")[0]
    metrics = study.watch(job, {"checkpoints": {"0": "a" * 64}}, entropy=lambda s, u: 1.0)
    evaluation = study.measure(job, lambda s, p: 9)
    folder = study.root / "artifacts" / "tiny"
    (folder / "evaluations" / "left-over.parquet").write_bytes(b"of parameters that are no longer planned")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "large").write_bytes(b"kept elsewhere")
    found = crate(study)
    files = {name for name, about in found.items() if about["@type"] == "File"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - files == {"evaluations/left-over.parquet", "checkpoints/large", "ro-crate-metadata.json"}
    inputs = {name.removeprefix("../../params/") for name in files if name.startswith("../../params/")}
    assert {"profiles/tiny.yaml", "methods/mappo.yaml", "methods/gpae_off.yaml", "tasks/hopper_3x1.yaml"} < inputs
    assert {"families/mabrax.yaml", "experiments/table2.yaml", "claims/gpae.csv"} < inputs
    name = evaluation.relative_to(folder).as_posix()
    assert found[name]["sha256"] == hashlib.sha256(evaluation.read_bytes()).hexdigest()
    action = found["#job-mappo-hopper_3x1-seeds-0-1-evaluate"]
    assert action["result"] == [{"@id": name}] and action["endTime"] == "2026-01-01T00:00:00+00:00"
    values = {found[part["@id"]]["name"]: found[part["@id"]]["value"] for part in action["object"]}
    assert values["parameters"] == job.evaluation_hash and values["wall seconds"] == "12.5"
    assert values["machine"] == "cpu, A <processor>" and float(values["watt hours estimated"]) > 0
    assert found[action["instrument"]["@id"]]["softwareVersion"].startswith("0123456789")
    trained = found["#job-mappo-hopper_3x1-seeds-0-1-train"]
    point = job.checkpoints.relative_to("artifacts/tiny").as_posix() + "/0/"
    assert trained["result"] == [{"@id": metrics.relative_to(folder).as_posix()}, {"@id": point}]
    assert found[point]["sha256"] == "a" * 64


def test_what_is_not_as_the_manifest_says_is_found(study):
    job = study.jobs("tiny", method_name="mappo")[0]
    metrics = study.watch(job, {"checkpoints": {"0": "a" * 64}}, entropy=lambda s, u: 1.0)
    study.measure(job, lambda s, p: 9)
    table = study.root / "artifacts/tiny/tables/table2.csv"
    table.parent.mkdir(parents=True)
    table.write_text("task,score\nhopper_3x1,9\n")
    aggregate.build(study.params, "tiny", study.root)
    build(Context(study.params, "tiny", study.root))
    wrong, lines = check(study.params, "tiny", study.root)
    assert wrong == [] and lines[1] == "1 checkpoints are not here; dvc pull brings them"
    profile = study.root / "params/profiles/tiny.yaml"
    for path, word in ((metrics, "other bytes"), (table, "other bytes"), (profile, "other bytes")):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + b" ")
        (said,) = check(study.params, "tiny", study.root)[0]
        assert Path(said.split(": ")[0]).resolve() == path.resolve() and said.endswith(f"{word} than the manifest says")
        path.write_bytes(whole)
    more = table.with_name("table99.csv")
    more.write_text("forged")
    whole = table.read_bytes()
    table.unlink()
    checkpoint.save(study.root / job.checkpoints / "0", job, {"a": np.zeros(3)})
    told = set(check(study.params, "tiny", study.root)[0])
    place = study.root / job.checkpoints / "0"
    assert told == {
        f"{more}: not in the manifest",
        f"{table}: no such file",
        f"{place}: other arrays than the manifest says",
    }
    os.mkfifo(table)
    assert f"{table}: not a file; allowed: a file" in check(study.params, "tiny", study.root)[0]


def test_a_damaged_manifest_is_told(study):
    path = study.root / crate_path("tiny")
    path.parent.mkdir(parents=True, exist_ok=True)
    for content in (b"", b"[]", b"{}", b'{"@graph": [3]}', b"[" * 100_000, b"\xff"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="damaged: no list of files; make it again with: gpae report"):
            check(study.params, "tiny", study.root)


def test_the_same_files_make_the_same_bytes_and_others_do_not(study):
    study.measure(study.jobs("tiny", method_name="mappo")[0], lambda s, p: 9)
    crate(study)
    before = (study.root / crate_path("tiny")).read_bytes()
    crate(study)
    assert (study.root / crate_path("tiny")).read_bytes() == before
    study.measure(study.jobs("tiny", method_name="mappo")[0], lambda s, p: 10)
    crate(study)
    assert (study.root / crate_path("tiny")).read_bytes() != before


def test_without_a_result_it_has_a_date_all_the_same(study):
    found = crate(study)
    assert found["./"]["datePublished"] and not [e for e in found.values() if e["@type"] == "CreateAction"]
