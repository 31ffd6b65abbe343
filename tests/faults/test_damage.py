"""Truncated and bit-flipped files: refused in one line with the remedy, which works; never read as something else."""

import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from faultlab import ROOT, Lab, _like

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.results import schema
from gpae.training import checkpoint

REMEDY = "remove it and make it again, or take it from git"


def damaged(content: bytes, how: str, rng: random.Random) -> bytes:
    """One bit turned over, or the end lost, or a block of zeros as after a power failure."""
    at = rng.randrange(len(content))
    if how == "cut":
        return content[:at]
    if how == "zeros":
        return content[:at] + bytes(len(content[at : at + 512])) + content[at + 512 :]
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def parquet(lab: Lab) -> list[tuple[Path, object]]:
    return [(lab.at(lab.job.evaluation), schema.EVALUATION), (lab.at(lab.job.metrics), schema.METRICS)]


def spoilt(lab: Lab, tries: int, seed: int) -> int:
    """Damages Parquet files in every way; how often it was refused, which is always."""
    rng, refused = random.Random(seed), 0
    for path, kind in parquet(lab):
        content = path.read_bytes()
        for i in range(tries):
            broken = damaged(content, ("flip", "cut", "zeros")[i % 3], rng)
            if broken == content:
                continue
            path.write_bytes(broken)
            with pytest.raises(ConfigError) as told:
                schema.read(path, kind)
            assert str(told.value).startswith(f"{path}: damaged") and "\n" not in str(told.value)
            assert str(told.value).endswith(REMEDY)
            refused += 1
        path.write_bytes(content)
    return refused


def test_any_damage_of_a_parquet_file_is_refused(whole, tmp_path, record):
    record("damaged Parquet file", spoilt(whole.copy(tmp_path / "lab"), 150, seed=1))


@pytest.mark.slow
def test_much_damage_of_parquet_files_is_refused(whole, tmp_path, record):
    record("damaged Parquet file", spoilt(whole.copy(tmp_path / "lab"), 3000, seed=2))


def test_every_bit_of_a_file_counts(whole, tmp_path, record):
    lab = whole.copy(tmp_path / "lab")
    path, kind = parquet(lab)[0]
    content = path.read_bytes()
    for at in range(0, 8 * len(content), 37):
        path.write_bytes(content[: at // 8] + bytes([content[at // 8] ^ 1 << at % 8]) + content[at // 8 + 1 :])
        with pytest.raises(ConfigError):
            schema.read(path, kind)
    record("flipped bit of a Parquet file", len(range(0, 8 * len(content), 37)))


def test_committed_results_are_read():
    """Those from before there was a digest too, by the checksums of their pages. A job finds those of this format
    alone, and there is none of this format that no job asks for."""
    params, wanted, there = Params(ROOT / "params"), set(), {}
    for folder in ROOT.glob("artifacts/*/metrics"):
        for job in plan.jobs(params, folder.parent.name):
            wanted |= {ROOT / job.metrics, ROOT / job.evaluation}
    for group in ("metrics", "evaluations"):
        for path in ROOT.glob(f"artifacts/*/{group}/*/*/*.parquet"):
            kind = schema.METRICS if group == "metrics" else schema.evaluation(params_score(params, path))
            if b"sha256" in pq.read_metadata(path).metadata:  # else older than digests, and of no job
                frame, about = schema.read(path, kind)
                assert len(frame)
                there[path] = about.get("format", 2)
    assert there
    assert {path for path, made_by in there.items() if made_by == plan.FORMAT} == wanted & there.keys()


def params_score(params: Params, path: Path) -> str:
    """Of the task in whose folder an evaluation lies."""
    return params.family(params.task(path.parent.name).family).score


@pytest.mark.slow
def test_a_damaged_result_stops_the_next_step_and_is_made_again(whole, tmp_path, record):
    lab = whole.copy(tmp_path / "lab")
    path = lab.at(lab.job.evaluation)
    path.write_bytes(damaged(path.read_bytes(), "flip", random.Random(0)))
    before = lab.finished()
    code, error = lab.run(*lab.command("aggregate"))
    assert code == 2 and f"gpae: {lab.job.evaluation}: damaged" in error and len(error.splitlines()) == 1
    assert lab.finished() == before
    path.unlink()
    lab.do("evaluate")
    lab.do("aggregate")
    assert lab.bits() == whole.bits()
    record("damaged result, remedy followed")


def points(lab: Lab) -> list[Path]:
    return [lab.at(lab.job.checkpoints) / str(update) for update in lab.job.evaluation_updates]


def broken_checkpoints(lab: Lab, tries: int, seed: int) -> tuple[int, int]:
    """(how often a damage was refused, how often it did no harm) in all files of all checkpoints."""
    rng, refused, harmless, like = random.Random(seed), 0, 0, _like(lab.job)
    files = [(point, file) for point in points(lab) for file in sorted(point.rglob("*")) if file.is_file()]
    for i in range(tries):
        point, file = rng.choice(files)
        content = file.read_bytes()
        file.write_bytes(damaged(content, ("flip", "cut", "zeros")[i % 3], rng))
        try:
            assert checkpoint.restore(point, lab.job, like) is not None
            harmless += 1  # its arrays have the digest of those that were saved
        except ConfigError as error:
            assert str(error).startswith(f"{point}: ") and "\n" not in str(error) and " remove " in str(error)
            refused += 1
        file.write_bytes(content)
    return refused, harmless


def test_damaged_checkpoints_are_refused(whole, tmp_path, record):
    refused, _ = broken_checkpoints(whole.copy(tmp_path / "lab"), 60, seed=1)
    assert refused > 10
    record("damaged checkpoint", refused)


@pytest.mark.slow
def test_many_damaged_checkpoints_are_refused(whole, tmp_path, record):
    refused, _ = broken_checkpoints(whole.copy(tmp_path / "lab"), 600, seed=2)
    record("damaged checkpoint", refused)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_the_remedy_works(whole, tmp_path, record):
    lab = whole.copy(tmp_path / "lab")
    lab.at(lab.job.evaluation).unlink()
    for file in points(lab)[1].rglob("d/*"):
        file.write_bytes(file.read_bytes()[:-7])
    for step in ("train", "evaluate"):
        code, error = lab.run(*lab.command(step))
        told = error.strip().splitlines()[-1]
        assert code == 2 and f"gpae: {lab.job.checkpoints}/8: damaged checkpoint" in told
        assert f"or remove {lab.job.checkpoints} and train again" in told and "Traceback" not in error
    shutil.rmtree(lab.at(lab.job.checkpoints))
    lab.do("train")
    lab.do("evaluate")
    assert lab.bits() == whole.bits()
    record("damaged result, remedy followed")


@pytest.mark.slow
def test_a_damaged_state_is_named_and_the_one_before_it_taken(whole, lab, record):
    code, _ = lab.run(*lab.command("train"), "--minutes", "0")
    assert code == 75
    state = lab.at(lab.job.unfinished) / "state"
    shutil.copytree(state / "0", state / "5")
    for file in (state / "5").rglob("d/*"):
        file.write_bytes(file.read_bytes()[:-1])
    code, error = lab.run(*lab.command("train"))
    told = error.strip().splitlines()[-1]
    assert code == 2 and f"gpae: {lab.job.unfinished}/state/5: damaged checkpoint" in told
    assert f"or remove {lab.job.unfinished}/state/5 and train again" in told
    shutil.rmtree(state / "5")
    lab.do("train")
    assert lab.bits().items() <= whole.bits().items() and lab.at(lab.job.metrics).exists()
    record("damaged result, remedy followed")
