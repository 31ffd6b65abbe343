"""The tables as the paper lays them out: our numbers and its own where they belong, and a reason for every dash."""

import csv
import math

import pytest

from gpae.config import ConfigError
from gpae.results import aggregate, layout, tables

DASH = "— <sup>{}</sup>".format


def build(study, experiment="table2"):
    aggregate.build(study.params, "tiny", study.root)
    tables.build(study.params, "tiny", study.root)
    folder = study.root / "artifacts" / "tiny" / "tables"
    return {end: (folder / f"{experiment}.{end}").read_text() for end in ("csv", "md", "tex")}


def lines_of(markdown):
    lines = [line.replace(r"\|", "¦").strip("|") for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


@pytest.fixture
def laid_out(study):
    """3m (not the paper's) and humanoid, two methods; MAPPO on humanoid misses its second block, GPAE its only ones."""
    study.profile("tiny", ["3m", "humanoid_9_8"], ["gpae_off", "mappo"])
    for job in study.jobs("tiny", task_name="3m") + study.jobs("tiny", method_name="mappo", seeds=(0, 1)):
        study.measure(job, lambda s, p: 8 + s)
    return study


def test_markdown_has_our_number_the_papers_and_a_reason_for_each_dash(laid_out):
    text = build(laid_out)["md"]
    lines = lines_of(text)
    assert lines[0] == ["Domain", "Task", "Steps", "", "GPAE (off)", "GPAE (on)", "MAPPO", "DAE", "COMA", "QMIX", "VDN"]
    at = [line[1] for line in lines].index("3m")
    assert lines[at][2:8] == [
        "10,000,000",
        "here",
        "90.0 ± 10.0 (3 seeds)",
        DASH("b"),
        "90.0 ± 10.0 (3 seeds)",
        DASH("b"),
    ]
    assert lines[at + 1][3:5] == ["IQM", "90.0 [80.0, 100.0]"] and lines[at + 1][5] == ""
    assert lines[at + 2][3:] == ["paper", *[DASH("d")] * 7]
    at = [line[1] for line in lines].index("humanoid_9¦8")
    assert lines[at][4:7] == [DASH("a"), DASH("b"), "8.5 ± 0.7 (2 of 3 seeds)"] and lines[at][9:] == [DASH("e")] * 2
    assert lines[at + 2][3:8] == ["paper", "445 ± 4", "286 ± 4", "258 ± 7", "261 ± 6"]
    at = [line[1] for line in lines].index("5m_vs_6m")
    assert lines[at][2:5] == ["—", "here", DASH("b")] and lines[at + 1][4] == "93.7 ± 1.0"
    for mark, reason in (("a", "not run"), ("b", "not in this profile"), ("e", "the method cannot run on such tasks")):
        assert f"- <sup>{mark}</sup> {reason}" in text
    assert "<sup>c</sup>" not in text
    assert "Paper: its mean ± standard deviation after 10,000,000 environment steps, 5 seeds." in text


def test_csv_has_every_number_and_no_number_that_there_is_not(laid_out):
    rows = {(row["task"], row["method"]): row for row in csv.DictReader(build(laid_out)["csv"].splitlines())}
    assert len(rows) == 13 * 7
    row = rows["3m", "MAPPO"]
    assert (row["mean"], row["std"], row["seeds"], row["missing"]) == ("90", "10", "3", "")
    assert (row["metric"], row["steps"], row["paper_mean"]) == ("win_rate_percent", "10000000", "")
    assert rows["3m", "DAE"]["mean"] == rows["3m", "DAE"]["steps"] == ""
    row = rows["humanoid_9|8", "GPAE (off)"]
    assert (row["mean"], row["missing"], row["paper_mean"], row["paper_std"]) == ("", "not run", "445", "4")


def test_latex_is_escaped_and_aligned(laid_out):
    text = build(laid_out)["tex"]
    assert r"smacv2\_5\_units" in text and "humanoid\\_9$|$8" in text
    assert all(line.count("&") == 10 for line in text.splitlines() if line.endswith(r"\\"))
    assert "±" not in text and "—" not in text and r"90.0 $\pm$ 10.0 {\tiny(3 seeds)}" in text
    assert text.count(r"\begin{") == text.count(r"\end{")
    # MABrax stands under a rule of its own
    assert text[: text.index("MABrax & ")].splitlines()[-1] == r"\midrule" and text.count(r"\midrule") == 2


def test_changed_settings_are_said(laid_out):
    laid_out.profile("tiny", ["3m"], ["mappo"], overrides={"smax": {"policy_gradient": {"network": {"width": 64}}}})
    assert "SMAX under other settings than the paper's: width 64." in build(laid_out)["md"]


def test_without_any_evaluation_every_cell_is_a_dash(study):
    study.profile("tiny", ["3m"], ["mappo"])
    text = build(study)["md"]
    assert "here | — <sup>" in text and "seeds)" not in text and "IQM |" not in text


def test_a_table_of_trace_weights_has_tasks_for_columns(study):
    """Table 3, its ST-ISR run on the first task alone; DT-ISR is the job of Table 2's GPAE (off)."""
    study.profile("tiny", ["5m_vs_6m", "3s5z_vs_3s6z"], ["gpae_off", "gpae_off_st"], "table3")
    for job in study.jobs("tiny", task_name="5m_vs_6m"):
        study.measure(job, lambda s, p, job=job: 4 if job.method_name == "gpae_off_st" else 9)
    lines = lines_of(build(study, "table3")["md"])
    assert lines[0] == ["Trace weight", "Steps", "", "5m_vs_6m", "3s5z_vs_3s6z"]
    assert [line[0] for line in lines[2:] if line[0]] == ["DT-ISR", "ST-ISR", "IT-ISR", "No Correction"]
    assert lines[2] == ["DT-ISR", "10,000,000", "here", "90.0 ± 0.0 (3 seeds)", DASH("a")]
    assert lines[4] == ["", "", "paper", "93.7", "87.3"]
    assert lines[5][3:] == ["40.0 ± 0.0 (3 seeds)", DASH("a")] and lines[7][3:] == ["44.4", "80.8"]
    assert lines[8][3:] == [DASH("b")] * 2 and lines[9][2:] == ["paper", "58.6", "83.7"]


def test_table_4_has_the_truncation_gap_beside_the_win_rate(study):
    study.profile("tiny", ["5m_vs_6m"], ["gpae_off", "gpae_off_eta110"], "table4")
    for job in study.jobs("tiny", method_name="gpae_off"):
        study.measure(job, lambda s, p: 9)
        # the mean over all updates, half of which have none: -0.004, -0.005 and -0.006
        half = job.updates // 2
        study.watch(job, truncation_gap=lambda s, u, half=half: -(s + 4) / 1000 if u <= half else math.nan)
    found = build(study, "table4")
    lines = lines_of(found["md"])
    assert lines[0] == [
        *("η", "Steps", ""),
        *("5m_vs_6m: win rate (%)", "5m_vs_6m: truncation gap"),
        *("3s5z_vs_3s6z: win rate (%)", "3s5z_vs_3s6z: truncation gap"),
    ]
    assert [line[0] for line in lines[2:] if line[0]] == ["1.0", "1.05", "1.1", "1.15"]
    at = [line[0] for line in lines].index("1.05")
    assert lines[at][3:] == ["90.0 ± 0.0 (3 seeds)", "−0.00500 ± 0.00100 (3 seeds)", DASH("b"), DASH("b")]
    assert lines[at + 1][2:5] == ["IQM", "90.0 [90.0, 90.0]", ""]
    assert lines[at + 2][3:] == ["93.7", "−0.00409", "87.3", "−0.00670"]
    at = [line[0] for line in lines].index("1.1")
    assert lines[at][3:5] == [DASH("a")] * 2
    assert (
        "Means over all updates of the training, then over seeds: truncation gap, the joint distance minus"
        in found["md"]
    )
    rows = [row for row in csv.DictReader(found["csv"].splitlines()) if row["metric"] == "truncation_gap"]
    row = next(row for row in rows if (row["task"], row["method"]) == ("5m_vs_6m", "GPAE (off), eta=1.05"))
    assert (row["mean"], row["seeds"], row["paper_mean"]) == ("-0.005", "3", "-0.00409")


def test_table_6_has_estimators_for_columns_and_a_group_a_task(study):
    study.profile("tiny", ["3m", "5m_vs_6m"], ["gpae_off", "dae_off_st"], "table6")
    for job in study.jobs("tiny", task_name="3m", method_name="dae_off_st"):
        study.measure(job, lambda s, p: 2)
    lines = lines_of(build(study, "table6")["md"])
    assert lines[0] == ["Task", "Trace weight", "Steps", "", "GPAE", "GAE", "DAE"]
    assert [line[0] for line in lines[2:] if line[0]] == ["5m_vs_6m", "3m"]
    assert lines[3] == ["", "", "", "paper", "93.7", "35.1", "29.4"]
    at = next(i for i, line in enumerate(lines) if line[0] == "3m") + 2
    assert lines[at][1:] == ["ST-ISR", "10,000,000", "here", DASH("b"), DASH("b"), "20.0 ± 0.0 (3 seeds) <sup>r</sup>"]


def test_a_quantity_that_a_method_does_not_report_is_a_dash_of_its_own(study):
    study.profile("tiny", ["3m_stop"], ["mappo"], "figure1")
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p: 5)
        study.watch(job, advantage_gap=lambda s, u: 0.0)
    text = build(study, "figure1")["md"]
    lines = lines_of(text)
    assert lines[0][2:] == [
        "",
        "3m, 5% stops: win rate (%)",
        "3m, 5% stops: advantage gap",
        "3m, 5% stops: advantage gap elsewhere",
    ]
    assert lines[2] == ["GAE", "10,000,000", "here", "50.0 ± 0.0 (3 seeds)", "0.00 ± 0.00 (3 seeds)", DASH("f")]
    # the paper prints no number of Figure 1
    assert "paper" not in [line[2] for line in lines] and "no such number in the paper" not in text


