"""SIGKILL, at any time and at the worst moments: nothing is half there or lost, and the same bits come."""

import random
import shutil
from pathlib import Path

import pytest
from faultlab import PROFILE, Lab, kill

# {step: (kills, seconds that it takes)}
SOON = {"train": (3, 6.0), "evaluate": (1, 6.0), "aggregate": (1, 4.0)}
NIGHTLY = {"train": (30, 6.0), "evaluate": (10, 6.0), "aggregate": (10, 4.0)}
SNAKEMAKE_KILLS = 10
MADE_BEFORE = {"train": (), "evaluate": ("checkpoints", "metrics")}


def begin(whole: Lab, step: str, folder: Path) -> Lab:
    """A folder in which all is done that a step needs, and nothing of what it makes."""
    lab = whole.copy(folder)
    for path in lab.at(f"artifacts/{PROFILE}").iterdir():
        if path.is_file():
            path.unlink()
        elif path.name not in MADE_BEFORE.get(step, (path.name,)):
            shutil.rmtree(path)
    return lab


def survives(whole: Lab, step: str, kills: int, seconds: float, folder: Path, seed: int) -> list[str]:
    """How the kills were done."""
    rng, done, attempts = random.Random(seed), [], 0
    lab, expected = begin(whole, step, folder / "0"), whole.bits()
    while len(done) < kills:
        before, attempts = lab.finished(), attempts + 1
        how = kill(lab, step, rng, seconds)
        after = lab.finished()
        assert set(before) <= set(after)  # nothing finished is lost
        if step == "train":
            assert before.items() <= after.items()  # or made again
        assert lab.bits().items() <= expected.items()  # what is there is whole, and what an unbroken run makes
        if how:
            done.append(how)
        else:
            lab = begin(whole, step, folder / str(attempts))
    for job in lab.jobs if step in ("train", "evaluate") else [None]:
        lab.do(step, job)
    later = {"train": ("evaluations/", "scores.", "summary.", "diagnostics."), "aggregate": ()}
    later = later.get(step, later["train"][1:])
    assert lab.bits() == {name: bits for name, bits in expected.items() if not any(part in name for part in later)}
    return done


@pytest.mark.parametrize("step", SOON)
def test_a_killed_step_ends_with_the_same_bits(whole, tmp_path, record, step):
    record(f"SIGKILL of {step}", len(survives(whole, step, *SOON[step], tmp_path, seed=1)))


@pytest.mark.slow
@pytest.mark.parametrize("step", NIGHTLY)
def test_many_kills(whole, tmp_path, record, step):
    done = survives(whole, step, *NIGHTLY[step], tmp_path, seed=2)
    assert len(set(done)) > 1
    record(f"SIGKILL of {step}", len(done))


@pytest.mark.slow
def test_many_kills_of_snakemake_and_all_that_it_runs(whole, lab, tmp_path, record):
    """It may make again what it had not yet noted as done: what is there is always whole, and the end the same."""
    rng, done, fresh = random.Random(3), [], 0
    expected = {name: bits for name, bits in whole.bits().items() if "/" in name or name.startswith("seeds-")}
    while len(done) < SNAKEMAKE_KILLS:
        how = kill(lab, "snakemake", rng, 30.0)
        assert lab.bits().items() <= expected.items()
        if how:
            done.append(how)
        else:
            fresh += 1
            lab = Lab.make(tmp_path / f"fresh-{fresh}")
    lab.do("snakemake")
    assert lab.bits() == expected and not lab.leftovers()
    assert len(set(done)) > 1
    record("SIGKILL of snakemake and all that it runs", len(done))
