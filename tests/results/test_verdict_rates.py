"""Verdicts of numbers are as seldom wrong as docs/verdicts.md says."""

import csv
from pathlib import Path

import pytest

from gpae.results import verdict_rates

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written():
    return list(csv.DictReader((ROOT / verdict_rates.PATH).read_text().splitlines()))


def test_wrong_verdicts_are_rare_however_few_the_seeds(written):
    """A nominal 2.5%, of which 2,000 draws have a standard error of 0.35%."""
    assert len(written) == 2 * 6 * 4 * 6
    for row in written:
        assert float(row["wrong_consistent"]) < 0.04 and float(row["wrong_differs"]) < 0.04
        shares = [float(row[name]) for name in ("consistent", "differs", "not_shown")]
        assert sum(shares) == pytest.approx(1, abs=2e-4)
        assert float(row["consistent"]) == 0 or int(row["seeds"]) >= verdict_rates.PAPER_SEEDS


@pytest.mark.parametrize("place", [(True, 5, 0.5, 1.0), (False, 10, 0.25, 2.0)])
def test_the_file_is_what_the_code_draws(written, place):
    found = verdict_rates.rate(*place)
    printed, *numbers = place
    settings = ["yes" if printed else "no", *(f"{number:g}" for number in numbers)]
    (row,) = [row for row in written if [row[name] for name in ("printed", "seeds", "spread", "apart")] == settings]
    shares = [found.consistent, found.differs, found.not_shown]
    assert [float(row[name]) for name in ("consistent", "differs", "not_shown")] == pytest.approx(shares, abs=1e-3)


def test_the_tables_of_the_page_are_those_of_the_file(written):
    page = (ROOT / "docs/verdicts.md").read_text()
    for seeds in verdict_rates.SEEDS:
        most = [
            max(float(row[name]) for row in written if (row["printed"], row["seeds"]) == (printed, str(seeds)))
            for printed in ("yes", "no")
            for name in ("wrong_consistent", "wrong_differs")
        ]
        assert f"| {seeds} | " + " | ".join(f"{100 * share:.1f}%" for share in most) + " |" in page
