"""The jobs of a profile, and where their files stand.

A job is method x task x block of seeds; the experiments of a profile share it. Its files lie under the hash of what it
was made from, so that a changed parameter is a new place, and what is there was made by what is pinned now.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from gpae import combinations
from gpae.config import (
    ENVIRONMENTS,
    CompetitionMethod,
    ConfigError,
    DopLearner,
    Learner,
    Method,
    Network,
    Override,
    Params,
    PolicyGradientMethod,
    Profile,
    SettingsOverride,
    Task,
    TaskBudget,
    ValueDecompositionMethod,
    ValueLearner,
    checked,
    overridden,
    pinned,
)

# Of checkpoints and of the hash; a change of what is computed or stored raises it. 3: MACA's and COMA's advantages and
# critics, DOP's updates, off-policy windows joined in time, time limits, cut log ratios (docs/deviations.md).
FORMAT = 3
NOISE = "gradient_noise"  # a quantity of tables that evaluations measure where one asks for it


@dataclass(frozen=True)
class Job:
    """Everything that a training and its evaluation are made from.

    environment: settings of `gpae.environments.registry.make`
    total_steps, evaluation_interval: environment steps, of one seed
    teams: of a competition what the methods of its teams are run with, in their order; their learners collect alike
    """

    profile: str
    method_name: str
    task_name: str
    seeds: tuple[int, ...]
    method: Method
    task: Task
    score: str
    environment: dict[str, Any]
    learner: Learner | ValueLearner | DopLearner
    network: Network
    total_steps: int
    evaluation_interval: int
    evaluation_episodes: int
    cores: int
    teams: tuple["Job", ...] = ()

    @property
    def environments(self) -> int:
        """Parallel environments, so that B windows of them make one batch of the on-policy size."""
        return self.learner.environments // _divisor(self.method)

    @property
    def steps_per_update(self) -> int:
        return self.environments * self.learner.rollout_steps

    @property
    def evaluation_updates(self) -> tuple[int, ...]:
        """Updates after which a checkpoint is kept: the first at or past each multiple of the interval, from 0 on, and
        the last one, where the interval does not divide the steps."""
        points = [*range(0, self.total_steps, self.evaluation_interval), self.total_steps]
        updates = [-(-point // self.steps_per_update) for point in points]
        return (*updates[:-2], *dict.fromkeys(updates[-2:]))

    @property
    def updates(self) -> int:
        return self.evaluation_updates[-1]

    @property
    def policies(self) -> tuple[str, ...]:
        """How an evaluation chooses actions: a learner of values knows only the greedy way."""
        return ("greedy",) if isinstance(self.method, ValueDecompositionMethod) else ("sampled", "greedy")

    @property
    def training_parameters(self) -> dict[str, Any]:
        """What the bits of a checkpoint depend on, beside versions and device."""
        told_elsewhere = ("label", "families", "settings", "task_settings", "teams")
        method = {key: value for key, value in pinned(self.method).items() if key not in told_elsewhere}
        teams = {f"team_{i}": team.training_parameters for i, team in enumerate(self.teams)}
        return {
            "format": FORMAT,
            "family": self.task.family,
            "environment": self.environment,
            "method": method,
            "learner": pinned(self.learner),
            "network": pinned(self.network),
            "total_steps": self.total_steps,
            "evaluation_interval": self.evaluation_interval,
            "seeds": list(self.seeds),
            "cores": self.cores,
        } | teams

    @property
    def training_hash(self) -> str:
        return _hash(self.training_parameters)

    @property
    def evaluation_hash(self) -> str:
        return _hash(self.training_parameters | {"evaluation_episodes": self.evaluation_episodes})

    @property
    def block(self) -> str:
        """`seeds-0-4`, or `seeds-3` for one alone."""
        return "seeds-" + "-".join(str(seed) for seed in dict.fromkeys((self.seeds[0], self.seeds[-1])))

    def _place(self, group: str, fingerprint: str) -> Path:
        cell = Path(self.method_name, self.task_name, f"{self.block}-{fingerprint}")
        return Path("artifacts", self.profile, group) / cell

    @property
    def checkpoints(self) -> Path:
        """One orbax checkpoint an evaluation point, `<update>/`; there only when the training is finished."""
        return self._place("checkpoints", self.training_hash)

    @property
    def unfinished(self) -> Path:
        """Where the training under way keeps what it needs to go on."""
        return self._place("unfinished", self.training_hash)

    @property
    def unfinished_metrics(self) -> Path:
        """There once the last update is done."""
        return self.unfinished / "metrics.parquet"

    @property
    def metrics(self) -> Path:
        return self._place("metrics", self.training_hash).with_suffix(".parquet")

    @property
    def evaluation(self) -> Path:
        return self._place("evaluations", self.evaluation_hash).with_suffix(".parquet")

    @property
    def selector(self) -> str:
        """The options by which the command line names this job."""
        return (
            f"--profile {self.profile} --method {self.method_name} --task {self.task_name}"
            f" --seeds {self.seeds[0]}-{self.seeds[-1]}"
        )


def _hash(parameters: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]


def environment(params: Params, task: str) -> dict[str, Any]:
    """A task's settings of `gpae.environments.registry.make`: the family's and its own, checked."""
    aim = params.task(task)
    source = f"{params.folder / 'tasks' / task}.yaml: environment"
    return asdict(checked(ENVIRONMENTS[aim.family], params.family(aim.family).environment | aim.environment, source))


def job(params: Params, profile: str, method: str, task: str, seeds: tuple[int, ...]) -> Job:
    """One job with all its settings resolved; raises ConfigError where they do not fit together."""
    chosen, family = params.method(method), params.task(task).family
    source = params.folder / "methods" / f"{method}.yaml"
    if family not in chosen.families:
        allowed = ", ".join(chosen.families)
        raise ConfigError(f"{source}: families: cannot run {task}, a task of {family}; allowed: {allowed}")
    if not isinstance(chosen, CompetitionMethod):
        return _resolved(params, profile, method, task, seeds)
    for name in chosen.teams:
        if not isinstance(params.method(name), PolicyGradientMethod):
            raise ConfigError(f"{source}: teams: {name} is not allowed: methods of policy gradients")
    teams = tuple(_resolved(params, profile, name, task, seeds) for name in chosen.teams)
    alike = {(team.environments, team.learner.rollout_steps, team.network) for team in teams}
    if len(alike) > 1:
        raise ConfigError(
            f"{source}: teams: {' and '.join(chosen.teams)} differ in environments, rollout steps or network on {task};"
            " allowed: methods that collect alike"
        )
    return replace(teams[0], method_name=method, method=chosen, teams=teams)


def _resolved(params: Params, profile: str, method: str, task: str, seeds: tuple[int, ...]) -> Job:
    """A job of a method by itself."""
    budget, chosen, aim = params.profile(profile), params.method(method), params.task(task)
    family = params.family(aim.family)
    settings = getattr(family, chosen.algorithm)
    if settings is None:
        source = params.folder / "families" / f"{aim.family}.yaml"
        raise ConfigError(f"{source}: {chosen.algorithm}: missing, and {method} needs it; allowed: learner and network")
    whole = budget.overrides.get(aim.family, Override())
    changes = getattr(whole, chosen.algorithm)
    for name in budget.by_task:
        params.task(name)  # that there is one
    alone = budget.by_task.get(task, TaskBudget())
    own, place = chosen.settings.get(aim.family, SettingsOverride()), params.folder / "methods" / f"{method}.yaml"
    learner = overridden(settings.learner, own.learner, f"{place}: settings.{aim.family}.learner")
    network = overridden(settings.network, own.network, f"{place}: settings.{aim.family}.network")
    for name, here in getattr(chosen, "task_settings", {}).items():
        params.task(name)  # that there is one
        if name == task:
            learner = overridden(learner, here.learner, f"{place}: task_settings.{task}.learner")
            network = overridden(network, here.network, f"{place}: task_settings.{task}.network")
    source = f"{params.folder / 'profiles' / profile}.yaml: overrides.{aim.family}.{chosen.algorithm}"
    planned = Job(
        profile=profile,
        method_name=method,
        task_name=task,
        seeds=seeds,
        method=chosen,
        task=aim,
        score=family.score,
        environment=environment(params, task),
        learner=overridden(learner, changes.learner, f"{source}.learner"),
        network=overridden(network, changes.network, f"{source}.network"),
        total_steps=alone.total_steps or whole.total_steps or budget.total_steps,
        evaluation_interval=alone.evaluation_interval or whole.evaluation_interval or budget.evaluation_interval,
        evaluation_episodes=budget.evaluation_episodes,
        cores=budget.cores,
    )
    combinations.check(params.folder, planned)
    return planned


def _divisor(method: Method) -> int:
    """What a method divides the family's environments by."""
    return method.replay_windows * method.environments_divisor if isinstance(method, PolicyGradientMethod) else 1


