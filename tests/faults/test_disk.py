"""A full disk and one that cannot be written: a line that says so, nothing half there, and then the same bits."""

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from faultlab import PROFILE, Lab

SLOW = pytest.mark.slow


@contextmanager
def mounted(place: Path, options: str):
    """A small file system in memory; whoever may not mount skips the test."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no right to mount: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def one_line(error: str) -> str:
    """The last line of a command's output, which alone may tell of an error."""
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


def fill(place: Path, free: int) -> Path:
    """Leaves so many bytes."""
    ballast = place / "ballast"
    room = shutil.disk_usage(place).free
    ballast.write_bytes(b"\0" * max(0, room - free))
    return ballast


@pytest.mark.parametrize("free", [40_000, pytest.param(0, marks=SLOW), pytest.param(150_000, marks=SLOW)])
def test_a_training_on_a_full_disk_goes_on_when_there_is_room(whole, lab, record, free):
    with mounted(lab.at("artifacts"), "size=8m") as place:
        ballast = fill(place, free)
        code, error = lab.run(*lab.command("train"))
        told = one_line(error)
        assert code == 1 and told.startswith(f"gpae: {lab.job.unfinished}/")
        assert told.endswith(": No space left on device; make room, then the same command goes on")
        assert lab.bits() == {}
        ballast.unlink()
        lab.do("train")
        assert lab.bits().items() <= whole.bits().items() and lab.at(lab.job.metrics).exists()
        assert not list(place.rglob("writing-*")) and not lab.leftovers()
    record("full disk, train")


@pytest.mark.parametrize("step", ["aggregate", pytest.param("evaluate", marks=SLOW)])
def test_a_full_disk_leaves_no_part_of_a_result(whole, tmp_path, record, step):
    lab = whole.copy(tmp_path / "lab")
    made = lab.at(lab.job.evaluation if step == "evaluate" else f"artifacts/{PROFILE}/summary.parquet")
    made.unlink()
    moved = tmp_path / "moved"
    lab.at("artifacts").rename(moved)
    with mounted(lab.at("artifacts"), "size=8m") as place:
        shutil.copytree(moved, place, dirs_exist_ok=True)
        ballast = fill(place, 2000)
        code, error = lab.run(*lab.command(step))
        assert code == 1 and "No space left on device" in one_line(error)
        assert not made.exists() and lab.bits().items() <= whole.bits().items()
        ballast.unlink()
        lab.do(step)
        assert lab.bits() == whole.bits() and not lab.leftovers()
    record(f"full disk, {step}")


@pytest.mark.parametrize("step", ["train", pytest.param("aggregate", marks=SLOW), pytest.param("tables", marks=SLOW)])
def test_outputs_that_cannot_be_written(whole, tmp_path, record, step):
    lab = whole.copy(tmp_path / "lab") if step != "train" else Lab.make(tmp_path / "lab")
    lab.at("artifacts").mkdir(exist_ok=True)
    before = lab.finished()
    bind = subprocess.run(["mount", "--bind", lab.at("artifacts"), lab.at("artifacts")], capture_output=True, text=True)
    if bind.returncode:
        pytest.skip(f"no right to mount: {bind.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", lab.at("artifacts")], check=True)
        code, error = lab.run(*lab.command(step))
        assert code == 1 and "Read-only file system; make it writable" in one_line(error)
    finally:
        subprocess.run(["umount", "--lazy", lab.at("artifacts")], check=True)
    assert lab.finished() == before
    record(f"read-only output, {step}")
