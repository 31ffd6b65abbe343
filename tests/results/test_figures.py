"""The curves that are drawn are the measured ones, and the same numbers give the same files."""

import math

import numpy as np
import pytest

from gpae.results import aggregate, figures

TASKS = ["3m", "hopper_3x1", "walker2d_6x1"]


@pytest.fixture
def drawn(study):
    """The return is 100 (evaluation + seed), ten times that on walker2d; GPAE (on) only on hopper, of one block."""
    study.profile("tiny", TASKS, ["gpae_off", "gpae_on", "mappo"], seeds=2)
    for job in study.jobs("tiny"):
        if job.method_name != "gpae_on" and job.task_name != "3m":
            scale = 1000 if job.task_name == "walker2d_6x1" else 100
            study.measure(job, lambda s, p, scale=scale: scale * (p + s))
    aggregate.build(study.params, "tiny", study.root)
    return study


def test_panels_hold_the_mean_and_standard_error_at_every_evaluation(drawn):
    by_task, _ = figures.panels(drawn.params, "tiny", "table2", drawn.root)
    assert [panel.title for panel in by_task] == TASKS
    assert by_task[0].curves == [] and by_task[0].absent == ["GPAE (off)", "GPAE (on)", "MAPPO"]
    hopper = by_task[1]
    assert [curve.label for curve in hopper.curves] == ["GPAE (off)", "MAPPO"] and hopper.absent == ["GPAE (on)"]
    assert hopper.curves[0].mean.tolist() == [50.0, 150.0, 250.0]
    np.testing.assert_allclose(hopper.curves[0].sem, 50.0)
    job = drawn.jobs("tiny", task_name="hopper_3x1", method_name="gpae_off")[0]
    assert hopper.curves[0].env_steps.tolist() == [u * job.steps_per_update for u in job.evaluation_updates]
    assert hopper.marks == [("GPAE (off)", 1572.0), ("MAPPO", 1088.0)]


def test_returns_are_combined_in_percent_of_the_papers_best(drawn):
    """By hand: the last means are 250 of 1572 and 2500 of 912; the standard errors 50 and 500."""
    _, by_family = figures.panels(drawn.params, "tiny", "table2", drawn.root)
    smax, mabrax = by_family
    assert smax.curves == [] and mabrax.title == "MABrax: mean of 2 of 2 tasks"
    curve = mabrax.curves[0]
    assert curve.mean[-1] == pytest.approx(50 * (250 / 1572 + 2500 / 912))
    assert curve.sem[-1] == pytest.approx(50 * math.hypot(50 / 1572, 500 / 912))


def test_only_tasks_that_every_shown_method_was_run_on_are_combined(drawn):
    drawn.measure(drawn.jobs("tiny", task_name="hopper_3x1", method_name="gpae_on")[0], lambda s, p: 786.0)
    aggregate.build(drawn.params, "tiny", drawn.root)
    mabrax = figures.panels(drawn.params, "tiny", "table2", drawn.root)[1][1]
    assert mabrax.title == "MABrax: mean of 1 of 2 tasks" and len(mabrax.curves) == 3
    assert mabrax.curves[0].mean[-1] == pytest.approx(100 * 250 / 1572) and mabrax.curves[1].mean[-1] == 50.0


def test_the_papers_means_are_marked_only_at_the_papers_length(drawn):
    drawn.profile("tiny", TASKS, ["mappo"], total_steps=5_000_000)
    for job in drawn.jobs("tiny", task_name="hopper_3x1"):
        drawn.measure(job, lambda s, p: 1.0)
    aggregate.build(drawn.params, "tiny", drawn.root)
    hopper = figures.panels(drawn.params, "tiny", "table2", drawn.root)[0][1]
    assert hopper.curves and hopper.marks == []


def test_the_files_are_the_same_bytes_again(drawn):
    paths = figures.build(drawn.params, "tiny", drawn.root)
    names = ["table2-tasks.pdf", "table2-tasks.png", "table2-families.pdf", "table2-families.png"]
    assert [path.name for path in paths] == names
    before = [path.read_bytes() for path in paths]
    assert before[0].startswith(b"%PDF") and before[1].startswith(b"\x89PNG")
    assert not any(word in whole for whole in before for word in (b"CreationDate", b"tIME"))
    assert [path.read_bytes() for path in figures.build(drawn.params, "tiny", drawn.root)] == before


def test_every_method_has_a_look_of_its_own():
    looks = [tuple(figures.style(label).values()) for label in (*figures.STYLES, "MACA", "HAPPO")]
    assert len(set(looks)) == len(looks)
    assert figures.style("MACA") == figures.style("MACA")
