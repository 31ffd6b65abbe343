"""The smoke profile through a real Slurm, three of whose jobs are taken away in the midst of their training."""

import os
import re
import signal

import jax
import numpy as np
import pandas as pd
import pytest
from slurm_node import MISSING, Node, until

from gpae.results import schema
from gpae.training import checkpoint, loop
from gpae.training.update import Trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs Slurm: no {', '.join(MISSING)} (Debian's slurm-wlm and munge)"),
]
# cancelled; told that its time is nearly up, as --signal=TERM@300 does; put back into the queue, as one preempted is
LOSSES = {"scancel": "CANCELLED", "scancel --signal=TERM": "FAILED", "scontrol requeue": "COMPLETED"}
# this Slurm keeps no accounts, and looking at it often costs nothing; a mistake should not be tried twenty times
OPTIONS = ("--slurm-status-command=squeue", "--slurm-init-seconds-before-status-checks=5", "--preemptible-retries=3")


@pytest.fixture(scope="module")
def unbroken(pristine, tmp_path_factory):
    """The same profile without Slurm and without an interruption."""
    tree = pristine.copy(tmp_path_factory.mktemp("unbroken") / "tree")
    tree.run("snakemake", "--cores", "all", "--config", "profile=smoke")
    return tree


@pytest.fixture(scope="module")
def broken(pristine, tmp_path_factory):
    """(tree, what snakemake printed, a loss: the training that suffered it and what Slurm says of its job)."""
    tree = pristine.copy(tmp_path_factory.mktemp("slurm") / "tree")
    trainings = {job.unfinished: f"{job.method_name}_3m_{job.unfinished.name}" for job in tree.jobs("smoke")}
    lost = {}

    def begun():
        """A training that has begun and was not lost before."""
        return next((it for it in trainings if it not in lost and (tree.folder / it / "points/0").exists()), None)

    with Node(tmp_path_factory.mktemp("node")) as node:
        tree.environment["SLURM_CONF"] = node.environment["SLURM_CONF"]
        tree.environment["PATH"] = f"{node.folder}/bin:{tree.environment['PATH']}"
        profile = ("--profile", "workflow/profiles/slurm", "--config", "profile=smoke")
        run = tree.start("snakemake", *profile, *OPTIONS)
        try:
            for loss in LOSSES:
                until(begun, 600, node.logs)
                training = begun()
                (lost[training],) = node.running(f"rule_train_wildcards_smoke_{trainings[training]}")
                node.run(*loss.split(), lost[training])
            output = run.communicate(timeout=1500)[0]
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                print(run.communicate()[0])
        assert run.returncode == 0, output
        told = {
            loss: (training, node.run("scontrol", "show", "job", number))
            for loss, (training, number) in zip(LOSSES, lost.items(), strict=True)
        }
        return tree, output, told


def test_the_trainings_were_lost_and_went_on(broken):
    tree, output, lost = broken
    for loss, state in LOSSES.items():
        training, job = lost[loss]
        assert f"JobState={state} " in job and f"Restarts={int('requeue' in loss)} " in job
        if "TERM" in loss:  # the others are killed where they do not end in half a minute
            assert re.search(rf"{training}: at update \d+ of \d+; the same command goes on", output)
        assert not (tree.folder / training).exists()


def test_the_results_have_the_same_bits(broken, unbroken, monkeypatch):
    tree = broken[0]
    for job in tree.jobs("smoke"):
        for path, kind in ((job.metrics, schema.METRICS), (job.evaluation, schema.EVALUATION)):
            here, there = (schema.read(each.folder / path, kind)[0] for each in (tree, unbroken))
            pd.testing.assert_frame_equal(here, there, check_exact=True)
        parameters = []
        for each in (tree, unbroken):
            monkeypatch.chdir(each.folder)
            saved = checkpoint.restore(job.checkpoints / str(job.updates), job, loop.parameters(Trainer(job)))
            parameters.append(jax.tree.leaves(saved))
        for here, there in zip(*parameters, strict=True):
            np.testing.assert_array_equal(here, there)
    tables = [
        {path.name: path.read_bytes() for path in each.folder.glob("artifacts/smoke/tables/*")}
        for each in (tree, unbroken)
    ]
    assert tables[0] == tables[1] != {}