def selection(params: Params, profile: str, experiment: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(tasks, methods) that a profile runs of an experiment."""
    budget = params.profile(profile)
    if experiment not in budget.experiments:
        source = params.folder / "profiles" / f"{profile}.yaml"
        raise ConfigError(f"{source}: experiments: no {experiment!r}; there are: {', '.join(budget.experiments)}")
    whole, part = params.experiment(experiment), budget.experiments[experiment]
    tasks, methods = part.tasks or whole.tasks, part.methods or whole.methods
    source = params.folder / "experiments" / f"{experiment}.yaml"
    labels = {name: whole.labels.get(name, params.method(name).label) for name in (*whole.methods, *methods)}
    _apart(f"{source}: methods", labels, "another label for one of them under labels")
    labels = {name: params.task(name).label for name in (*whole.tasks, *tasks)}
    _apart(f"{source}: tasks", labels, "another label for one of them in params/tasks")
    return tasks, methods


def _apart(source: str, labels: dict[str, str], allowed: str) -> None:
    """Raises ConfigError where a table would print two things by one label, so that a reader takes one for the other
    and a claim on the label is held against either."""
    names: dict[str, str] = {}
    for name, label in labels.items():
        if names.setdefault(label, name) != name:
            raise ConfigError(f"{source}: {names[label]} and {name} are both printed as {label!r}; allowed: {allowed}")


def blocks(budget: Profile) -> list[tuple[int, ...]]:
    """The seeds of a profile in blocks; the last may be smaller."""
    end = budget.first_seed + budget.seeds
    return [
        tuple(range(first, min(first + budget.seed_block, end)))
        for first in range(budget.first_seed, end, budget.seed_block)
    ]


def jobs(params: Params, profile: str, experiment: str | None = None) -> list[Job]:
    """Every job of a profile, or of one of its experiments, once each, in the order of the files that ask for it.

    A method whose families leave out a task's is passed over there, as in the papers' tables; raises ConfigError for
    one that none of the tasks is for.
    """
    budget = params.profile(profile)
    planned = {}
    for name in [experiment] if experiment else budget.experiments:
        tasks, methods = selection(params, profile, name)
        noisy = NOISE in params.experiment(name).layout.quantities
        families = {params.task(task).family for task in tasks}
        for task, method in product(tasks, methods):
            allowed = params.method(method).families
            if params.task(task).family in allowed or not families & set(allowed):
                for seeds in blocks(budget):
                    if (method, task, seeds) not in planned:
                        planned[method, task, seeds] = job(params, profile, method, task, seeds)
                    if noisy:
                        combinations.check_noise(params.folder, planned[method, task, seeds])
    return list(planned.values())


def noise_asked(params: Params, job: Job) -> bool:
    """Whether a table of the profile that has this job asks for the noise of its policy's gradient."""
    names = params.profile(job.profile).experiments if isinstance(job.method, PolicyGradientMethod) else ()
    asking = [name for name in names if NOISE in params.experiment(name).layout.quantities]
    chosen = [selection(params, job.profile, name) for name in asking]
    return any(job.task_name in tasks and job.method_name in methods for tasks, methods in chosen)
