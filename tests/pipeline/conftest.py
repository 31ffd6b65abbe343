"""Copies of this repository at the stages that the tests start from."""

import os
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from checkout import ROOT, Tree


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Tree:
    """The repository before anything has run. Only compiled programs are shared with it; tests do not change it."""
    tree = Tree(tmp_path_factory.mktemp("pristine") / "tree")
    wanted = [".", ":!artifacts", ":!dvc.lock"], ["artifacts/benchmarks"]  # measured apart, and claims are held to it
    listed = [
        subprocess.run(["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True) for paths in wanted
    ]
    for name in filter(None, b"".join(found.stdout for found in listed).decode().split("\0")):
        if (ROOT / name).exists():
            (tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree.folder / name, follow_symlinks=False)
    (ROOT / ".cache").mkdir(exist_ok=True)
    (tree.folder / ".cache").symlink_to(ROOT / ".cache")
    tree.run("git", "init", "--quiet")
    tree.commit(".")
    return tree


@pytest.fixture
def fresh(pristine, tmp_path) -> Tree:
    """The repository before anything has run, to be changed."""
    return pristine.copy(tmp_path / "fresh")


@pytest.fixture(scope="session")
def interrupted(pristine, tmp_path_factory) -> Tree:
    """The smoke profile as the default, killed with all its processes in the midst of the first training."""
    tree = pristine.copy(tmp_path_factory.mktemp("smoke") / "tree")
    tree.edit("params/default.yaml", "profile: quick", "profile: smoke")
    pipeline = yaml.safe_load((tree.folder / "dvc.yaml").read_text())
    pipeline["stages"]["train"]["foreach"] = sorted({job.method_name for job in tree.jobs("smoke")})
    (tree.folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    run = tree.start("snakemake", "--cores", "all")
    try:
        while run.poll() is None and not tree.seen("artifacts/smoke/unfinished/*/*/*/points/0"):
            time.sleep(0.01)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    return tree


@pytest.fixture(scope="session")
def smoke(interrupted, tmp_path_factory) -> Tree:
    """The smoke profile, run to its end after the interruption; tests copy it before they change it."""
    tree = interrupted.copy(tmp_path_factory.mktemp("finished") / "tree")
    tree.run("snakemake", "--cores", "all")
    return tree
