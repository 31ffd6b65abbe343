"""One update of a block of seeds: rollout, estimation, gradient steps, as jitted programs.

A lane is a seed by itself, or on an accelerator all seeds side by side. Its programs run in turn, but for an
algorithm's fits, which need nothing of each other: with several threads these run at the same time, and so do lanes.
A thread that would have nothing to do collects a lane's next rollout as soon as the acting network has been fitted.
Every thread runs the same programs, so the bits do not depend on how many there are.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae import runtime
from gpae.algorithms import coma
from gpae.algorithms.base import Algorithm, Metrics, State, joined
from gpae.algorithms.competition import Competition
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.algorithms.value_decomposition import ValueDecomposition
from gpae.config import ConfigError
from gpae.environments.base import Environment
from gpae.environments.registry import make
from gpae.environments.teams import Seat, team_spec
from gpae.plan import Job
from gpae.training.rollout import Runner, collect, start

ALGORITHMS: dict[str, Callable[..., Algorithm]] = {
    "policy_gradient": PolicyGradient,
    "value_decomposition": ValueDecomposition,
    "dop": coma.make,
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
        runtime.use()  # for who imports this without a command
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
        self._roll = jax.jit(over(self._roll_one))
        self._hold = jax.jit(over(self.algorithm.hold), donate_argnums=1)
        self._fits = {name: jax.jit(over(fit)) for name, fit in self.algorithm.fits.items()}
        self._collect = jax.jit(self._collect_one)  # in programs, so that an environment is traced once for all of them
        quickly = partial(jax.jit, compiler_options=QUICKLY)
        self._apart, self._together = quickly(self._lanes), quickly(self._stacked)
        self.init = quickly(jax.vmap(self._init_one) if self.side_by_side else partial(jax.lax.map, self._init_one))
        self._pool = ThreadPoolExecutor(threads)
        self._ahead: tuple[TrainState | None, dict[int, Future]] = None, {}  # rollouts that go on from this very state

    def update(self, state: TrainState) -> tuple[TrainState, Metrics]:
        """One update of every seed, which takes over the memory of `state`; metrics [seed]."""
        lanes = [_Lane(self, lane) for lane in self._apart(state)]
        source, begun = self._ahead
        begun = begun if source is state else {}
        running = {future: lanes[i].rolled for i, future in begun.items()}
        # a lane's fits before the next lane's rollout, and few rollouts ahead: a lane's window takes memory
        ready = deque(lane.roll for i, lane in enumerate(lanes) if i not in begun)
        ahead: dict[int, Future] = {}
        while not all(lane.done for lane in lanes):
            while len(running) < self.threads:
                if ready:
                    program, then = ready.popleft()
                    running[self._pool.submit(_finished, program)] = then
                    continue
                i = next((i for i, lane in enumerate(lanes) if lane.acts and i not in ahead), None)
                if i is None or len(ahead) == self.threads:
                    break
                ahead[i] = self._pool.submit(_finished, lanes[i].after().roll[0])
                running[ahead[i]] = lambda rolled: []
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                ready.extendleft(reversed(running.pop(done)(done.result())))
        ends = [lane.after() for lane in lanes]
        after = self._together([(end.state, end.metrics) for end in ends])
        self._ahead = after[0], ahead
        return after

    def shapes(self) -> tuple[TrainState, Metrics]:
        """Of a state and of an update's metrics."""
        state = jax.eval_shape(self.init, jnp.asarray(self.job.seeds, jnp.int32))
        parts = jax.eval_shape(self._apart, state)
        lane = _Lane(self, parts[0])
        ready = [lane.roll]
        while ready:
            program, then = ready.pop()
            ready += then(jax.eval_shape(program))
        end = lane.after()
        return jax.eval_shape(self._together, [(end.state, end.metrics)] * len(parts))

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

    def _roll_one(self, key: jax.Array, learner: State, runner: Runner):
        """The runner after a rollout, what the learner needs of it, its metrics, the keys of the next and of `hold`."""
        key, rollout_key, learn_key = jax.random.split(key, 3)
        runner, rollout, episodes = self._collect(rollout_key, learner, runner)
        metrics = {name: value.astype(jnp.float32) for name, value in episodes.items()}
        return runner, self.algorithm.asked_of(rollout), metrics, key, learn_key


Step = tuple[Callable[[], Any], Callable[[Any], list]]  # a program, and what gives from its result the steps after it


class _Lane:
    """A lane on its way through an update: its rollout, what its fits hold fixed, its fits."""

    def __init__(self, trainer: Trainer, state: TrainState):
        self.trainer, self.state = trainer, state
        self.metrics: Metrics = {}
        self.fitted: dict[str, tuple] = {}

    @property
    def roll(self) -> Step:
        state = self.state
        return partial(self.trainer._roll, state.key, state.learner, state.runner), self.rolled

    def rolled(self, result) -> list[Step]:
        runner, rollout, self.metrics, key, learn_key = result
        learner, self.state = self.state.learner, TrainState(None, runner, key)
        return [(partial(self.trainer._hold, learn_key, learner, rollout), self._held)]

    def _held(self, result) -> list[Step]:
        learner, held, hidden, metrics = result
        self.metrics = metrics | self.metrics
        self.state = self.state._replace(learner=learner, runner=self.state.runner._replace(critic_hidden=hidden))
        return [(partial(fit, learner, held), partial(self._fitted, name)) for name, fit in self.trainer._fits.items()]

    def _fitted(self, name: str, result) -> list[Step]:
        self.fitted[name] = result
        return []

    @property
    def done(self) -> bool:
        return len(self.fitted) == len(self.trainer._fits)

    @property
    def acts(self) -> bool:
        """What the next rollout asks for has been fitted."""
        return self.done or self.trainer.algorithm.acting in self.fitted

    def after(self) -> "_Lane":
        """With what has been fitted so far."""
        fitted = [self.fitted[name] for name in self.trainer._fits if name in self.fitted]
        learner, metrics = joined(self.state.learner, self.metrics, fitted)
        after = _Lane(self.trainer, self.state._replace(learner=learner))
        after.metrics = metrics
        return after


def _finished(program: Callable):
    """What a program gives, when it is there."""
    return jax.block_until_ready(program())
