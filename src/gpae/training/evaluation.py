"""Every checkpoint of a job played for fresh episodes, by each of its policies."""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gpae.algorithms.gradient_noise import gradients, part_count, share
from gpae.config import ConfigError
from gpae.environments.base import Episode
from gpae.plan import NOISE, Job
from gpae.results import provenance, schema, validation
from gpae.results.schema import POLICIES
from gpae.training import checkpoint
from gpae.training.loop import parameters
from gpae.training.rollout import collect, start
from gpae.training.update import Trainer

STREAM = 1_000_003  # folded into a seed's key, so that evaluation shares no random number with training


def evaluate(job: Job, with_noise: bool = False) -> None:
    """Makes `job.evaluation`, with the gradient's noise in its metadata where asked for.

    Raises ConfigError where a checkpoint is missing, damaged or not this job's.
    """
    began = time.monotonic()
    provenance.machine()  # of the code that is about to run, whatever is edited meanwhile
    trainer = Trainer(job)
    points = sorted(set(job.evaluation_updates))
    missing = [update for update in points if not (job.checkpoints / str(update)).is_dir()]
    if missing:
        raise ConfigError(f"{job.checkpoints}: no checkpoint {missing[0]}; make it with: gpae train {job.selector}")
    training, like = trained(job), parameters(trainer)
    _are_the_trainings(job, points, training)
    each = [checkpoint.restore(job.checkpoints / str(update), job, like) for update in points]
    networks = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    episodes = play(trainer, networks["actor"])
    measured = {NOISE: noise(trainer, networks).tolist()} if with_noise else {}
    metadata = provenance.collect(job, wall_seconds=time.monotonic() - began, training=training, **measured)
    schema.write(_columns(job, points, episodes), job.evaluation, schema.evaluation(job.score), metadata)


def _are_the_trainings(job: Job, points: list[int], training: dict[str, Any]) -> None:
    """Raises ConfigError where a checkpoint is of another training of the job than its metrics."""
    for update in points:
        path = job.checkpoints / str(update)
        if checkpoint.read_about(path, job)["digest"] != (training.get("checkpoints") or {}).get(str(update)):
            raise ConfigError(
                f"{path}: not the checkpoint that {job.metrics} is of; remove {job.checkpoints} and {job.metrics}"
                " and train again"
            )


def trained(job: Job) -> dict[str, Any]:
    """The training's own provenance, from its metrics."""
    return validation.read_metrics(job)[1]


def play(trainer: Trainer, actors: Any) -> Episode:
    """actors: parameters with leading axes [point, seed]. Returns statistics [point, seed, policy, episode]."""
    job, environment = trainer.job, trainer.environment
    ways = [POLICIES.index(policy) for policy in job.policies]
    batch, horizon = job.evaluation_episodes, environment.spec.horizon

    def one(params, key, greedy):
        """The first episode of each environment, until the last of them has ended."""
        start_key, key = jax.random.split(key)
        runner = start(environment, start_key, batch, trainer.algorithm.hidden_size)

        def move(runner, key):
            key, act_key, step_key = jax.random.split(key, 3)
            policies, hidden = trainer.algorithm.act(params)(runner.actor_hidden, runner.view, runner.begins)
            action = jnp.where(greedy, policies.mode(), policies.sample(act_key))
            state, after = environment.step(step_key, runner.environment, action)
            runner = runner._replace(environment=state, view=after.view, begins=after.done, actor_hidden=hidden)
            return runner, key, after

        def unfinished(carry):
            _, _, over, _, steps = carry
            return (steps <= horizon) & ~jnp.all(over)

        def step(carry):
            runner, key, over, results, steps = carry
            runner, key, after = move(runner, key)
            results = jax.tree.map(lambda old, new: jnp.where(over, old, new), results, after.episode)
            return runner, key, over | after.done, results, steps + 1

        nothing = jax.eval_shape(move, runner, key)[2].episode
        results = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), nothing)
        carry = (runner, key, jnp.zeros(batch, bool), results, jnp.zeros((), jnp.int32))
        return jax.lax.while_loop(unfinished, step, carry)[3]

    seeds = [jax.random.fold_in(jax.random.PRNGKey(seed), STREAM) for seed in job.seeds]
    points = jax.tree.leaves(actors)[0].shape[0]
    grid = [(p, s, g) for p in range(points) for s in range(len(job.seeds)) for g in ways]
    keys = jnp.stack([jax.random.fold_in(seeds[s], p * len(POLICIES) + g) for p, s, g in grid])

    @jax.jit
    def every(actors, at, keys):
        def cell(item):
            (point, seed, greedy), key = item
            return one(jax.tree.map(lambda leaf: leaf[point, seed], actors), key, greedy == POLICIES.index("greedy"))

        return jax.lax.map(cell, (at, keys)) if jax.default_backend() == "cpu" else jax.vmap(cell)((at, keys))

    shape = (points, len(job.seeds), len(ways), batch)
    at = tuple(jnp.asarray(index) for index in zip(*grid, strict=True))
    return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(shape), every(actors, at, keys))


