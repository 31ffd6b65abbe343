"""Table 2's layout: measured and paper's numbers where they belong, and a reason for every dash."""

import csv

import pytest

from gpae.results import aggregate, tables


@pytest.fixture
def laid_out(study):
    """3m (not the paper's) and humanoid, two methods; MAPPO on humanoid misses its second block, GPAE its only ones."""
    study.profile("tiny", ["3m", "humanoid_9_8"], ["gpae_off", "mappo"])
    for job in study.jobs("tiny", task_name="3m") + study.jobs("tiny", method_name="mappo", seeds=(0, 1)):
        study.measure(job, lambda s, p: 8 + s)
    return study


def build(study):
    aggregate.build(study.params, "tiny", study.root)
    paths = {path.suffix: path for path in tables.build(study.params, "tiny", study.root)}
    assert {path.relative_to(study.root).as_posix() for path in paths.values()} == {
        f"artifacts/tiny/tables/table2.{end}" for end in ("csv", "md", "tex")
    }
    return {end: path.read_text() for end, path in paths.items()}


def cells_of(line):
    return [cell.strip() for cell in line.replace(r"\|", "¦").strip("|").split("|")]


def test_markdown_has_our_number_the_papers_and_a_reason_for_each_dash(laid_out):
    text = build(laid_out)[".md"]
    lines = [cells_of(line) for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == ["Domain", "Task", "Steps", "", "GPAE (off)", "GPAE (on)", "MAPPO", "DAE", "COMA", "QMIX", "VDN"]
    at = [line[1] for line in lines].index("3m")
    dash = "— <sup>{}</sup>".format
    assert lines[at][2:8] == [
        "10,000,000",
        "here",
        "90.0 ± 10.0 (3 seeds)",
        dash("b"),
        "90.0 ± 10.0 (3 seeds)",
        dash("c"),
    ]
    assert lines[at + 1][3:5] == ["IQM", "90.0 [80.0, 100.0]"] and lines[at + 1][5] == ""
    assert lines[at + 2][3:] == ["paper", *[dash("d")] * 7]
    at = [line[1] for line in lines].index("humanoid_9¦8")
    assert lines[at][4:8] == [dash("a"), dash("b"), "8.5 ± 0.7 (2 of 3 seeds)", dash("c")]
    assert lines[at + 2][3:8] == ["paper", "445 ± 4", "286 ± 4", "258 ± 7", "261 ± 6"]
    at = [line[1] for line in lines].index("5m_vs_6m")
    assert lines[at][2:5] == ["—", "here", dash("b")] and lines[at + 1][4] == "93.7 ± 1.0"
    for mark, reason in (("a", "not run"), ("b", "not in this profile"), ("c", "method not in this project")):
        assert f"— <sup>{mark}</sup> {reason}" in text
    assert "Paper: its mean ± standard deviation after 10,000,000 environment steps, 5 seeds." in text


def test_csv_has_every_number_and_no_number_that_there_is_not(laid_out):
    rows = {row["task"]: row for row in csv.DictReader(build(laid_out)[".csv"].splitlines())}
    assert len(rows) == 13
    row = rows["3m"]
    assert (row["MAPPO mean"], row["MAPPO std"], row["MAPPO seeds"], row["MAPPO missing"]) == ("90", "10", "3", "")
    assert row["MAPPO paper_mean"] == row["DAE mean"] == "" and row["steps"] == "10000000"
    row = rows["humanoid_9|8"]
    assert (row["GPAE (off) mean"], row["GPAE (off) missing"]) == ("", "not run")
    assert (row["GPAE (off) paper_mean"], row["GPAE (off) paper_std"]) == ("445", "4")


def test_latex_is_escaped_and_aligned(laid_out):
    text = build(laid_out)[".tex"]
    assert r"smacv2\_5\_units" in text and "humanoid\\_9$|$8" in text
    assert all(line.count("&") == 10 for line in text.splitlines() if line.endswith(r"\\"))
    assert "±" not in text and "—" not in text and r"90.0 $\pm$ 10.0 {\tiny(3 seeds)}" in text
    assert text.count(r"\begin{") == text.count(r"\end{")


def test_changed_settings_are_said(laid_out):
    laid_out.profile("tiny", ["3m"], ["mappo"], overrides={"smax": {"policy_gradient": {"network": {"width": 64}}}})
    assert "SMAX under other settings than the paper's: width 64." in build(laid_out)[".md"]


def test_without_any_evaluation_every_cell_is_a_dash(study):
    study.profile("tiny", ["3m"], ["mappo"])
    text = build(study)[".md"]
    assert "here | — <sup>" in text and "seeds)" not in text and "IQM |" not in text
