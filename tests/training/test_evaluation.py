"""Evaluation of real checkpoints: what the rows say, and that they are the same again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gpae.config import ConfigError
from gpae.results import schema
from gpae.training import checkpoint, evaluation


def test_every_checkpoint_policy_and_episode_has_its_row(workspace):
    space = workspace(updates=24, points=3, method="mappo")
    assert space.run("train", "--tensorboard", "events")[0] == 0
    assert len(list(space.folder.glob("events/mappo/3m/seed-[01]/events*"))) == 2
    assert space.run("evaluate")[0] == 0
    job = space.job
    rows, about = schema.read(job.evaluation, schema.EVALUATION)
    cells = rows.groupby(["seed", "evaluation", "policy"]).size()
    assert len(cells) == 2 * 4 * 2 and (cells == job.evaluation_episodes).all()
    assert rows.groupby("evaluation").env_steps.first().tolist() == [k * job.total_steps // 3 for k in range(4)]
    assert (rows.length <= 101).all() and (rows.length > 1).all()
    # in 3m a victory is all of the damage, 1, and the bonus, 1
    assert ((rows["return"] > 1.99) == rows.won.astype(bool)).all() and (rows["return"] < 2.01).all()
    assert about["training_hash"] == job.training_hash and about["training"]["training_hash"] == job.training_hash

    first = rows.copy()
    job.evaluation.unlink()
    assert space.run("evaluate")[0] == 0
    pd.testing.assert_frame_equal(schema.read(job.evaluation, schema.EVALUATION)[0], first, check_exact=True)

    # a policy of another seed or time plays otherwise, and so does the greedy one
    played = {name: tuple(group["return"]) for name, group in rows.groupby(["seed", "evaluation", "policy"])}
    assert len(set(played.values())) > len(played) // 2


@pytest.mark.slow  # tests/faults damages some
def test_a_missing_or_damaged_checkpoint_is_named(workspace):
    space = workspace(updates=24, points=3, method="mappo")
    code, error = space.run("evaluate")
    assert code == 2 and "no checkpoint 0; make it with: gpae train --profile small" in error
    assert space.run("train")[0] == 0
    job = space.job
    for file in (job.checkpoints / "2" / "arrays").rglob("*"):  # orbax keeps some of it twice
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-9])
    code, error = space.run("evaluate")
    assert code == 2 and f"{job.checkpoints}/2: damaged checkpoint" in error
    assert not job.evaluation.exists()


def test_greedy_takes_the_mode_and_each_environment_counts_its_first_episode(workspace):
    """One constant policy: 'stop' for all. Nobody attacks, so no damage is done; the greedy and the sampled agree."""
    import jax
    import jax.numpy as jnp

    from gpae.training.update import Trainer

    space = workspace(method="mappo")
    job = replace(space.job, evaluation_episodes=5, seeds=(0,))
    trainer = Trainer(job)
    actor = trainer.init(jnp.zeros(1, jnp.int32)).learner.actor.params
    stop = 4
    bias = jnp.where(jnp.arange(trainer.environment.spec.actions.size) == stop, 1e4, 0.0)

    def constant(path, leaf):
        head = "['params']['Linear_0']['bias']" in jax.tree_util.keystr(path)
        return (bias if head else jnp.zeros_like(leaf[0]))[None, None]

    episodes = evaluation.play(trainer, jax.tree_util.tree_map_with_path(constant, actor))
    assert episodes.return_.shape == (1, 1, 2, 5)
    assert not episodes.won.any() and np.all(episodes.return_ == 0) and np.all(episodes.length < 101)


def test_checkpoints_of_another_job_are_refused(workspace):
    space = workspace(method="mappo")
    assert space.run("train")[0] == 0
    other = replace(space.job, learner=replace(space.job.learner, gamma=0.5))
    space.job.checkpoints.rename(other.checkpoints)
    space.job.metrics.rename(other.metrics)
    with pytest.raises(ConfigError, match=r"made from parameters \w+; allowed: the plan's"):
        evaluation.evaluate(other)
    assert checkpoint.saved_updates(other.checkpoints) == [0, 2, 4, 6]
