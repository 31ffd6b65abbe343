"""Predators against prey from parameters to the score: two learners, trained and evaluated together."""

import shutil
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
import yaml

from gpae import plan
from gpae.config import Params
from gpae.results import aggregate, schema
from gpae.training import checkpoint, evaluation, loop
from gpae.training.update import Trainer

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TASK, METHOD, UPDATES = "predators_2_prey_2", "asae_vs_coma", 3


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(job, params, folder) of a training of three updates, evaluated."""
    folder = tmp_path_factory.mktemp("competition")
    shutil.copytree(ROOT / "params", folder / "params")
    profile = {
        "description": "for one test",
        "total_steps": UPDATES * 80,
        "evaluation_interval": UPDATES * 80,
        "evaluation_episodes": 10,
        "seeds": 2,
        "seed_block": 2,
        "cores": 1,
        "experiments": {"asae_figure8": {"tasks": [TASK], "methods": [METHOD]}},
        "overrides": {
            "predator_prey": {
                "policy_gradient": {
                    "learner": {"environments": 8, "rollout_steps": 10, "epochs": 2},
                    "network": {"width": 8, "layers": 1},
                }
            }
        },
    }
    (folder / "params/profiles/small.yaml").write_text(yaml.safe_dump(profile))
    params = Params(Path("params"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (job,) = plan.jobs(params, "small")
        loop.train(job)
        evaluation.evaluate(job)
        aggregate.build(params, "small")
    return job, folder


def test_both_teams_learn(trained):
    job, folder = trained
    rows, about = schema.read(folder / job.metrics, schema.METRICS)
    assert len(rows) == 2 * UPDATES and about["training_hash"] == job.training_hash
    for team in ("predators", "prey"):
        assert (rows[f"{team}_actor_gradient_norm"] > 0).all() and (rows[f"{team}_critic_gradient_norm"] > 0).all()
        assert (rows[f"{team}_entropy"] > 1).all()  # nearly uniform over five moves still
    assert not np.allclose(rows["predators_reward"], -rows["prey_reward"])  # not a zero-sum game
    like = loop.parameters(Trainer(job))
    points = [checkpoint.restore(folder / job.checkpoints / str(update), job, like) for update in (0, UPDATES)]
    for network in ("actor", "critic"):
        for team in ("first", "second"):
            before, after = (jax.tree.leaves(getattr(point[network], team)) for point in points)
            assert any(np.any(old != new) for old, new in zip(before, after, strict=True)), f"{network} of {team}"


def test_the_score_is_the_share_of_prey_that_was_caught(trained):
    job, folder = trained
    rows, _ = schema.read(folder / job.evaluation, schema.PURSUIT)
    assert len(rows) == 2 * 2 * 2 * job.evaluation_episodes and set(rows["captured"]) <= {0.0, 0.5, 1.0}
    assert rows["captured"].nunique() > 1 and (rows["length"] == 150).all() and rows["won"].isna().all()
    scores = aggregate.read_scores(Params(folder / "params"), "small", folder)[0]
    keys = ["seed", "evaluation", "policy"]
    wanted = 100 * rows.groupby(keys)["captured"].mean()
    pd.testing.assert_series_equal(scores.set_index(keys)["score"].sort_index(), wanted.sort_index(), check_names=False)
