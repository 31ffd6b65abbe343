"""Table 5 and the hyperparameters: printed from environments and params/, beside what the paper says."""

from dataclasses import fields, replace
from pathlib import Path

import jax
import pytest

from gpae.config import Learner, Network, Params, PolicyGradientMethod, ValueLearner
from gpae.environments.registry import make
from gpae.environments.smax import scenarios as smax
from gpae.results import hyperparameters, scenarios, untrained
from gpae.results.grid import Text

PARAMS = Params(Path(__file__).parents[2] / "params")


@pytest.fixture(scope="module")
def tasks():
    grid = scenarios.grid(PARAMS)
    return {row[1]: dict(zip(grid.columns, row, strict=True)) for row in grid.rows}


def test_every_task_of_the_papers_experiments_is_there(tasks):
    experiments = PARAMS.profile("paper").experiments
    wanted = {PARAMS.task(task).label for name in experiments for task in PARAMS.experiment(name).tasks}
    assert wanted | set(scenarios.PAPER) == set(tasks)


def test_teams_are_the_papers(tasks):
    assert {name for name, row in tasks.items() if row["Paper's team"] == "the same"} == set(scenarios.PAPER)
    assert {row["Paper's team"] for row in tasks.values()} == {"the same", "—"}
    row = tasks["3s5z_vs_3s6z"]
    assert (row["Team"], row["Enemies"]) == ("3 Stalkers, 5 Zealots", "3 Stalkers, 6 Zealots")
    assert (tasks["1s1z"]["Team"], tasks["smacv2_5_units"]["Team"]) == ("1 Stalker, 1 Zealot", "5 Random Units")
    assert (tasks["ant_4x2"]["Team"], tasks["humanoid_9|8"]["Team"]) == (
        "4 × 2 joints of ant",
        "9 + 8 joints of humanoid",
    )


def test_another_team_than_the_papers_is_said(monkeypatch):
    other = replace(smax.find("6h_vs_8z"), enemies=("zealot",) * 7)
    monkeypatch.setitem(smax.SCENARIOS, "6h_vs_8z", other)
    monkeypatch.setattr(scenarios, "tasks", lambda params: ["6h_vs_8z"])
    (row,) = scenarios.grid(PARAMS).rows
    assert row[3] == "7 Zealots" and row[-1] == "another"


def test_sizes_are_those_of_the_arrays_that_the_environment_gives(tasks):
    for name in ("5m_vs_6m", "smacv2_5_units", "hopper_3x1"):
        family = PARAMS.task(name).family
        environment = make(family, **PARAMS.family(family).environment, **PARAMS.task(name).environment)
        view = jax.eval_shape(lambda key, it=environment: it.reset(key, 2)[1], jax.random.PRNGKey(0))
        row = tasks[name]
        assert view.observation.shape == (int(row["Agents"]), 2, int(row["Observation"]))
        assert view.state.shape == (2, int(row["State"]))
        assert view.available.shape[-1] == int(row["Actions"].split()[0])
    assert tasks["5m_vs_6m"]["Actions"] == "11 discrete" and tasks["5m_vs_6m"]["Horizon"] == "101"
    assert tasks["hopper_3x1"]["Actions"] == "1 continuous" and tasks["hopper_3x1"]["Horizon"] == "1000"


def places(grid):
    return {row[0]: dict(zip(grid.columns[1:], row[1:], strict=True)) for row in grid.rows}


def test_hyperparameters_are_those_of_params_and_marked_where_the_paper_does_not_say_them():
    policy, value = map(places, hyperparameters.grids(PARAMS, "paper"))
    assert policy["Parallel environments"] == {"SMAX": Text("128", "", "r"), "MABrax": Text("64", "", "r")}
    assert policy["Adam learning rate"] == {"SMAX": Text("0.0005", "", "r"), "MABrax": Text("0.001", "", "r")}
    assert policy["Reuse batches (off-policy)"]["SMAX"] == Text("4", "", "c")
    assert policy["Training timesteps"]["MABrax"] == Text("10,000,000", "", "")
    assert value["Hidden size"] == {"SMAX": Text("512", "", "j")}  # no column of MABrax, where it cannot run
    for grid in hyperparameters.grids(PARAMS, "paper"):
        used = {place.mark for row in grid.rows for place in row[1:]} - {""}
        assert used == set(grid.marks)


def test_what_a_profile_changes_stands_beside_it():
    policy, _ = map(places, hyperparameters.grids(PARAMS, "smoke"))
    override = PARAMS.profile("smoke").overrides["smax"].policy_gradient
    assert policy["Update epochs"]["SMAX"] == Text("5", f"here {override.learner['epochs']}", "r")
    assert policy["Training timesteps"]["SMAX"].small == "here 1,024"
    assert policy["Update epochs"]["MABrax"].small == policy["Clip range"]["SMAX"].small == ""


def test_no_pinned_parameter_is_left_out():
    def keys(parameters):
        return [parameter.key for parameter in parameters]

    def named(kind):
        """Without what only other papers' learners need, which stands in their methods' files."""
        return {field.name for field in fields(kind) if not field.metadata.get("extra")}

    of_network = named(Network)
    for kind, parameters in (
        (Learner, hyperparameters.POLICY_GRADIENT),
        (ValueLearner, hyperparameters.VALUE_DECOMPOSITION),
    ):
        wanted = named(kind) - {"seeds_axis"} | of_network | {"total_steps"}
        # what a method adds; the rest of it says which method it is
        wanted |= {"eta", "beta", "replay_windows", "action_samples"} if kind is Learner else set()
        assert set(keys(parameters)) == wanted and len(keys(parameters)) == len(wanted)
    assert named(PolicyGradientMethod) - set(keys(hyperparameters.POLICY_GRADIENT)) == {
        *("label", "algorithm", "families", "estimator", "trace"),
        *("epochs_factor", "environments_divisor", "settings", "task_settings"),
    }


def test_asaes_figure_1_is_computed_where_a_profile_has_an_experiment_of_its_paper():
    profiles = ("paper", "quick", "asae", "tour", "mpe")
    assert [name for name in profiles if "asae_figure1" in untrained.names(PARAMS, name)] == ["asae", "tour"]
