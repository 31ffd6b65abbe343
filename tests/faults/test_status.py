"""What `gpae status` and `gpae prune` say of real folders, whole and broken."""

import csv
import fcntl
import os
import shutil
import signal
import sys
import time

import pytest
from faultlab import PROFILE, ROOT, Lab

from gpae import plan, status
from gpae.config import Params
from gpae.results import schema


def states(lab: Lab) -> list[str]:
    return [status.progress(job, lab.folder).state for job in lab.jobs]


def test_a_finished_profile(whole):
    table, lines = status.told(whole.params, PROFILE, whole.folder)
    assert table.row_count == 2 and states(whole) == ["done", "done"]
    assert lines[0] == "jobs: 2 done" and lines[1].startswith("trained so far: ") and len(lines) == 2
    assert status.stale(whole.params, PROFILE, whole.folder) == []


def test_what_is_left_takes_as_long_as_what_was_done(whole, tmp_path):
    lab = whole.copy(tmp_path / "lab")
    done, job = lab.jobs
    lab.at(job.evaluation).unlink()
    assert states(lab) == ["done", "trained"]
    lab.at(job.metrics).unlink()
    assert states(lab) == ["done", "missing"]
    found = [status.progress(one, lab.folder) for one in lab.jobs]
    took = schema.read(lab.at(done.metrics), schema.METRICS)[1]["wall_seconds"] / 3600
    assert status.hours_left(found[1], found) == pytest.approx(took)
    lines = status.told(lab.params, PROFILE, lab.folder)[1]
    assert any(line.startswith("left to train: ") and "on this machine, " in line for line in lines)
    assert any(line.startswith("measured by mappo on 3m here: ") for line in lines)
    lab.at(done.metrics).unlink()
    lines = status.told(lab.params, PROFILE, lab.folder)[1]
    assert "unknown for 2 jobs" in lines[-1] and f"--profile {PROFILE} --method mappo" in lines[-1]


def test_another_method_counts_by_its_work(whole):
    params = whole.params
    on, off = (plan.job(params, "quick", name, "3m", (0, 1)) for name in ("mappo", "gpae_off"))
    found = [status.Progress(on, "done", on.updates, 2.0, "here"), status.Progress(off, "missing", 0)]
    # four windows of a quarter of the environments: as many steps an update, and four times the updates
    assert status.hours_left(found[1], found) == pytest.approx(2.0 * off.updates / on.updates)


def test_the_benchmarks_serve_where_nothing_is_finished(tmp_path):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    folder = tmp_path / "artifacts/benchmarks/some-gpu"
    folder.mkdir(parents=True)
    with open(folder / "estimators.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["benchmark", "task", "ours", "ratio", "spread", "device"])
        rows.writerow(["GPAE (on) against MAPPO, steps/s", "5m_vs_6m", "1000", "1", "0", "Some GPU"])
    params = Params(tmp_path / "params")
    job, other = (plan.job(params, "paper", "gpae_on", task, (0, 1)) for task in ("5m_vs_6m", "3s5z_vs_3s6z"))
    hours = status.hours_left(status.progress(job, tmp_path), [], tmp_path)
    assert hours == pytest.approx(2 * job.updates * job.steps_per_update / 1000 / 3600)
    assert status.speed(job, [], tmp_path).source == "artifacts/benchmarks/some-gpu/estimators.csv: Some GPU"
    assert status.hours_left(status.progress(other, tmp_path), [], tmp_path) is None


def test_a_training_under_way_and_one_that_was_killed(whole, lab):
    process = lab.start(*lab.command("train"))
    while not lab.seen("unfinished/*/*/*/state/8") and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGSTOP)
    one = status.progress(lab.job, lab.folder)
    assert one.state == "running" and one.updates >= 8
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    one = status.progress(lab.job, lab.folder)
    assert one.state == "stopped" and 8 <= one.updates <= one.job.updates
    found = [one, *(status.progress(job, whole.folder) for job in whole.jobs[1:])]
    left, all_of_it = status.hours_left(one, found), found[1].hours
    assert left == pytest.approx(all_of_it * (1 - one.updates / one.job.updates))


