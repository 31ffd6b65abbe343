"""The smoke profile from parameters to report, interrupted, repeated, changed and cloned."""

import os
import random
import re
import time

import pytest
from checkout import results, training

from gpae.results import schema

PARQUET = ("scores.parquet", "summary.parquet", "diagnostics.parquet")
FOLDERS = ("tables", "figures", "frames", "report")
KEPT = (*PARQUET, *FOLDERS, "verdicts.csv", "verdicts-text.csv", "ro-crate-metadata.json")


def test_an_interrupted_run_goes_on_to_the_end(interrupted, smoke):
    jobs = smoke.jobs("smoke")
    assert not any((interrupted.folder / job.checkpoints).exists() for job in jobs)
    assert any((interrupted.folder / job.unfinished).exists() for job in jobs)
    for job in jobs:
        assert not (smoke.folder / job.unfinished).exists()
        rows, _ = schema.read(smoke.folder / job.evaluation, schema.EVALUATION)
        assert len(rows) == len(job.seeds) * len(job.evaluation_updates) * 2 * job.evaluation_episodes
        rows, _ = schema.read(smoke.folder / job.metrics, schema.METRICS)
        assert len(rows) == len(job.seeds) * job.updates
        kept = {path.name for path in (smoke.folder / job.checkpoints).iterdir() if path.name.isdigit()}
        assert kept == {str(update) for update in job.evaluation_updates}


def test_results_are_there(smoke):
    artifacts = smoke.folder / "artifacts" / "smoke"
    scores, about = schema.read(artifacts / "scores.parquet", schema.SCORES)
    assert set(about["jobs"]) == set(scores["source"]) == {job.evaluation.as_posix() for job in smoke.jobs("smoke")}
    schema.read(artifacts / "summary.parquet", schema.SUMMARY)
    assert "truncation_gap" in set(schema.read(artifacts / "diagnostics.parquet", schema.DIAGNOSTICS)[0]["quantity"])
    assert {path.name for path in (artifacts / "tables").glob("*.*")} >= {"table2.csv", "table2.md", "table2.tex"}
    assert {path.suffix for path in (artifacts / "figures").glob("table2-*")} == {".pdf", ".png"}
    assert "GPAE (off)" in (artifacts / "verdicts.csv").read_text()
    assert "Across SMAX tasks, GPAE consistently" in (artifacts / "verdicts-text.csv").read_text()
    assert "3m" in (artifacts / "report/index.html").read_text()
    assert (artifacts / "ro-crate-metadata.json").exists()


def test_a_second_run_does_nothing(smoke):
    before = smoke.times("artifacts/**/*")
    assert "Nothing to be done" in smoke.run("snakemake", "--cores", "all")
    assert smoke.times("artifacts/**/*") == before


def test_a_clock_that_jumped_trains_nothing_again(smoke, tmp_path):
    """Whatever the time stamps say: up to a year too early or too late, each file by itself."""
    tree, rng, now = smoke.copy(tmp_path / "jumped"), random.Random(0), time.time()
    for path in tree.folder.glob("artifacts/smoke/**/*"):
        stamp = now + rng.uniform(-3e7, 3e7)
        os.utime(path, (stamp, stamp))
    assert set(tree.dry_run()) <= set(results("smoke"))


def test_snakemake_writes_its_own_report(smoke, tmp_path):
    smoke.run("snakemake", "--report", str(tmp_path / "report.html"))
    report = (tmp_path / "report.html").read_text()
    assert "of profile smoke: means over seeds" in report and "table2-tasks.png" in report


# a bound that MAPPO's estimator does not use is a parameter all the same, and takes no compiling
BOUND = ("params/methods/mappo.yaml", "replay_windows: 1", "replay_windows: 1\neta: 1.5")


def test_a_changed_method_alone_is_to_be_run_again(smoke, tmp_path):
    tree = smoke.copy(tmp_path / "changed")
    old = {job.evaluation for job in tree.jobs("smoke")}
    tree.edit(*BOUND)
    changed = [job for job in tree.jobs("smoke") if job.method_name == "mappo"]
    assert changed and old.isdisjoint(job.evaluation for job in changed)
    assert tree.dry_run() == sorted(training(changed) + results("smoke", frames=False))  # those show another method


@pytest.mark.slow
def test_dvc_runs_a_changed_method_alone_again(smoke, tmp_path):
    tree = smoke.copy(tmp_path / "changed")
    tree.run("dvc", "commit", "--force")
    assert "Data and pipelines are up to date." in tree.run("dvc", "repro")
    others = tree.times("artifacts/smoke/*/gpae_off/**/*")
    tree.edit(*BOUND)
    output = tree.run("dvc", "repro")
    ran = {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}
    assert ran == {"train@mappo", "frames", "results"}
    assert tree.times("artifacts/smoke/*/gpae_off/**/*") == others
    _, about = schema.read(tree.folder / "artifacts/smoke/scores.parquet", schema.SCORES)
    assert set(about["jobs"]) == {job.evaluation.as_posix() for job in tree.jobs("smoke")}
    assert tree.dry_run() == []
    assert "Data and pipelines are up to date." in tree.run("dvc", "repro")
    # what is recorded of the method are the files of today's parameters alone
    planned = [job for job in tree.jobs("smoke") if job.method_name == "mappo"]
    for group, places in (("evaluations", [j.evaluation for j in planned]), ("metrics", [j.metrics for j in planned])):
        there = (tree.folder / "artifacts/smoke" / group / "mappo").rglob("*.parquet")
        assert {path.relative_to(tree.folder) for path in there} == set(places)


def test_a_clone_has_its_results_without_training(smoke, tmp_path):
    tree = smoke.copy(tmp_path / "origin")
    tree.run("dvc", "commit", "--force")
    tree.commit(
        "params", "dvc.yaml", "dvc.lock", *(f"artifacts/smoke/{name}" for name in ("evaluations", "metrics", *KEPT))
    )
    clone = type(tree)(tmp_path / "clone")
    tree.run("git", "clone", "--quiet", str(tree.folder), str(clone.folder))
    assert not (clone.folder / "artifacts/smoke/checkpoints").exists()
    assert set(clone.dry_run()) <= set(results("smoke"))
    output = clone.run("dvc", "repro", "--allow-missing")
    assert "Data and pipelines are up to date." in output and "Running stage" not in output
    for path in ("report/index.html", "scores.parquet"):
        (clone.folder / "artifacts/smoke" / path).write_text("spoilt")
    output = clone.run("make", "--assume-old=setup", "verify", "PROFILE=smoke", "RUN=")
    assert re.search(r"All \d+ files of artifacts/smoke have the bytes of commit", output)
    assert clone.run("git", "status", "--porcelain") == ""
    assert clone.dry_run() == []
