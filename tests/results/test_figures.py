"""The curves that are drawn are the measured ones, and the same numbers give the same files."""

import math

import matplotlib
import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from gpae.results import aggregate, figures
from gpae.results.figures import curves, gap, panels, ratios, scores, style
from gpae.results.figures.panels import Curve, Panel
from gpae.results.files import whole_folder

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
    by_task = curves.by_task(drawn.params, "tiny", "table2", drawn.root)
    assert [panel.title for panel in by_task] == TASKS
    assert by_task[0].curves == [] and by_task[0].absent == ["gpae_off", "gpae_on", "mappo"]
    hopper = by_task[1]
    assert [curve.method for curve in hopper.curves] == ["gpae_off", "mappo"] and hopper.absent == ["gpae_on"]
    assert hopper.curves[0].mean.tolist() == [50.0, 150.0, 250.0]
    np.testing.assert_allclose(hopper.curves[0].sem, 50.0)
    job = drawn.jobs("tiny", task_name="hopper_3x1", method_name="gpae_off")[0]
    assert hopper.curves[0].env_steps.tolist() == [u * job.steps_per_update for u in job.evaluation_updates]
    assert hopper.marks == [("gpae_off", 1572.0), ("mappo", 1088.0)]


def test_a_method_that_cannot_run_a_task_is_not_missed_there(study):
    study.profile("tiny", ["3m", "hopper_3x1"], ["mappo", "qmix"])
    aggregate.build(study.params, "tiny", study.root)
    smax, mabrax = curves.by_task(study.params, "tiny", "table2", study.root)
    assert smax.absent == ["mappo", "qmix"] and mabrax.absent == ["mappo"]


def test_returns_are_combined_in_percent_of_the_papers_best(drawn):
    """By hand: the last means are 250 of 1572 and 2500 of 912; the standard errors 50 and 500."""
    smax, mabrax = curves.by_family(drawn.params, "tiny", "table2", drawn.root)
    assert smax.curves == [] and smax.nothing == "not run" and mabrax.title == "MABrax: mean of 2 of 2 tasks"
    curve = mabrax.curves[0]
    assert curve.mean[-1] == pytest.approx(50 * (250 / 1572 + 2500 / 912))
    assert curve.sem[-1] == pytest.approx(50 * math.hypot(50 / 1572, 500 / 912))


def test_only_tasks_that_every_shown_method_was_run_on_are_combined(drawn):
    drawn.measure(drawn.jobs("tiny", task_name="hopper_3x1", method_name="gpae_on")[0], lambda s, p: 786.0)
    aggregate.build(drawn.params, "tiny", drawn.root)
    mabrax = curves.by_family(drawn.params, "tiny", "table2", drawn.root)[1]
    assert mabrax.title == "MABrax: mean of 1 of 2 tasks" and len(mabrax.curves) == 3
    assert mabrax.curves[0].mean[-1] == pytest.approx(100 * 250 / 1572) and mabrax.curves[2].mean[-1] == pytest.approx(
        100 * 250 / 1572
    )
    assert {curve.method: curve.mean[-1] for curve in mabrax.curves}["gpae_on"] == 50.0


def test_the_papers_means_are_marked_only_at_the_papers_length(drawn):
    drawn.profile("tiny", TASKS, ["mappo"], total_steps=5_000_000)
    for job in drawn.jobs("tiny", task_name="hopper_3x1"):
        drawn.measure(job, lambda s, p: 1.0)
    aggregate.build(drawn.params, "tiny", drawn.root)
    hopper = curves.by_task(drawn.params, "tiny", "table2", drawn.root)[1]
    assert hopper.curves and hopper.marks == []


@pytest.fixture
def watched(study):
    """3m_stop, two seeds: gap 0.2 and 0.4 of deviation 2 and 1, so a tenth and four tenths; 0.01 elsewhere."""
    study.profile("tiny", ["3m_stop"], ["mappo", "coma"], "figure1", seeds=2)
    job = study.jobs("tiny", method_name="mappo")[0]
    study.watch(
        job,
        advantage_gap=lambda s, u: 0.2 + 0.2 * s if u % 2 else math.nan,
        advantage_gap_elsewhere=lambda s, u: 0.01,
        advantage_std=lambda s, u: 2.0 - s,
    )
    study.measure(job, lambda s, p: 5)
    aggregate.build(study.params, "tiny", study.root)
    return study


