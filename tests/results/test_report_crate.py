"""The manifest is made of what there is: the same bytes for the same files, another hash for another byte."""

import hashlib
import json

import pages
import pytest

from gpae.results.report.crate import crate_path


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
    evaluation, metrics = study.measure(job, lambda s, p: 9), study.watch(job, entropy=lambda s, u: 1.0)
    folder = study.root / "artifacts" / "tiny"
    (folder / "evaluations" / "left-over.parquet").write_bytes(b"of parameters that are no longer planned")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "large").write_bytes(b"kept elsewhere")
    found = crate(study)
    files = {name for name, about in found.items() if about["@type"] == "File"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - files == {"evaluations/left-over.parquet", "checkpoints/large", "ro-crate-metadata.json"}
    name = evaluation.relative_to(folder).as_posix()
    assert found[name]["sha256"] == hashlib.sha256(evaluation.read_bytes()).hexdigest()
    action = found["#job-mappo-hopper_3x1-seeds-0-1-evaluate"]
    assert action["result"] == [{"@id": name}] and action["endTime"] == "2026-01-01T00:00:00+00:00"
    values = {found[part["@id"]]["name"]: found[part["@id"]]["value"] for part in action["object"]}
    assert values["parameters"] == job.evaluation_hash and values["wall seconds"] == "12.5"
    assert values["machine"] == "cpu, A <processor>" and float(values["watt hours estimated"]) > 0
    assert found[action["instrument"]["@id"]]["softwareVersion"].startswith("0123456789")
    trained = found["#job-mappo-hopper_3x1-seeds-0-1-train"]
    assert trained["result"] == [{"@id": metrics.relative_to(folder).as_posix()}]


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
