"""One update of a block of seeds: rollout and estimation, then the gradient steps, as jitted programs.

A lane is a seed by itself, or on an accelerator all seeds side by side. Its programs run in turn, but for an
algorithm's fits, which need nothing of each other: with several threads these run at the same time, and so do lanes.
Every thread runs the same programs, so the bits do not depend on how many there are.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.algorithms.base import Algorithm, Held, Metrics, State, joined
from gpae.algorithms.competition import Competition
from gpae.algorithms.dop import Dop
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.algorithms.value_decomposition import ValueDecomposition
from gpae.config import ConfigError
from gpae.environments.base import Environment
from gpae.environments.registry import make
from gpae.environments.teams import Seat, team_spec
from gpae.plan import Job
from gpae.training.rollout import Runner, collect, start

ALGORITHMS: dict[str, type[Algorithm]] = {
    "policy_gradient": PolicyGradient,
    "value_decomposition": ValueDecomposition,
    "dop": Dop,
}


def algorithm_of(environment: Environment | Seat, job: Job) -> Algorithm:
    """The learner of a job, or of a competition's teams together. Raises ValueError where it cannot have the task."""
    if job.teams:
        seats = [Seat(team_spec(environment.spec, team)) for team in range(len(job.teams))]
        return Competition(environment.spec, [algorithm_of(*pair) for pair in zip(seats, job.teams, strict=True)])
    algorithm = ALGORITHMS[job.method.algorithm]
    return algorithm(environment, job.method, job.learner, job.network, job.updates)


# For programs that run once, or only move arrays: compiling them well takes longer than they ever run.
QUICKLY = {"xla_backend_optimization_level": 0}


class TrainState(NamedTuple):
    """Everything that a training goes on from; every leaf has a leading axis of seeds."""

    learner: State
    runner: Runner
    key: jax.Array


class Trainer:
    """The jitted functions of a job; raises ConfigError for a task that its family or its method cannot have.

    threads: programs that run at the same time
    """

    def __init__(self, job: Job, threads: int = 1):
        self.job, self.threads = job, threads
        try:
            self.environment: Environment = make(job.task.family, **job.environment)
            self.algorithm = algorithm_of(self.environment, job)
        except ValueError as error:
            raise ConfigError(f"params/tasks/{job.task_name}.yaml: environment: {error}") from None
        axis = job.learner.seeds_axis
        # one seed after the other on a CPU, whose batched matrix products are slow
        self.side_by_side = axis == "vmap" or (axis == "auto" and jax.default_backend() != "cpu")
        over = jax.vmap if self.side_by_side else lambda function: function
        self._begin = jax.jit(over(self._begin_one), donate_argnums=0)
        self._fits = [jax.jit(over(fit)) for fit in self.algorithm.fits.values()]
        self._collect = jax.jit(self._collect_one)  # in programs, so that an environment is traced once for all of them
        quickly = partial(jax.jit, compiler_options=QUICKLY)
        self._apart, self._together = quickly(self._lanes), quickly(self._stacked)
        self.init = quickly(jax.vmap(self._init_one) if self.side_by_side else partial(jax.lax.map, self._init_one))
        self._pool = ThreadPoolExecutor(threads)

    def update(self, state: TrainState) -> tuple[TrainState, Metrics]:
        """One update of every seed; metrics [seed]."""
        begun, fitted = {}, {}
        # a lane's fits before the next lane's rollout, so that few lanes hold their windows at a time
        ready = deque((i, partial(self._begin, lane)) for i, lane in enumerate(self._apart(state)))
        running: dict[Future, int] = {}
        while ready or running:
            while ready and len(running) < self.threads:
                i, program = ready.popleft()
                running[self._pool.submit(_finished, program)] = i
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                i = running.pop(done)
                if i in begun:
                    fitted[i].append(done.result())
                    continue
                after, held, metrics = done.result()
                begun[i], fitted[i] = (after, metrics), []
                ready.extendleft((i, partial(fit, after.learner, held)) for fit in reversed(self._fits))
        ends = []
        for i, (after, metrics) in sorted(begun.items()):
            learner, metrics = joined(after.learner, metrics, fitted[i])
            ends.append((after._replace(learner=learner), metrics))
        return self._together(ends)

    def shapes(self) -> tuple[TrainState, Metrics]:
        """Of a state and of an update's metrics."""

        state = jax.eval_shape(self.init, jnp.asarray(self.job.seeds, jnp.int32))
        lanes = jax.eval_shape(self._apart, state)
        after, held, metrics = jax.eval_shape(self._begin, lanes[0])
        fitted = [jax.eval_shape(fit, after.learner, held) for fit in self._fits]
        learner, metrics = joined(after.learner, metrics, fitted)
        return jax.eval_shape(self._together, [(after._replace(learner=learner), metrics)] * len(lanes))

    def _lanes(self, state: TrainState) -> list[TrainState]:
        if self.side_by_side:
            return [state]
        return [jax.tree.map(lambda leaf: leaf[i], state) for i in range(len(self.job.seeds))]  # noqa: B023

    def _stacked(self, lanes):
        return lanes[0] if self.side_by_side else jax.tree.map(lambda *leaves: jnp.stack(leaves), *lanes)

    def _init_one(self, seed: jax.Array) -> TrainState:
        key, learner_key, environment_key = jax.random.split(jax.random.PRNGKey(seed), 3)
        learner = self.algorithm.init(learner_key)
        runner = self._start(environment_key)
        rollout = jax.eval_shape(lambda: self._collect(key, learner, runner)[1])
        return TrainState(self.algorithm.with_replay(learner, rollout), runner, key)

    def _start(self, key: jax.Array) -> Runner:
        sizes = self.algorithm.hidden_size, self.algorithm.critic_hidden_size
        return start(self.environment, key, self.job.environments, *sizes)

    def _collect_one(self, key: jax.Array, learner: State, runner: Runner):
        if self.algorithm.fresh_windows:
            key, start_key = jax.random.split(key)
            runner = self._start(start_key)
        act, steps = self.algorithm.explore(learner), self.job.learner.rollout_steps
        return collect(self.environment, act, key, runner, steps)

    def _begin_one(self, state: TrainState) -> tuple[TrainState, Held, Metrics]:
        """The part of an update before its gradient steps: the state, what they hold fixed, and the metrics so far."""
        key, rollout_key, learn_key = jax.random.split(state.key, 3)
        runner, rollout, episodes = self._collect(rollout_key, state.learner, state.runner)
        learner, held, hidden, metrics = self.algorithm.hold(learn_key, state.learner, rollout)
        metrics |= {name: value.astype(jnp.float32) for name, value in episodes.items()}
        return TrainState(learner, runner._replace(critic_hidden=hidden), key), held, metrics


def _finished(program: Callable):
    """What a program gives, when it is there."""
    return jax.block_until_ready(program())