def test_the_gap_is_shown_raw_elsewhere_and_in_deviations(watched):
    shown = gap.shown(watched.params, "tiny", "figure1", watched.root)
    assert [panel.title[:3] for panel in shown] == ["(a)", "(b)", "(c)", "(d)"]
    raw, elsewhere, deviations, score = shown
    assert [curve.method for curve in raw.curves] == ["mappo"] and raw.absent == ["coma"]
    np.testing.assert_allclose(raw.curves[0].mean, [0.3, 0.3])
    np.testing.assert_allclose(raw.curves[0].sem, [0.1, 0.1])
    np.testing.assert_allclose(elsewhere.curves[0].mean, [0.01, 0.01])
    np.testing.assert_allclose(deviations.curves[0].mean, [0.25, 0.25])
    np.testing.assert_allclose(deviations.curves[0].sem, [0.15, 0.15])
    # Appendix B's reference, whose derivation has a test of its own; the two raw gaps are to be compared by eye
    assert [value for _, value in raw.references] == pytest.approx([0.0971, 0.0684], abs=1e-4)
    assert raw.scale == elsewhere.scale == "3m_stop" and not (elsewhere.references or deviations.scale)
    figure = figures.KINDS["gap"].draw(watched.params, "tiny", "figure1", watched.root)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() != figure.axes[2].get_ylim()
    assert figure.axes[0].get_ylim()[0] < 0.01 and figure.axes[0].get_ylim()[1] > 0.4
    assert figure.axes[0].get_xlim() == figure.axes[3].get_xlim()
    assert score.unit == "win rate (%)" and score.curves[0].mean.tolist() == [50.0, 50.0, 50.0]
    assert panels.labels(watched.params, "tiny", "figure1")["mappo"] == "GAE"


def test_without_training_quantities_the_gap_is_not_run(study):
    study.profile("tiny", ["3m_stop"], ["mappo"], "figure1")
    aggregate.build(study.params, "tiny", study.root)
    assert all(panel.curves == [] for panel in gap.shown(study.params, "tiny", "figure1", study.root))


def test_the_distances_and_their_gap_stand_in_panels_of_their_own(study):
    study.profile("tiny", ["1s1z"], ["gpae_off", "gpae_off_it"], "figure2", seeds=2)
    for job in study.jobs("tiny", method_name="gpae_off_it"):
        study.watch(
            job,
            individual_distance=lambda s, u: 1.0,
            joint_distance=lambda s, u: 3.0,
            truncation_gap=lambda s, u: 2.0,
        )
    aggregate.build(study.params, "tiny", study.root)
    shown = ratios.shown(study.params, "tiny", "figure2", study.root)
    assert [[curve.mean.tolist() for curve in panel.curves] for panel in shown] == [
        [[1.0, 1.0]],
        [[3.0, 3.0]],
        [[2.0, 2.0]],
        [],
    ]
    assert shown[0].absent == ["gpae_off"]


def test_final_scores_are_drawn_seed_by_seed_with_their_interval(study):
    """By hand: 40 and 60 have the mean 50 and the standard error 10; t(1) is 12.7, so the interval ends at the axis.

    Four seeds of 40, 40, 60, 60: standard deviation 11.547, error 5.7735, t(3) is 3.1824: 50 +- 18.37.
    """
    study.profile("tiny", ["3m"], ["mappo", "gpae_on", "gpae_off"], "controls", seeds=4, seed_block=4)
    (job,) = study.jobs("tiny", method_name="mappo")
    study.measure(job, lambda s, p: 4 + 2 * (s > 1) if p == 2 else 0)
    aggregate.build(study.params, "tiny", study.root)
    figure = scores.draw(study.params, "tiny", "controls", study.root)
    left = figure.axes[0]
    assert [text.get_text() for text in left.get_yticklabels()] == ["MAPPO", "GPAE (on)", "GPAE (off)"]
    interval, seeds, mean = left.lines
    np.testing.assert_allclose(interval.get_xdata(), [31.626, 68.374], atol=1e-3)
    assert sorted(seeds.get_xdata()) == [40, 40, 60, 60] and mean.get_xdata() == 50
    assert [text.get_text() for text in left.texts] == ["not run", "not run"]