def noise(trainer: Trainer, networks: Any) -> np.ndarray:
    """The noise of the policy's gradient, [point, seed]; networks: parameters with leading axes [point, seed].

    Of every method on fresh windows of its own policy, in as many environments as the family has, after one window that
    takes them into the midst of their episodes. Raises ConfigError where their number has no equal parts.
    """
    job, algorithm, environment = trainer.job, trainer.algorithm, trainer.environment
    batch, steps = job.learner.environments, job.learner.rollout_steps
    if part_count(batch) == 1:
        raise ConfigError(
            f"params/profiles/{job.profile}.yaml: overrides.{job.task.family}.policy_gradient.learner.environments:"
            f" {batch} has no equal parts, of which {NOISE} is measured; allowed: a number with a divisor up to 8"
        )

    def one(item):
        networks, key = item
        start_key, first_key, hidden_key, second_key, noise_key = jax.random.split(key, 5)
        act = algorithm.act(networks["actor"])
        runner = start(environment, start_key, batch, algorithm.hidden_size, algorithm.critic_hidden_size)
        runner, rollout, _ = collect(environment, act, first_key, runner, steps)
        runner = runner._replace(critic_hidden=algorithm.estimated(hidden_key, networks, rollout)[2])
        rollout = collect(environment, act, second_key, runner, steps)[1]
        return share(gradients(algorithm, noise_key, networks, rollout))

    seeds = [jax.random.fold_in(jax.random.PRNGKey(seed), STREAM + 1) for seed in job.seeds]
    points = jax.tree.leaves(networks)[0].shape[0]
    keys = jnp.stack([jnp.stack([jax.random.fold_in(key, point) for key in seeds]) for point in range(points)])
    return np.asarray(jax.jit(partial(jax.lax.map, partial(jax.lax.map, one)))((networks, keys)), np.float64)


def _columns(job: Job, points: list[int], episodes: Episode) -> dict[str, Any]:
    shape = episodes.return_.shape
    point, seed, policy, episode = (axis.ravel() for axis in np.indices(shape))
    return {
        "profile": job.profile,
        "task": job.task_name,
        "method": job.method_name,
        "seed": np.asarray(job.seeds, np.int32)[seed],
        "evaluation": point.astype(np.int32),
        "env_steps": np.asarray(points, np.int64)[point] * job.steps_per_update,
        "policy": [job.policies[i] for i in policy],
        "episode": episode.astype(np.int32),
        "return": episodes.return_.ravel().astype(np.float64),
        "length": episodes.length.ravel().astype(np.int32),
        "won": episodes.won.ravel() if job.score == "win_rate_percent" else None,
    } | ({"captured": episodes.captured.ravel().astype(np.float64)} if job.score == "capture_rate_percent" else {})
