"""Marks in tables: the best means in bold as MACA's paper prints them, methods that are reconstructed, remarks."""

import pytest
from study import Study

from gpae.results import aggregate, cells, claims, tables
from gpae.results.statistics import Sample


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        # means 2 apart with deviations of 1 and 5 runs: t = 2 / sqrt(2 / 5) = 3.16 of 8 degrees, p 0.013
        ([Sample(10, 1, 5), Sample(8, 1, 5)], [True, False]),
        # 1.4 apart: t = 2.21, p 0.058
        ([Sample(8.6, 1, 5), Sample(10, 1, 5)], [True, True]),
        ([Sample(float("nan"), float("nan"), 0), Sample(10, 1, 5)], [False, True]),
        # without spread or with one seed there is no test: the best alone, and those with the same mean
        ([Sample(100, 0, 5), Sample(100, 0, 5), Sample(99, 0, 5)], [True, True, False]),
        ([Sample(3, float("nan"), 1), Sample(2, float("nan"), 1)], [True, False]),
        ([Sample(float("nan"), float("nan"), 0)], [False]),
    ],
)
def test_the_best_mean_and_those_not_significantly_below_it(samples, expected):
    assert cells.best(samples) == expected


@pytest.fixture
def spread(study: Study):
    scores = {"maca": [-60.0, -61.0, -62.0], "maca_mappo": [-61.0, -62.0, -63.0], "happo": [-80.0, -81.0, -82.0]}
    study.profile("tiny", ["simple_spread"], list(scores), "maca_table5")
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p, job=job: scores[job.method_name][s])
    aggregate.build(study.params, "tiny", study.root)
    tables.build(study.params, "tiny", study.root)
    return study


def test_macas_table_has_the_best_in_bold_here_and_in_the_paper(spread):
    text = (spread.root / "artifacts/tiny/tables/maca_table5.md").read_text()
    here, paper = (next(line for line in text.splitlines() if f"| {which} |" in line) for which in ("here", "paper"))
    assert "**−61.0 ± 1.0** (3 seeds)" in here and "**−62.0 ± 1.0**" in here and "| −81.0 ± 1.0 (3 seeds)" in here
    # -61.95 ± 1.44 of MACA against -67.01 ± 2.40 of IPPO
    assert "**−62.0 ± 1.4**" in paper and "| −67.0 ± 2.4 |" in paper and paper.count("**") == 2
    assert r"\textbf{$-$61.0 $\pm$ 1.0}" in (spread.root / "artifacts/tiny/tables/maca_table5.tex").read_text()
    assert "Bold: the best mean of a task" in text


def test_of_macas_table_2_the_paper_marks_what_it_says(study):
    """Section 5.2: MACA above every other on SMACv2's tasks; on 25m MAPPO, IPPO and MACA are alike."""
    study.profile("tiny", ["25m"], ["maca"], "maca_table2")
    aggregate.build(study.params, "tiny", study.root)
    bold = {}
    for cell in cells.read(study.params, "tiny", "maca_table2", study.root):
        if cell.best_in_paper:
            bold.setdefault(cell.task_name, set()).add(cell.method)
    assert bold["25m"] == {"MACA", "MAPPO", "IPPO"}
    assert bold["protoss_10_vs_10"] == bold["terran_5_vs_5"] == bold["zerg_5_vs_5"] == {"MACA"}


def test_reconstructed_methods_are_marked_in_tables_and_verdicts(study):
    study.profile("tiny", ["hopper_3x1"], ["mappo", "dae"], "table2")
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p: 1000.0 + s)
    aggregate.build(study.params, "tiny", study.root)
    tables.build(study.params, "tiny", study.root)
    text = (study.root / "artifacts/tiny/tables/table2.md").read_text()
    assert "1001 ± 1 (3 seeds) <sup>r</sup>" in text and "- <sup>r</sup> reconstructed" in text
    assert "Reconstructed (r): DAE: the formula of Eq. 3 and its beta are lost" in text
    found = [v for v in claims.verdicts(study.params, "tiny", study.root) if v.experiment and v.task == "hopper_3x1"]
    assert {v.method: v.reconstructed for v in found if v.kind == "value"}["DAE"] == "DAE"
    marked = {(v.method, v.other): v.reconstructed for v in found if v.kind == "ordering"}
    assert marked["GPAE (off)", "DAE"] == "DAE" and marked["GPAE (off)", "MAPPO"] == ""
    study.profile("tiny", ["5m_vs_6m"], ["gae_off_dt", "dae_off_dt"], "table6")
    said = " ".join(tables.notes(study.params, "tiny", "table6"))
    assert "DAE (off), DT-ISR: Table 6 has it without a formula" in said
    assert "B, the number of windows, was chosen by GPAE (off) alone and serves GAE and DAE too" in said
