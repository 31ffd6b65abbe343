"""Settings that are right one by one and wrong together, each refused by name before any work begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gpae.config import LEVELS, SMAX_HORIZON, ConfigError, DopLearner, Learner, PolicyGradientMethod, ValueLearner

if TYPE_CHECKING:
    from gpae.plan import Job

MOST_POINTS = 10_000  # evaluations of a training
# Of a batch of environments, most, of which the gradient's noise is measured: a gradient has so many entries that few
# parts tell its variance.
NOISE_PARTS = 8


def horizon(job: "Job") -> int:
    """Most steps that an episode of the job's task can last."""
    return job.environment.get("episode_length", SMAX_HORIZON)


def check(folder: Path, job: "Job") -> None:
    """Raises ConfigError where a method, a task and a profile do not go together; folder: params/."""
    for problem in (*_of_a_method(folder, job), *_of_a_learner(folder, job), *_of_a_budget(folder, job)):
        raise ConfigError(problem)


def check_noise(folder: Path, job: "Job") -> None:
    """Raises ConfigError where a table asks for the noise of a gradient that cannot be measured."""
    count = job.learner.environments
    if isinstance(job.method, PolicyGradientMethod) and all(count % parts for parts in range(2, NOISE_PARTS + 1)):
        raise ConfigError(
            _learners(folder, job, "environments", f"{count} has no equal parts, of which gradient_noise is measured")
            + f"; allowed: a number with a divisor up to {NOISE_PARTS}"
        )


def _learners(folder: Path, job: "Job", key: str, what: str) -> str:
    profile = folder / "profiles" / f"{job.profile}.yaml"
    return f"{profile}: overrides.{job.task.family}.{job.method.algorithm}.learner.{key}: {what}"


def _of_a_method(folder: Path, job: "Job") -> Iterator[str]:
    learner, method = job.learner, job.method
    if not isinstance(method, PolicyGradientMethod):
        return
    source = folder / "methods" / f"{job.method_name}.yaml"
    if method.action_value == "return" and method.estimator not in ("counterfactual", "multilevel"):
        yield (
            f"{source}: action_value: 'return' with the estimator {method.estimator!r}, which takes no Q(s, a);"
            " allowed: counterfactual or multilevel"
        )
    if method.weights == "attention" and set(method.levels) != set(LEVELS):
        yield f"{source}: weights: 'attention' is of all levels; allowed: levels {', '.join(LEVELS)}"
    if method.estimator == "multilevel" and method.weights == "search" and job.task.family == "predator_prey":
        yield f"{source}: weights: 'search' needs returns, of which two teams share one; allowed: attention"
    divisor = method.replay_windows * method.environments_divisor
    if learner.environments % divisor:
        key = "replay_windows" if method.replay_windows > 1 else "environments_divisor"
        yield (
            f"{source}: {key}: {divisor} does not divide the"
            f" {learner.environments} environments of {job.task.family} under"
            f" {folder / 'profiles' / f'{job.profile}.yaml'}; allowed: their divisors"
        )


def _of_a_learner(folder: Path, job: "Job") -> Iterator[str]:
    checks = {Learner: _policy_gradient, ValueLearner: _values, DopLearner: _dop}
    for key, what in checks[type(job.learner)](job):
        yield _learners(folder, job, key, what)


def _policy_gradient(job: "Job") -> Iterator[tuple[str, str]]:
    learner, environments, updates = job.learner, job.environments, job.updates
    if environments % learner.minibatches:
        yield "minibatches", (
            f"{learner.minibatches} does not divide the {environments} environments of {job.method_name};"
            " allowed: their divisors"
        )
    steps, longest = learner.rollout_steps, learner.chunk_steps
    if longest and max(length for length in range(1, min(longest, steps) + 1) if steps % length == 0) * 2 < longest:
        yield "chunk_steps", (
            f"{longest} is over twice the greatest length up to it that divides the {steps} steps of a rollout;"
            f" allowed: rollouts with a divisor from {-(-longest // 2)} to {longest}"
        )
    if learner.critic_warmup > updates:
        yield "critic_warmup", (
            f"{learner.critic_warmup} updates are more than the training's {updates}, whose rate would never rise to"
            f" its own; allowed: {updates} or less, or a longer training"
        )


