"""One update of a block of seeds as one jitted function: rollout, estimation, epochs; seeds outermost."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.algorithms.base import Algorithm, State
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.algorithms.value_decomposition import ValueDecomposition
from gpae.config import ConfigError
from gpae.environments.base import Environment
from gpae.environments.registry import make
from gpae.plan import Job
from gpae.training.rollout import Runner, collect, start

ALGORITHMS: dict[str, type[Algorithm]] = {
    "policy_gradient": PolicyGradient,
    "value_decomposition": ValueDecomposition,
}


class TrainState(NamedTuple):
    """Everything that a training goes on from; every leaf has a leading axis of seeds."""

    learner: State
    runner: Runner
    key: jax.Array


class Trainer:
    """The jitted functions of a job; raises ConfigError for a task that its family or its method cannot have."""

    def __init__(self, job: Job):
        self.job = job
        try:
            self.environment: Environment = make(job.task.family, **job.environment)
            algorithm = ALGORITHMS[job.method.algorithm]
            self.algorithm = algorithm(self.environment, job.method, job.learner, job.network, job.updates)
        except ValueError as error:
            raise ConfigError(f"params/tasks/{job.task_name}.yaml: environment: {error}") from None
        self.init = jax.jit(self._over_seeds(self._init_one))
        self.update = jax.jit(self._over_seeds(self._update_one), donate_argnums=0)

    def _over_seeds(self, function):
        """Side by side on an accelerator, one after the other on a CPU, whose batched matrix products are slow."""
        axis = self.job.learner.seeds_axis
        if axis == "auto":
            axis = "map" if jax.default_backend() == "cpu" else "vmap"
        return jax.vmap(function) if axis == "vmap" else lambda tree: jax.lax.map(function, tree)

    def _init_one(self, seed: jax.Array) -> TrainState:
        key, learner_key, environment_key = jax.random.split(jax.random.PRNGKey(seed), 3)
        learner = self.algorithm.init(learner_key)
        runner = self._start(environment_key)
        rollout = jax.eval_shape(lambda: self._collect(key, learner, runner)[1])
        return TrainState(self.algorithm.with_replay(learner, rollout), runner, key)

    def _start(self, key: jax.Array) -> Runner:
        return start(self.environment, key, self.job.environments, self.algorithm.hidden_size)

    def _collect(self, key: jax.Array, learner: State, runner: Runner):
        if self.algorithm.fresh_windows:
            key, start_key = jax.random.split(key)
            runner = self._start(start_key)
        act, steps = self.algorithm.explore(learner), self.job.learner.rollout_steps
        return collect(self.environment, act, key, runner, steps)

    def _update_one(self, state: TrainState) -> tuple[TrainState, dict[str, jax.Array]]:
        key, rollout_key, learn_key = jax.random.split(state.key, 3)
        runner, rollout, episodes = self._collect(rollout_key, state.learner, state.runner)
        learner, hidden, metrics = self.algorithm.learn(learn_key, state.learner, rollout)
        metrics |= {name: value.astype(jnp.float32) for name, value in episodes.items()}
        return TrainState(learner, runner._replace(critic_hidden=hidden), key), metrics
