"""A training that goes on elsewhere: never by other code, and on another kind of machine so that its files say so."""

import json
import shutil
from pathlib import Path

import pytest
from faultlab import Lab

import gpae
from gpae.config import ConfigError
from gpae.results import provenance, schema
from gpae.training import segments

PACKAGE = Path(gpae.__file__).parent


def stop(lab: Lab) -> Path:
    """Trains a little; the file that says by what the saved state was computed."""
    code, error = lab.run(*lab.command("train"), "--minutes", "0")
    assert code == 75, error
    return lab.at(lab.job.unfinished) / "state/0/about/metadata"


def test_a_state_by_other_code_is_refused_and_the_recorded_code_goes_on(whole, lab, tmp_path):
    about = stop(lab)
    before = about.read_bytes()
    shutil.copytree(PACKAGE, tmp_path / "gpae")
    other = tmp_path / "gpae/training/rollout.py"
    other.write_text(other.read_text() + "\nANOTHER = 1\n")
    code, error = lab.run(*lab.command("train"), PYTHONPATH=str(tmp_path))
    assert code == 2 and len(error.splitlines()) == 1, error
    assert error.startswith(f"gpae: {lab.job.unfinished}/state/0: saved by other code, {provenance.code()} and not ")
    commit = json.loads(before)["segments"][0]["git_commit"]
    assert f"remove {lab.job.unfinished} and train again, or go on with commit {commit}" in error
    assert about.read_bytes() == before and not lab.at(lab.job.metrics).exists()
    lab.do("train")
    assert lab.bits().items() <= whole.bits().items() and lab.at(lab.job.metrics).exists()
    assert "segments" not in schema.read(lab.at(lab.job.metrics), schema.METRICS)[1]


def test_a_state_of_another_machine_goes_on_and_the_metrics_say_so(lab):
    about = stop(lab)
    saved = json.loads(about.read_text())
    saved["segments"][0] |= {"processor": "Another", "device": "Another"}
    about.write_text(json.dumps(saved))
    code, error = lab.run(*lab.command("train"))
    assert code == 0 and "state/0: goes on on another kind of machine, which its metrics say: device Another" in error
    found = schema.read(lab.at(lab.job.metrics), schema.METRICS)[1]
    assert [part["first_update"] for part in found["segments"]] == [1, 1]
    first, last = segments.shapes(found)
    assert first.device == "Another" and last == provenance.shape(found)
    assert segments.shapes({key: found[key] for key in found if key != "segments"}) == [last]


def test_only_the_same_code_and_versions_go_on(whole, tmp_path):
    job, path = whole.job, Path("state/7")
    here = segments.first(job)
    assert segments.go_on(job, path, 7, here) == here
    other = [here[0] | {"processor": "Another", "device": "Another"}]
    assert segments.go_on(job, path, 7, other) == [*other, here[0] | {"first_update": 8}]
    older = [here[0] | {"versions": here[0]["versions"] | {"jax": "0.1"}}]
    with pytest.raises(ConfigError, match="state/7: saved by other versions, jax 0.1, not "):
        segments.go_on(job, path, 7, older)
    for nothing in (None, [], {}, [3], [{key: here[0][key] for key in here[0] if key != "code"}]):
        with pytest.raises(ConfigError, match="state/7: saved by other code, None and not "):
            segments.go_on(job, path, 7, nothing)


def test_checkpoints_of_another_training_are_not_evaluated(whole, tmp_path):
    """Right in themselves and of this job, but not those that its metrics are of."""
    lab = whole.copy(tmp_path / "lab")
    path = lab.at(lab.job.metrics)
    rows, about = schema.read(path, schema.METRICS)
    last = str(lab.job.updates)
    assert set(about["checkpoints"]) == {str(update) for update in lab.job.evaluation_updates}
    schema.write(rows, path, schema.METRICS, about | {"checkpoints": about["checkpoints"] | {last: "0" * 64}})
    lab.at(lab.job.evaluation).unlink()
    code, error = lab.run(*lab.command("evaluate"))
    told = f"gpae: {lab.job.checkpoints}/{last}: not the checkpoint that {lab.job.metrics} is of; remove "
    assert code == 2 and error.startswith(told) and not lab.at(lab.job.evaluation).exists()
