"""What a comparison says is the difference of two measured means, and no more than its test allows."""

import csv
import io

import pytest
import yaml

from gpae.config import ConfigError
from gpae.results import aggregate, comparisons


@pytest.fixture
def compared(study):
    """Two questions on 3m; of 10 episodes each seed wins 8 or 9 of GPAE (on), 2 or 3 of MAPPO; no GPAE (off)."""
    path = study.root / "params" / "experiments" / "controls.yaml"
    questions = [
        {"question": "Credit?", "method": "gpae_on", "other": "mappo"},
        {"question": "Reuse?", "method": "gpae_off", "other": "gpae_on"},
        {"question": "Backwards?", "method": "mappo", "other": "gpae_on"},
    ]
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"comparisons": questions}))
    study.profile("tiny", ["3m"], ["gpae_off", "gpae_on", "mappo"], "controls", seeds=4, seed_block=4)
    for method, wins in (("gpae_on", 8), ("mappo", 2)):
        study.measure(study.jobs("tiny", method_name=method)[0], lambda s, p, wins=wins: wins + s % 2)
    aggregate.build(study.params, "tiny", study.root)
    return study


def test_a_difference_has_its_interval_and_an_adjusted_p(compared):
    """By hand: means 85 and 25, deviations 5.7735, errors 2.8868 each: 60 -+ t(6) = 2.4469 times 4.0825 = 9.99.

    t = 60 / 4.0825 = 14.697, p = 6.233e-6; two tests, so both adjusted to twice that.
    """
    credit, reuse, backwards = comparisons.read(compared.params, "tiny", "controls", compared.root)
    assert credit.test.difference == pytest.approx(60) and backwards.test.difference == pytest.approx(-60)
    assert (credit.test.low, credit.test.high) == pytest.approx((50.0105, 69.9895), abs=1e-3)
    assert credit.test.p == pytest.approx(6.233e-6, rel=1e-2) and credit.adjusted == pytest.approx(2 * credit.test.p)
    assert credit.shown and backwards.shown
    assert reuse.missing == "GPAE (off): not run" and not reuse.shown


def test_the_table_prints_difference_interval_and_mark(compared):
    found = comparisons.read(compared.params, "tiny", "controls", compared.root)
    grid = comparisons.grid(compared.params, "tiny", "controls", found)
    assert grid.columns == ("Question", "Difference", "3m: win rate (%)")
    assert [row[:2] for row in grid.rows] == [
        ("Credit?", "GPAE (on) − MAPPO"),
        ("Reuse?", "GPAE (off) − GPAE (on)"),
        ("Backwards?", "MAPPO − GPAE (on)"),
    ]
    assert [tuple(row[2])[:3] for row in grid.rows] == [
        ("+60.0", "+50.0 to +70.0, p < 0.001", "*"),
        ("—", "GPAE (off): not run", ""),
        ("−60.0", "−70.0 to −50.0, p < 0.001", "*"),
    ]
    assert "10,000,000 environment steps and 4 seeds" in grid.notes[0] and "2 tests of this table" in grid.notes[0]
    assert grid.marks == {"*": "p below 0.05"}


def test_a_difference_within_the_spread_has_no_mark(compared):
    """By hand: means 85 and 80, deviations 5.7735 and 0: 5 -+ t(3) = 3.1824 times 2.8868; t = 1.7321, p = 0.1817.

    Beside the two p of 6.2e-6 Holm's adjustment leaves the largest as it is.
    """
    (job,) = compared.jobs("tiny", method_name="gpae_off")
    compared.measure(job, lambda s, p: 8)
    aggregate.build(compared.params, "tiny", compared.root)
    found = comparisons.read(compared.params, "tiny", "controls", compared.root)
    assert found[1].adjusted == pytest.approx(0.1817, abs=1e-4) and found[0].adjusted == pytest.approx(
        3 * 6.233e-6, rel=1e-2
    )
    grid = comparisons.grid(compared.params, "tiny", "controls", found)
    assert tuple(grid.rows[1][2])[:3] == ("−5.0", "−14.2 to +4.2, p 0.182", "")


def test_one_seed_decides_nothing(compared):
    compared.profile("one", ["3m"], ["gpae_on", "mappo"], "controls", seeds=1)
    for number, job in enumerate(compared.jobs("one")):
        compared.measure(job, lambda s, p, number=number: 8 - number)
    aggregate.build(compared.params, "one", compared.root)
    found = comparisons.read(compared.params, "one", "controls", compared.root)
    assert found[0].test.difference == pytest.approx(10) and not any(difference.shown for difference in found)
    grid = comparisons.grid(compared.params, "one", "controls", found)
    assert tuple(grid.rows[0][2])[:3] == ("+10.0", "one seed, no test", "") and not grid.marks


def test_seeds_that_agree_to_the_last_episode_are_no_test(compared):
    for job in compared.jobs("tiny"):
        wins = 8 if job.method_name == "gpae_on" else 2
        compared.measure(job, lambda s, p, wins=wins: wins)
    aggregate.build(compared.params, "tiny", compared.root)
    found = comparisons.read(compared.params, "tiny", "controls", compared.root)
    assert found[0].test.difference == pytest.approx(60) and not found[0].shown
    grid = comparisons.grid(compared.params, "tiny", "controls", found)
    assert tuple(grid.rows[0][2])[:3] == ("+60.0", "no spread, no test", "")


def test_the_files_hold_every_number(compared, tmp_path):
    paths = comparisons.build(compared.params, "tiny", "controls", tmp_path / "tables", compared.root)
    assert [path.name for path in paths] == [f"controls-comparisons.{end}" for end in ("csv", "md", "tex")]
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert [row["difference"] for row in rows] == ["60", "", "-60"]
    assert rows[0]["seeds"] == rows[0]["other_seeds"] == "4" and rows[1]["missing"] == "GPAE (off): not run"
    assert float(rows[0]["adjusted_p"]) == pytest.approx(2 * float(rows[0]["p"]), rel=1e-4)
    assert comparisons.build(compared.params, "tiny", "controls", tmp_path / "tables", compared.root) == paths


def test_a_comparison_of_a_method_that_is_not_in_the_experiment_is_refused(compared):
    path = compared.root / "params" / "experiments" / "controls.yaml"
    wrong = [{"question": "?", "method": "gpae_on", "other": "qmix"}]
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"comparisons": wrong}))
    with pytest.raises(ConfigError, match="controls.yaml: comparisons.0.other: 'qmix' is not allowed: gpae_off, gpae_"):
        comparisons.read(compared.params, "tiny", "controls", compared.root)