def test_a_damaged_file_is_a_state_of_its_own(whole, tmp_path):
    lab = whole.copy(tmp_path / "lab")
    path = lab.at(lab.job.metrics)
    path.write_bytes(path.read_bytes()[:-1])
    assert states(lab) == ["damaged", "done"]
    assert any(f"{path}: damaged" in line for line in status.told(lab.params, PROFILE, lab.folder)[1])


def test_prune_removes_what_nothing_planned_reads_and_nothing_else(whole, tmp_path):
    lab = whole.copy(tmp_path / "lab")
    old = {lab.at(place) for job in lab.jobs for place in (job.checkpoints, job.metrics, job.evaluation)}
    profile = lab.at(f"params/profiles/{PROFILE}.yaml")
    profile.write_text(profile.read_text().replace("epochs: 2", "epochs: 1"))
    parts = [f"artifacts/{PROFILE}/.scores.parquet.{number:016x}.part" for number in range(2)]
    killed, writing = (lab.at(part) for part in parts)
    for path in (killed, writing):
        path.touch()
    own = lab.at(f"artifacts/{PROFILE}/.notes.2019")  # a user's
    own.touch()
    os.utime(own, (0, 0))
    locks = {path for path in lab.at("artifacts").rglob("*.lock")}
    stale = set(status.stale(lab.params, PROFILE, lab.folder))
    assert stale == old | locks  # what was left within the last hour, another machine may still write
    os.utime(killed, (0, 0))
    os.utime(writing, (0, 0))
    holder = open(writing)
    fcntl.flock(holder, fcntl.LOCK_EX)
    assert set(status.stale(lab.params, PROFILE, lab.folder)) == old | locks | {killed}
    assert set(status.stale(lab.params, PROFILE, lab.folder, "mappo")) == old | locks
    assert status.stale(lab.params, PROFILE, lab.folder, "gpae_on") == []
    command = [sys.executable, "-m", "gpae", "prune", "--profile", PROFILE]
    assert lab.run(*command)[0] == 0 and all(path.exists() for path in stale)
    assert lab.run(*command, "--yes")[0] == 0
    assert not any(path.exists() for path in stale | {killed}) and writing.exists() and own.exists()
    kept = {path.name for path in lab.at(f"artifacts/{PROFILE}").glob("*.parquet")}
    assert kept == {"scores.parquet", "summary.parquet", "diagnostics.parquet"}


def test_prune_takes_links_away_and_nothing_of_what_they_lead_to(lab, tmp_path):
    """A job's folder that is a link goes as a link; below a folder that is one, everything is another's."""
    elsewhere = tmp_path / "elsewhere"
    name = "seeds-0-00000000"
    for place in ("job", f"method/3m/{name}"):
        (elsewhere / place).mkdir(parents=True)
        (elsewhere / place / "file").touch()
    top = lab.at(f"artifacts/{PROFILE}/checkpoints")
    (top / "mappo/3m").mkdir(parents=True)
    (top / "mappo/3m" / name).symlink_to(elsewhere / "job")
    (top / "mappo/3m/seeds-of-mine").mkdir()
    (top / "dae").symlink_to(elsewhere / "method")
    stale = status.stale(lab.params, PROFILE, lab.folder)
    assert stale == [top / "mappo/3m" / name]
    assert status.prune(stale) == stale and not stale[0].is_symlink()
    assert sorted(path.name for path in elsewhere.rglob("file")) == ["file", "file"]


def test_prune_works_where_artifacts_as_a_whole_lie_elsewhere(lab, tmp_path):
    lab.at("artifacts").symlink_to(tmp_path / "shared")
    path = tmp_path / f"shared/{PROFILE}/metrics/mappo/3m/seeds-0-00000000.parquet"
    path.parent.mkdir(parents=True)
    path.touch()
    assert status.prune(status.stale(lab.params, PROFILE, lab.folder)) != [] and not path.exists()
