"""A competition's results: the share of the prey that was caught as the score, and both teams' rewards beside it."""

import numpy as np
import pytest
from study import origin

from gpae import status
from gpae.config import ConfigError
from gpae.results import aggregate, layout, schema, tables
from gpae.results.figures import KINDS, teams

TASK, METHOD = "predators_2_prey_2", "asae_vs_coma"


@pytest.fixture
def found(study):
    """Half of the prey is caught at first and three quarters at the end; predators earn 2 a step, prey lose 3."""
    study.profile("tiny", [TASK], [METHOD], experiment="asae_figure8", total_steps=1200, evaluation_interval=600)
    for job in study.jobs("tiny"):
        study.watch(
            job, predators_reward=lambda s, u: 2.0 + s, prey_reward=lambda s, u: -3.0, episodes=lambda s, u: 1.0
        )
        points = [
            (seed, point, update * job.steps_per_update, policy, episode)
            for seed in job.seeds
            for point, update in enumerate(job.evaluation_updates)
            for policy in job.policies
            for episode in range(job.evaluation_episodes)
        ]
        seed, point, steps, policy, episode = map(np.array, zip(*points, strict=True))
        caught = np.where(point == 2, 0.5 + 0.5 * (episode % 2), 0.5)
        columns = {"profile": "tiny", "task": TASK, "method": METHOD, "seed": seed, "evaluation": point}
        columns |= {"env_steps": steps, "policy": policy, "episode": episode, "return": 1.0, "length": 150, "won": None}
        about = origin(job) | {"training": schema.read(study.root / job.metrics, schema.METRICS)[1]}
        schema.write(columns | {"captured": caught}, study.root / job.evaluation, schema.PURSUIT, about)
    aggregate.build(study.params, "tiny", study.root)
    return study


def test_the_score_is_the_share_that_was_caught(found):
    rows, _ = aggregate.read_summary(found.params, "tiny", found.root)
    sampled = rows[rows["policy"] == "sampled"].set_index("evaluation")["mean"]
    assert sampled.to_dict() == {0: 50.0, 1: 50.0, 2: 75.0}


def test_it_is_known_as_done(found):
    assert {status.progress(job, found.root).state for job in found.jobs("tiny")} == {"done"}


def test_an_evaluation_of_something_else_is_refused(found):
    job = found.jobs("tiny")[0]
    rows, about = schema.read(found.root / job.evaluation, schema.PURSUIT)
    schema.write(rows.drop(columns="captured"), found.root / job.evaluation, schema.EVALUATION, about)
    with pytest.raises(ConfigError, match="no columns captured; allowed: "):
        aggregate.build(found.params, "tiny", found.root)


def test_table_and_figure_have_the_score_and_both_rewards(found):
    table = layout.read(found.params, "tiny", "asae_figure8", found.root)
    here = {cell.metric: cell.mean for cell in table.cells if (cell.method_name, cell.task_name) == (METHOD, TASK)}
    assert here == {"capture_rate_percent": 75.0, "predators_reward": 3.0, "prey_reward": -3.0}
    assert "the prey's mean reward a step" in " ".join(tables.notes(found.params, "tiny", "asae_figure8"))
    predators, prey, caught = teams.shown(found.params, "tiny", "asae_figure8", found.root)
    assert [panel.curves[0].mean[-1] for panel in (predators, prey, caught)] == [3.0, -3.0, 75.0]
    assert (predators.unit, caught.unit) == ("mean reward a step", "capture rate (%)")
    assert KINDS["teams"].draw(found.params, "tiny", "asae_figure8", found.root).axes