def _values(job: "Job") -> Iterator[tuple[str, str]]:
    learner, steps, updates = job.learner, job.steps_per_update, job.updates
    yield from _buffered(job, learner.batch_size)
    first = max(1, -(-learner.learning_starts // steps))
    if first > updates:
        yield "learning_starts", (
            f"{learner.learning_starts} is never reached in {updates * steps} steps; allowed: {updates * steps} or less"
        )
    elif updates // learner.target_update_interval * learner.target_update_interval < first:
        yield "target_update_interval", (
            f"{learner.target_update_interval} updates: the training has {updates}, learns from number {first} on and"
            f" would never copy what it learned; allowed: {updates} or less, so that a multiple is among them"
        )


def _dop(job: "Job") -> Iterator[tuple[str, str]]:
    learner, steps, updates = job.learner, job.learner.rollout_steps, job.updates
    batch = max(learner.batch_size, learner.on_policy_windows)
    yield from _buffered(job, batch)
    if learner.on_policy_batch_size > learner.on_policy_windows:
        yield "on_policy_batch_size", (
            f"{learner.on_policy_batch_size} is more than on_policy_windows {learner.on_policy_windows}, from which"
            f" they are drawn; allowed: {learner.on_policy_windows} or less"
        )
    if steps % learner.critic_slice:
        yield "critic_slice", f"{learner.critic_slice} does not divide rollout_steps {steps}; allowed: its divisors"
    first = -(-batch // learner.environments)
    if first > updates:
        yield "batch_size", (
            f"a batch needs {batch} windows, and the training collects {updates * learner.environments}; allowed:"
            f" {updates * learner.environments} or less, of on_policy_windows too"
        )
    elif learner.target_update_interval > (most := (updates - first + 1) * (steps // learner.critic_slice)):
        yield "target_update_interval", (
            f"{learner.target_update_interval} is more than the critic's {most} gradient steps; allowed: {most} or less"
        )


def _buffered(job: "Job", batch: int) -> Iterator[tuple[str, str]]:
    """Of a learner with a buffer, into which every update puts windows that begin with new episodes."""
    learner, longest = job.learner, horizon(job)
    windows = learner.buffer_windows // learner.environments * learner.environments
    if not windows:
        yield "buffer_windows", (
            f"{learner.buffer_windows} is fewer than the {learner.environments} environments;"
            f" allowed: {learner.environments} or more"
        )
    elif windows < batch:
        yield "buffer_windows", (
            f"{learner.buffer_windows} holds {windows} windows of {learner.environments} environments, a batch has"
            f" {batch}; allowed: {-(-batch // learner.environments) * learner.environments} or more"
        )
    if learner.rollout_steps < longest:
        yield "rollout_steps", (
            f"{learner.rollout_steps} is shorter than an episode of {job.task_name}, up to {longest} steps; each window"
            f" begins with a new one, so {job.method_name} might never see an end; allowed: {longest} or more"
        )
    if learner.epsilon_finish > learner.epsilon_start:
        yield "epsilon_finish", (
            f"{learner.epsilon_finish} is above epsilon_start {learner.epsilon_start}, from which it is to fall;"
            f" allowed: {learner.epsilon_start} or less"
        )


def _of_a_budget(folder: Path, job: "Job") -> Iterator[str]:
    key = f"{folder / 'profiles' / f'{job.profile}.yaml'}: evaluation_interval: {job.evaluation_interval}"
    total, interval, steps = job.total_steps, job.evaluation_interval, job.steps_per_update
    if interval > total:
        yield f"{key} is more than total_steps {total}; allowed: {total} or less"
    if total // interval > MOST_POINTS:
        yield (
            f"{key} asks for over {MOST_POINTS} evaluations in total_steps {total}; allowed: {-(-total // MOST_POINTS)}"
            " or more"
        )
    if interval < steps:
        yield (
            f"{key} is less than an update of {job.method_name} on {job.task_name}, {steps} steps, so that evaluations"
            f" would be of the same parameters; allowed: {steps} or more"
        )
