"""params/ as committed can be read; a mistake in it is told in one line with file, key, value and what is allowed."""

import re
import shutil
from pathlib import Path

import pytest

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.results.paper import Protocol

ROOT = Path(__file__).parents[1]


@pytest.fixture
def params(tmp_path):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    return Params(tmp_path / "params")


def edit(params: Params, file: str, old: str, new: str) -> None:
    path = params.folder / file
    text = path.read_text()
    assert re.search(old, text, re.M)
    path.write_text(re.sub(old, new, text, count=1, flags=re.M))


def test_every_committed_file_can_be_read(params):
    for group in ("methods", "tasks", "families", "experiments", "profiles"):
        for path in (params.folder / group).glob("*.yaml"):
            getattr(params, group.removesuffix("s") if group != "families" else "family")(path.stem)
    for profile in (params.folder / "profiles").glob("*.yaml"):
        assert plan.jobs(params, profile.stem)


def test_experiments_label_and_compare_their_own_methods(params):
    for path in (params.folder / "experiments").glob("*.yaml"):
        experiment = params.experiment(path.stem)
        compared = {name for pair in experiment.comparisons for name in (pair.method, pair.other)}
        assert compared | set(experiment.labels) <= set(experiment.methods)


def test_every_task_can_be_planned_for_every_method_of_its_family(params):
    for task in (params.folder / "tasks").glob("*.yaml"):
        for method in (params.folder / "methods").glob("*.yaml"):
            if params.task(task.stem).family in params.method(method.stem).families:
                plan.job(params, "paper", method.stem, task.stem, (0,))


def test_methods_of_discrete_actions_are_refused_elsewhere(params):
    with pytest.raises(ConfigError, match="qmix.yaml: families: cannot run hopper_3x1, a task of mabrax; allowed: sm"):
        plan.job(params, "paper", "qmix", "hopper_3x1", (0,))


# {experiment: (its jobs, how many of them no experiment before it asked for)}
PAPER_JOBS = {
    "table2": (6 * 7 + 6 * 5, 72),  # QMIX and VDN on SMAX alone
    "table3": (2 * 4, 6),  # DT-ISR is Table 2's GPAE (off)
    "table4": (2 * 4, 6),  # so is eta = 1.05
    "table6": (1 * 12, 8),  # GPAE's four are Table 3's
    "figure1": (1 * 5, 5),
    "figure2": (1 * 4, 4),
    "controls": (3 * 8, 24 - 2 * 3 - 1),  # Table 2's on 5m_vs_6m and hopper_3x1, Table 6's GAE with DT-ISR
}


def test_paper_profile_has_every_job_of_every_table_once(params):
    assert list(params.profile("paper").experiments) == list(PAPER_JOBS)
    before = set()
    for experiment, (count, new) in PAPER_JOBS.items():
        jobs = {(job.method_name, job.task_name) for job in plan.jobs(params, "paper", experiment)}
        assert (len(jobs), len(jobs - before)) == (count, new), experiment
        before |= jobs
    jobs = plan.jobs(params, "paper")
    assert len(jobs) == len(before) == 118 and {(job.method_name, job.task_name) for job in jobs} == before
    assert len({job.checkpoints for job in jobs}) == 118


def test_paper_profile_is_the_papers_protocol(params):
    for job in plan.jobs(params, "paper"):
        assert job.seeds == (0, 1, 2, 3, 4) and job.total_steps == 10_000_000 and job.evaluation_episodes == 128
        points = [update * job.steps_per_update for update in job.evaluation_updates]
        assert len(points) == 21
        for k, steps in enumerate(points):
            assert 0 <= steps - 500_000 * k < job.steps_per_update


def test_asae_profile_has_the_papers_lengths(params):
    """3M steps on SMAX; iterations of 4 x 150 steps: 1,600 of spread, 10,000 of pursuits. 20 evaluations of each."""
    steps = {"smax": 3_000_000, "mpe": 6_000_000, "predator_prey": 6_000_000}
    jobs = plan.jobs(params, "asae")
    for job in jobs:
        spread = job.task_name.startswith("spread_")
        assert job.total_steps == (960_000 if spread else steps[job.task.family]) == 20 * job.evaluation_interval
        if job.method_name in ("asae", "asae_coma", "asae_vs_coma") and job.task.family != "smax":
            assert job.updates == (1_600 if spread else 10_000)
    assert {job.task_name for job in jobs} >= {"spread_3", "spread_4", "spread_5", "random_prey_3"}


