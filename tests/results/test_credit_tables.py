"""What the comparison of all ways to assign credit has of its own: noise, costs, profiles, probabilities."""

import math

import matplotlib
import numpy as np
import pytest

from gpae import plan
from gpae.config import ConfigError
from gpae.results import aggregate, cells, figures, statistics, tables
from gpae.results.figures import gap, profiles, style

METHODS = ["gpae_on", "mappo"]


@pytest.fixture
def compared(study):
    """On 3m_stop GPAE (on) wins 9 of 10 and MAPPO 2; on spread_3 they earn 100 and 50 more than before training."""
    study.profile("tiny", ["3m_stop", "spread_3"], METHODS, "credit", seeds=3, seed_block=3)
    for job in study.jobs("tiny"):
        first = job.method_name == "gpae_on"
        win, gain = (9, 100) if first else (2, 50)
        score = (
            (lambda s, p, n=win: n * (p > 0))
            if job.score == "win_rate_percent"
            else (lambda s, p, n=gain: -300 + n * (p == 2) + 10 * s * (p == 2))
        )
        noise = [[0.9] * 3, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]] if first else None
        about = {"training": {"wall_seconds": 100.0, "peak_memory_bytes": 2_000_000_000}}
        study.measure(job, score, about | ({"gradient_noise": noise} if first else {}))
        study.watch(job, advantage_gap=lambda s, u: 0.1, advantage_std=lambda s, u: 0.5)
    aggregate.build(study.params, "tiny", study.root)
    return study


def found(study, method, quantity, task="3m_stop"):
    table = cells.read(study.params, "tiny", "credit", study.root)
    (cell,) = [c for c in table if (c.method_name, c.metric, c.task_name) == (method, quantity, task)]
    return cell


def test_noise_is_the_mean_over_the_points_after_the_first(compared):
    """By hand: the seeds' means over two points are 0.3, 0.4 and 0.5."""
    cell = found(compared, "gpae_on", "gradient_noise")
    assert (cell.mean, cell.std, cell.seeds) == (pytest.approx(0.4), pytest.approx(0.1), 3)
    absent = found(compared, "mappo", "gradient_noise")
    assert absent.missing == cells.NOT_MEASURED and math.isnan(absent.mean)


def test_noise_of_another_shape_is_refused(compared):
    job = compared.jobs("tiny", method_name="mappo")[0]
    compared.measure(job, lambda s, p: 1, {"gradient_noise": [[0.1, 0.2, 0.3]]})
    with pytest.raises(
        ConfigError, match=f"{job.evaluation}: metadata gradient_noise: of shape .1, 3.; allowed: a num"
    ):
        aggregate.build(compared.params, "tiny", compared.root)


def test_it_is_asked_for_by_tables_that_have_it(compared):
    (job, *_) = compared.jobs("tiny")
    assert plan.noise_asked(compared.params, job)
    compared.profile("other", ["3m_stop"], METHODS, "figure1")
    assert not any(plan.noise_asked(compared.params, other) for other in compared.jobs("other"))
    compared.profile("dop", ["3m"], ["dop"], "credit")
    assert not plan.noise_asked(compared.params, compared.jobs("dop")[0])


def test_costs_are_those_of_the_trainings(compared):
    (job,) = compared.jobs("tiny", method_name="mappo", task_name="3m_stop")
    speed, memory = (found(compared, "mappo", name) for name in ("steps_per_second", "peak_memory_gb"))
    assert speed.mean == pytest.approx(3 * job.updates * job.steps_per_update / 100) and math.isnan(speed.std)
    assert memory.mean == pytest.approx(2.0) and memory.seeds == 3
    said = tables.notes(compared.params, "tiny", "credit")
    assert any(line.startswith("Of whole trainings: noise of the policy's gradient") for line in said)


def test_scores_are_scaled_by_what_training_gained(compared):
    """Shares of 1 are taken as they are. Returns: -300 before; after it means of -190 and -240, the first is 1."""
    scaled, tasks = profiles.scores(compared.params, "tiny", "credit", compared.root)
    assert tasks == ["3m_stop", "spread_3"] and list(scaled) == METHODS
    np.testing.assert_allclose(scaled["gpae_on"], [[0.9, 100 / 110], [0.9, 1.0], [0.9, 120 / 110]])
    np.testing.assert_allclose(scaled["mappo"], [[0.2, 50 / 110], [0.2, 60 / 110], [0.2, 70 / 110]])


def test_a_task_that_not_all_were_run_on_is_left_out(compared):
    (job,) = compared.jobs("tiny", method_name="mappo", task_name="spread_3")
    (compared.root / job.evaluation).unlink()
    aggregate.build(compared.params, "tiny", compared.root)
    assert profiles.scores(compared.params, "tiny", "credit", compared.root)[1] == ["3m_stop"]


def test_the_gap_is_shown_where_actions_are_replaced(compared):
    shown = gap.shown(compared.params, "tiny", "credit", compared.root)
    assert [panel.tasks for panel in shown] == [("3m_stop",)] * 4 and shown[0].references


def test_the_figures_are_drawn(compared):
    with matplotlib.rc_context(style.SETTINGS):
        for kind in ("noise", "profiles"):
            figure = figures.KINDS[kind].draw(compared.params, "tiny", "credit", compared.root)
            assert len(figure.axes) >= 2
            assert style.file(figure, "png") and figures.KINDS[kind].caption(compared.params, "tiny", "credit")
    squares = [text.get_text() for text in figure.axes[1].texts]
    assert squares == ["1.00•", "0.00•"]


def test_probability_of_improvement_by_hand():
    """Task 1: 1 and 3 against 2 and 3: of four pairs one above, one alike: 0.375. Task 2: always above: 1."""
    chance = statistics.probability_of_improvement(
        np.array([[1.0, 5.0], [3.0, 6.0]]), np.array([[2.0, 1.0], [3.0, 2.0]])
    )
    assert chance.point == pytest.approx((0.375 + 1) / 2) and chance.low < chance.point < chance.high
    alone = statistics.probability_of_improvement(np.ones((1, 2)), np.zeros((1, 2)))
    assert alone.point == 1 and math.isnan(alone.low)


def test_profiles_are_shares_of_runs():
    """0, 0.5, 0.5 and 1 in two seeds of two tasks: above 0.2 three of four, above 0.7 one."""
    (profile,) = statistics.performance_profiles(
        {"a": np.array([[0.0, 0.5], [0.5, 1.0]])}, np.array([0.2, 0.7])
    ).values()
    np.testing.assert_allclose(profile.point, [0.75, 0.25])
    assert (profile.low <= profile.point).all() and (profile.point <= profile.high).all()