def test_two_methods_in_one_place_are_refused_by_name(study):
    study.profile("tiny", ["5m_vs_6m"], ["gpae_off_none", "gpae_on"], "table3")
    aggregate.build(study.params, "tiny", study.root)
    with pytest.raises(
        ConfigError, match="table3.yaml: layout: gpae_off_none and gpae_on stand in the same place; all"
    ):
        layout.read(study.params, "tiny", "table3", study.root)


def test_every_layout_of_the_papers_experiments_has_a_place_for_every_method(study):
    aggregate.build(study.params, "paper", study.root)
    for experiment in study.params.profile("paper").experiments:
        table = layout.read(study.params, "paper", experiment, study.root)
        assert None not in [cell for row in table.rows for cell in row.cells], experiment


def test_columns_of_other_units_name_them(study):
    study.profile("tiny", ["3m"], ["mappo", "qmix"], "controls")
    aggregate.build(study.params, "tiny", study.root)
    table = layout.read(study.params, "tiny", "controls", study.root)
    assert table.columns == ["3m: win rate (%)", "5m_vs_6m: win rate (%)", "hopper_3x1: return"]
    assert "the greedy one of learners of values" in " ".join(tables.notes(study.params, "tiny", "controls"))
    study.profile("tiny", ["3m"], ["mappo"], "controls")
    assert "greedy" not in " ".join(tables.notes(study.params, "tiny", "controls"))