def test_one_seed_has_no_interval_and_no_interval_leaves_the_win_rates(study):
    study.profile("tiny", ["3m"], ["mappo", "gpae_on"], "controls", seeds=2)
    study.measure(study.jobs("tiny", method_name="mappo")[0], lambda s, p: 4 + 2 * s)
    aggregate.build(study.params, "tiny", study.root)
    left = scores.draw(study.params, "tiny", "controls", study.root).axes[0]
    assert left.lines[0].get_xdata().tolist() == [0, 100]
    study.profile("tiny", ["3m"], ["mappo"], "controls", seeds=1)
    study.measure(study.jobs("tiny")[0], lambda s, p: 4)
    aggregate.build(study.params, "tiny", study.root)
    assert len(scores.draw(study.params, "tiny", "controls", study.root).axes[0].lines) == 2


def test_a_panel_draws_its_curves_marks_and_references():
    curve = Curve("mappo", np.array([0, 10]), np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    panel = Panel("title", "unit", [curve], ["coma"], [("mappo", 3.0)], [("ideal", 2.5)])
    axes = Figure().subplots()
    panels.draw(axes, panel, style.looks(["mappo", "coma"]), {"mappo": "GAE", "coma": "COMA"})
    line, mark, reference = axes.lines
    assert line.get_xydata().tolist() == [[0, 1], [10, 2]] and line.get_color() == style.STYLES["mappo"][0]
    assert mark.get_ydata() == [3.0] and set(reference.get_ydata()) == {2.5}
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.5 and band[:, 1].max() == 2.5
    assert axes.get_xlabel() == "environment steps\nnot run: COMA"
    assert [text.get_text() for text in axes.texts] == ["ideal"]


def test_the_files_are_the_same_bytes_again(drawn):
    paths = figures.build(drawn.params, "tiny", drawn.root)
    names = ["table2-tasks.pdf", "table2-tasks.png", "table2-families.pdf", "table2-families.png"]
    assert [path.name for path in paths] == names
    assert [path.stem for path in paths[::2]] == list(figures.captions(drawn.params, "tiny", "table2"))
    before = [path.read_bytes() for path in paths]
    assert before[0].startswith(b"%PDF") and before[1].startswith(b"\x89PNG")
    assert not any(word in whole for whole in before for word in (b"CreationDate", b"tIME"))
    assert [path.read_bytes() for path in figures.build(drawn.params, "tiny", drawn.root)] == before


def test_an_experiment_without_figures_leaves_an_empty_folder(study):
    path = study.root / "params" / "experiments" / "table2.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"figures": []}))
    study.profile("tiny", ["3m"], ["mappo"])
    folder = study.root / "artifacts" / "tiny" / "figures"
    with whole_folder(folder):  # as the command does
        assert figures.build(study.params, "tiny", study.root) == []
    assert folder.is_dir()


SOON = ["figure1", "figure2", "table2"]


@pytest.mark.parametrize("chosen", [SOON, pytest.param([], marks=pytest.mark.slow, id="all")])
def test_every_experiment_of_the_project_can_be_drawn_before_anything_is_measured(study, chosen):
    names = chosen or sorted(path.stem for path in (study.root / "params" / "experiments").glob("*.yaml"))
    study.profile("tiny", [], [], experiments={name: {} for name in names})
    aggregate.build(study.params, "tiny", study.root)
    with matplotlib.rc_context(style.SETTINGS):
        for name in names:
            for stem, caption in figures.captions(study.params, "tiny", name).items():
                kind = figures.KINDS[stem.removeprefix(f"{name}-")]
                assert caption and kind.draw(study.params, "tiny", name, study.root).axes


def test_methods_of_one_figure_look_different(study):
    for path in (study.root / "params" / "experiments").glob("*.yaml"):
        methods = yaml.safe_load(path.read_text())["methods"]
        looks = style.looks(methods)
        assert list(looks) == methods and len({str(look) for look in looks.values()}) == len(methods)
    looks = style.looks(["mappo", "a method of tomorrow", "gpae_off"])
    assert looks["gpae_off"]["color"] == style.STYLES["gpae_off"][0]
