"""Settings that are right one by one and wrong together: each is refused by name before any work, in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_config import params  # noqa: F401

from gpae import plan
from gpae.config import ConfigError
from gpae.environments.registry import make

ROOT = Path(__file__).parents[1]


def tried(params, method: str, task: str, budget: dict, **learner) -> plan.Job:  # noqa: F811
    """A job of a profile with this budget, in which the task's family has these settings of the method's learner."""
    whole = {"description": "?", "total_steps": 102_400, "evaluation_interval": 10_240, "evaluation_episodes": 4}
    whole |= {"seeds": 1, "seed_block": 1, "cores": 1, "experiments": {}} | budget
    family, algorithm = params.task(task).family, params.method(method).algorithm
    whole["overrides"] = {family: {algorithm: {"learner": learner}}}
    (params.folder / "profiles/tried.yaml").write_text(yaml.safe_dump(whole))
    return plan.job(params, "tried", method, task, (0,))


VALUES = {"environments": 8, "rollout_steps": 128, "buffer_windows": 800, "batch_size": 8, "learning_starts": 4096}
VALUES["target_update_interval"] = 10
DOP = {"target_update_interval": 600}
OURS = {"environments": 32, "rollout_steps": 64}

CASES = {
    "windows that no episode ends in": ("qmix", "3m", VALUES, {"rollout_steps": 100}, "rollout_steps: 100 is shorter"),
    "windows shorter than a setting's episodes": (
        "vdn",
        "spread_3",
        VALUES | {"rollout_steps": 150},
        {"rollout_steps": 149},
        "rollout_steps: 149 is shorter than an episode of spread_3, up to 150 steps; .* allowed: 150 or more",
    ),
    "DOP's windows": ("dop", "3m", DOP, {"rollout_steps": 64}, "rollout_steps: 64 .*dop might never see an end"),
    "a start that is never reached": (
        "qmix",
        "3m",
        VALUES,
        {"learning_starts": 102_401},
        "learning_starts: 102401 is never reached in 102400 steps; allowed: 102400 or less",
    ),
    "a target network that is never copied": (
        "qmix",
        "3m",
        VALUES,
        {"target_update_interval": 101},
        "target_update_interval: 101 updates: the training has 100, learns from number 4 on",
    ),
    "a target network that is copied only before anything is learned": (
        "qmix",
        "3m",
        VALUES,
        {"target_update_interval": 60, "learning_starts": 65_536},
        "target_update_interval: 60 updates: the training has 100, learns from number 64 on",
    ),
    "a buffer smaller than a batch": (
        "qmix",
        "3m",
        VALUES,
        {"buffer_windows": 31, "batch_size": 32},
        "buffer_windows: 31 holds 24 windows of 8 environments, a batch has 32; allowed: 32 or more",
    ),
    "a buffer that not every environment fits in": (
        "qmix",
        "3m",
        VALUES,
        {"buffer_windows": 7},
        "buffer_windows: 7 is fewer than the 8 environments; allowed: 8 or more",
    ),
    "an epsilon that rises": (
        "qmix",
        "3m",
        VALUES,
        {"epsilon_start": 0.01},
        "epsilon_finish: 0.05 is above epsilon_start 0.01, from which it is to fall; allowed: 0.01 or less",
    ),
    "DOP's epsilon": ("dop", "3m", DOP, {"epsilon_start": 0.01}, "epsilon_finish: 0.05 is above epsilon_start 0.01"),
    "DOP's buffer": ("dop", "3m", DOP, {"buffer_windows": 30}, "buffer_windows: 30 holds 28 windows"),
    "a batch of the newest that are fewer": (
        "dop",
        "3m",
        DOP,
        {"on_policy_batch_size": 33},
        "on_policy_batch_size: 33 is more than on_policy_windows 32",
    ),
    "slices that leave steps over": (
        "dop",
        "3m",
        DOP,
        {"critic_slice": 3},
        "critic_slice: 3 does not divide rollout_steps 128; allowed: its divisors",
    ),
    "a batch that is never there": (
        "dop",
        "3m",
        DOP,
        {"batch_size": 801},
        "batch_size: a batch needs 801 windows, and the training collects 800; allowed: 800 or less",
    ),
    "DOP's target network": (
        "dop",
        "3m",
        DOP,
        {"target_update_interval": 24_705},
        "target_update_interval: 24705 is more than the critic's 24704 gradient steps; allowed: 24704 or less",
    ),
    "minibatches of more environments than a control has": (
        "mappo_divided",
        "3m",
        OURS,
        {"minibatches": 16},
        "minibatches: 16 does not divide the 8 environments of mappo_divided; allowed: their divisors",
    ),
    "pieces of single steps": (
        "maca",
        "3m",
        OURS,
        {"rollout_steps": 127},
        "chunk_steps: 10 is over twice the greatest length up to it that divides the 127 steps of a rollout;"
        " allowed: rollouts with a divisor from 5 to 10",
    ),
    "a warm-up longer than the training": ("maca", "3m", OURS, {"critic_warmup": 9999}, "critic_warmup: 9999"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_name(params, case):  # noqa: F811
    method, task, fine, change, message = CASES[case]
    tried(params, method, task, {}, **fine)
    with pytest.raises(ConfigError, match=f"tried.yaml: overrides.*learner.{message}") as error:
        tried(params, method, task, {}, **fine | change)
    assert "\n" not in str(error.value)


def test_evaluations_closer_than_updates_are_refused(params):  # noqa: F811
    tried(params, "mappo", "3m", {"evaluation_interval": 2048}, **OURS)
    with pytest.raises(ConfigError, match="evaluation_interval: 102401 is more than total_steps 102400"):
        tried(params, "mappo", "3m", {"evaluation_interval": 102_401}, **OURS)
    with pytest.raises(ConfigError, match="interval: 1024 is less than an update of mappo on 3m, 2048 steps.* 2048 or"):
        tried(params, "mappo", "3m", {"evaluation_interval": 1024}, **OURS)


def test_a_noise_that_cannot_be_measured_is_refused_before_any_training(params):  # noqa: F811
    """11 environments have no equal parts but themselves, which are more than 8."""
    profile = params.folder / "profiles/credit.yaml"
    text = profile.read_text().replace("credit: {}", "credit: {methods: [mappo]}")

    def planned(environments):
        learner = f"      learner: {{environments: {environments}}}\n"
        profile.write_text(f"{text}overrides:\n  smax:\n    policy_gradient:\n{learner}")
        return plan.jobs(params, "credit")

    assert planned(12)
    with pytest.raises(ConfigError, match="learner.environments: 11 has no equal parts.* a divisor up to 8"):
        planned(11)


TASKS = ["3m", "3m_stop", "smacv2_10_units", "spread_3", "simple_reference", "predators_2_prey_2"]


@pytest.mark.parametrize("task", TASKS)
def test_a_plan_knows_how_long_an_episode_may_be(params, task):  # noqa: F811
    """Without the environment, whose import takes seconds."""
    method = "mappo" if params.task(task).family != "predator_prey" else "asae_vs_coma"
    job = plan.job(params, "paper", method, task, (0,))
    assert plan.combinations.horizon(job) == make(job.task.family, **job.environment).spec.horizon


def test_planning_imports_no_jax():
    code = "import sys; from pathlib import Path; from gpae import plan; from gpae.config import Params"
    code += "; assert plan.jobs(Params(Path('params')), 'tour') and 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