def test_a_budget_of_a_task_that_there_is_not_is_told(params):
    edit(params, "profiles/asae.yaml", "  spread_4:", "  spread_6:")
    with pytest.raises(ConfigError, match="tasks/spread_6.yaml: no such file"):
        plan.jobs(params, "asae")


def test_reuse_divides_the_environments(params):
    on, off = (plan.job(params, "paper", m, "5m_vs_6m", (0,)) for m in ("gpae_on", "gpae_off"))
    assert on.environments == 128 and off.environments * off.method.replay_windows == 128


def test_controls_match_gpae_off_in_what_they_control(params):
    off = plan.job(params, "paper", "gpae_off", "3m", (0,))
    for method in ("gpae_on", "mappo"):
        on, epochs, divided = (
            plan.job(params, "paper", f"{method}{end}", "3m", (0,)) for end in ("", "_epochs", "_divided")
        )
        # gradient steps an environment step, and environments
        assert epochs.method.epochs_factor * off.environments == on.environments == epochs.environments
        assert divided.environments == off.environments and divided.updates == off.updates
        assert all(f" {off.method.replay_windows}" in job.method.label for job in (epochs, divided))
    methods = [params.method(name) for name in params.experiment("table6").methods]
    assert {method.replay_windows for method in methods} == {off.method.replay_windows}


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "families/smax.yaml",
            "clip: 0.2",
            "clip: 0",
            ["families/smax.yaml", "learner.clip", "0", "greater than 0"],
        ),
        ("families/smax.yaml", "clip: 0.2", "clip: '0.2'", ["learner.clip", "'0.2'", "number"]),
        (
            "families/smax.yaml",
            "clip: 0.2",
            "clipp: 0.2",
            ["learner.clipp", "unknown key", "allowed: environments"],
        ),
        (
            "families/smax.yaml",
            "gamma: 0.99",
            "gamma: 1.01",
            ["learner.gamma", "1.01", "less than or equal to 1"],
        ),
        ("families/smax.yaml", "gamma: 0.99", "gamma: .nan", ["learner.gamma"]),
        ("families/smax.yaml", "recurrent: true", "recurrent: 1", ["network.recurrent", "boolean"]),
        ("families/smax.yaml", "epochs: 5", "epochs: 2.5", ["learner.epochs", "2.5", "integer"]),
        ("families/smax.yaml", "^  network:", "  network: [", ["families/smax.yaml", "not YAML"]),
        ("families/smax.yaml", "closest", "nearest", ["environment", "attack_mode", "'nearest'", "'closest'"]),
        ("methods/gpae_off.yaml", "trace: dt", "trace: dtt", ["gpae_off.yaml", "trace", "'dtt'", "'dt'"]),
        ("methods/gpae_off.yaml", "trace: dt", "", ["methods/gpae_off.yaml", "trace", "missing"]),
        ("methods/gpae_off.yaml", "replay_windows: 4", "replay_windows: 5", ["gpae_off.yaml: replay_windows: 5 does"]),
        ("methods/gpae_off.yaml", r"\[smax, mabrax, mpe\]", "[mpe]", ["families", "cannot run 3m", "allowed: mpe"]),
        ("methods/mappo.yaml", "policy_gradient", "policy", ["mappo.yaml: algorithm: 'policy'", "value_decomposition"]),
        (
            "methods/mappo.yaml",
            "^trace: none",
            "trace: none\nsettings: {smax: {learner: {clip: 2}}}",
            ["methods/mappo.yaml: settings.smax.learner", "clip", "2", "less than 1"],
        ),
        ("methods/mappo.yaml", "^trace: none", "trace: none\nsettings: {smac: {}}", ["mappo.yaml", "smac", "'smax'"]),
        ("profiles/quick.yaml", "tasks: \\[3m", "tasks: [4m", ["tasks/4m.yaml", "no such file", "3m"]),
        ("profiles/quick.yaml", "seeds: 2", "seeds: 0", ["quick.yaml: seeds: 0", "greater than"]),
        ("profiles/quick.yaml", "^evaluation_interval: .*", "evaluation_interval: 7", ["interval: 7", "evaluations"]),
        ("profiles/quick.yaml", "rollout_steps", "rollout_stepz", ["quick.yaml", "overrides", "rollout_stepz"]),
    ],
)
def test_a_mistake_is_told_in_one_line(params, file, old, new, told):
    edit(params, file, old, new)
    with pytest.raises(ConfigError) as error:
        plan.jobs(params, "quick")
    message = str(error.value)
    assert "\n" not in message
    for part in told:
        assert part in message


