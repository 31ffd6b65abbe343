"""Two commands at the same work: one does it, the other waits or is refused; nothing is lost, nothing made twice."""

import os
import signal
import time

import pytest


def until(condition, process, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)


def test_a_second_training_waits_for_the_first_and_finds_it_done(whole, lab, record):
    first = lab.start(*lab.command("train"))
    until(lambda: lab.seen("unfinished/*/*/*/points/0"), first)
    os.killpg(first.pid, signal.SIGSTOP)  # for as long as the other needs to begin
    second = lab.start(*lab.command("train"))
    assert "another process trains this job; waiting for its end" in second.stderr.readline()
    os.killpg(first.pid, signal.SIGCONT)
    first.communicate(timeout=300)
    error = second.communicate(timeout=300)[1]
    assert first.returncode == second.returncode == 0 and "steps/s" not in error  # the second has not trained
    assert lab.bits().items() <= whole.bits().items() and lab.at(lab.job.metrics).exists()
    record("two processes, train")


def test_a_snakemake_of_another_clone_with_the_same_artifacts_is_refused(lab, tmp_path, record):
    """It would take the first one's finished results for missing, remove them and train again."""
    other = lab.copy(tmp_path / "other")
    lab.at("artifacts").mkdir()
    other.at("artifacts").symlink_to(lab.at("artifacts"))
    first = lab.start(*lab.command("snakemake"))
    try:
        until(lambda: lab.at("logs").exists(), first, 300)  # snakemake makes it for its first job
        os.killpg(first.pid, signal.SIGSTOP)
        code, error = other.run(*other.command("snakemake"))
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert code == 1 and "another snakemake is at it in this folder; wait for its end, or stop it" in error
    record("two processes, snakemake")


@pytest.mark.slow
def test_a_second_snakemake_is_refused_and_takes_nothing_away(whole, lab, record):
    first = lab.start(*lab.command("snakemake"))
    until(lambda: lab.at(lab.job.unfinished.parent).exists(), first)
    code, error = lab.run(*lab.command("snakemake"))
    assert code == 1 and "another snakemake is at it in this folder; wait for its end, or stop it" in error
    error = first.communicate(timeout=300)[1]
    assert first.returncode == 0, error
    before, expected = lab.finished(), whole.bits()
    assert lab.bits().items() <= expected.items() and len(before) == 6
    assert lab.run(*lab.command("snakemake"))[0] == 0 and lab.finished() == before
    record("two processes, snakemake")