def test_two_methods_of_a_table_do_not_share_a_label(params):
    """MAPPO is the name of three methods; a row, a curve or a claim of a table must mean one of them."""
    edit(params, "profiles/quick.yaml", "gpae_on, mappo", "gpae_on, mappo, maca_mappo")
    with pytest.raises(ConfigError, match="table2.yaml: methods: mappo and maca_mappo are both printed as 'MAPPO'; "):
        plan.jobs(params, "quick")
    edit(params, "experiments/table2.yaml", "^methods:", 'labels: {maca_mappo: "MAPPO, MACA\'s"}\nmethods:')
    assert "maca_mappo" in {job.method_name for job in plan.jobs(params, "quick")}
    edit(params, "tasks/hopper_3x1.yaml", "label: .*", "label: 3m")
    with pytest.raises(ConfigError, match="table2.yaml: tasks: hopper_3x1 and 3m are both printed as '3m'; allowed: "):
        plan.jobs(params, "quick")


def test_a_changed_parameter_is_a_new_place_and_a_label_is_not(params):
    def places():
        return {(job.method_name, job.task_name): job.evaluation for job in plan.jobs(params, "quick")}

    before = places()
    edit(params, "methods/gpae_off.yaml", "eta: 1.05", "eta: 1.1")
    edit(params, "methods/mappo.yaml", "label: MAPPO", "label: Mappo")
    after = places()
    assert {name for name in before if before[name] != after[name]} == {k for k in before if k[0] == "gpae_off"}


def test_a_methods_own_settings_come_between_the_familys_and_the_budgets(params):
    before = plan.job(params, "quick", "mappo", "3m", (0,))
    own = "{learner: {clip: 0.1, environments: 64}, network: {layer_norm: false}}"
    edit(params, "methods/mappo.yaml", "^trace: none", f"trace: none\nsettings: {{smax: {own}}}")
    after = plan.job(params, "quick", "mappo", "3m", (0,))
    assert (before.learner.clip, after.learner.clip) == (0.2, 0.1) and not after.network.layer_norm
    budget = params.profile("quick").overrides["smax"].policy_gradient.learner["environments"]
    assert after.learner.environments == budget == before.learner.environments
    assert plan.job(params, "paper", "mappo", "3m", (0,)).learner.environments == 64
    assert plan.job(params, "quick", "mappo", "hopper_3x1", (0,)).learner.clip == 0.2
    assert after.checkpoints != before.checkpoints


def test_what_a_method_does_not_use_of_other_papers_learners_is_not_in_its_name(params):
    before = plan.job(params, "quick", "mappo", "3m", (0,))
    parts = before.training_parameters
    for name, group in (("value_normalisation", "learner"), ("critic_scale", "network"), ("sequential", "method")):
        assert name not in parts[group]
    edit(params, "methods/mappo.yaml", "^trace: none", "trace: none\nsettings: {smax: {network: {critic_scale: 2}}}")
    after = plan.job(params, "quick", "mappo", "3m", (0,))
    assert after.training_parameters["network"]["critic_scale"] == 2 and after.checkpoints != before.checkpoints


def test_a_profile_may_begin_at_another_seed(params):
    edit(params, "profiles/quick.yaml", "^seeds: .*", "first_seed: 5\nseeds: 5")
    assert list(dict.fromkeys(job.seeds for job in plan.jobs(params, "quick"))) == [(5, 6), (7, 8), (9,)]


def test_evaluation_alone_does_not_ask_for_another_training(params):
    before = plan.jobs(params, "quick")[0]
    edit(params, "profiles/quick.yaml", "^evaluation_episodes: .*", "evaluation_episodes: 3")
    after = plan.jobs(params, "quick")[0]
    assert before.checkpoints == after.checkpoints and before.metrics == after.metrics
    assert before.evaluation != after.evaluation


def test_macas_budgets_are_its_papers():
    """8M steps, 3M on 25m, 10M on SMACv2's mixes; evaluations every 160k and at the end; updates of 20 x 200 steps."""
    params = Params(ROOT / "params")
    counts = {8_000_000: 51, 3_000_000: 20, 10_000_000: 64}
    protocol = params.load(Protocol, "claims", "maca")
    jobs = [*plan.jobs(params, "maca"), *plan.jobs(params, "mpe")]
    assert {job.total_steps for job in jobs} == set(counts)
    for job in jobs:
        assert job.total_steps == protocol.steps_of.get(job.task.label, protocol.steps)
        assert (job.environments, job.learner.rollout_steps) == (20, 200)
        points = job.evaluation_updates
        assert len(points) == counts[job.total_steps] and points[1] == 40 and job.evaluation_episodes == 40
        assert points[-1] * 4_000 == job.total_steps and len(set(points)) == len(points)
