"""Every claim gets the verdict that the measured numbers warrant, and no other."""

import csv

import pytest

from gpae.config import ConfigError
from gpae.results import aggregate, claims, paper
from gpae.results.claims import numbers

# the paper on hopper_3x1: GPAE (off) 1572 ± 110, GPAE (on) 1356 ± 66, MAPPO 1088 ± 65
AGREES = {"gpae_off": [1550.0, 1580.0, 1600.0], "gpae_on": [1340.0, 1350.0, 1380.0], "mappo": [1080.0, 1090.0, 1100.0]}


def verdicts(study, returns, **changes):
    study.profile("tiny", ["hopper_3x1"], list(returns), **changes)
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p, job=job: returns[job.method_name][s] * (p > 0))
    aggregate.build(study.params, "tiny", study.root)
    found = claims.verdicts(study.params, "tiny", study.root)
    here = [verdict for verdict in found if verdict.task == "hopper_3x1"]
    values = {v.method: v for v in here if v.kind == "value"}
    orderings = {(v.method, v.other): v for v in here if v.kind == "ordering"}
    return values, orderings


def test_the_papers_numbers_again_are_consistent_and_keep_their_order(study):
    values, orderings = verdicts(study, AGREES)
    assert [values[name].verdict for name in ("GPAE (off)", "GPAE (on)", "MAPPO")] == ["consistent"] * 3
    off = values["GPAE (off)"]
    assert off.difference == pytest.approx(1576.6667 - 1572, abs=1e-3) and off.low < 0 < off.high and off.seeds == "3"
    assert off.paper_value == 1572 and off.measured_value == pytest.approx(1576.6667, abs=1e-3)
    held = orderings["GPAE (off)", "MAPPO"]
    assert held.verdict == "ordering holds" and held.p < 0.05 and held.paper_p < 0.001
    assert held.paper_value == 484 and 0 < held.low < held.measured_value < held.high
    assert len(held.sources.split()) == 4 and all(source.endswith(".parquet") for source in held.sources.split())
    assert values["DAE"].verdict == "not run" and values["DAE"].reason == "not in this profile"
    assert orderings["GPAE (on)", "DAE"].verdict == "not run"
    assert ("MAPPO", "DAE") not in orderings and ("MAPPO", "GPAE (off)") not in orderings


def test_other_numbers_differ_and_a_turned_order_fails(study):
    turned = AGREES | {"gpae_off": [500.0, 510.0, 505.0]}
    values, orderings = verdicts(study, turned)
    assert values["GPAE (off)"].verdict == "differs" and values["GPAE (off)"].high < -157.2
    failed = orderings["GPAE (off)", "MAPPO"]
    assert failed.verdict == "ordering fails" and failed.high < 0 and failed.p < 0.05


def test_a_wide_spread_shows_nothing(study):
    values, orderings = verdicts(study, AGREES | {"gpae_off": [600.0, 1500.0, 3400.0]})
    assert values["GPAE (off)"].verdict == "not shown" and values["GPAE (off)"].low < 0 < values["GPAE (off)"].high
    assert orderings["GPAE (off)", "GPAE (on)"].verdict == "not shown"
    assert orderings["GPAE (off)", "GPAE (on)"].p >= 0.05


def test_a_real_but_small_difference_is_consistent(study):
    """MAPPO 40 above 1088: the interval excludes 0 where the spread is small, yet lies within the margin of 108.8."""
    claims_file = study.root / "params" / "claims" / "gpae.csv"
    claims_file.write_text(claims_file.read_text().replace("MAPPO,1088,65", "MAPPO,1088,1"))
    values, _ = verdicts(study, AGREES | {"mappo": [1127.0, 1128.0, 1129.0]})
    assert values["MAPPO"].verdict == "consistent" and 0 < values["MAPPO"].low and values["MAPPO"].high < 108.8


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_steps": 5_000_000}, "5,000,000 of the paper's 10,000,000 steps"),
        (
            {"overrides": {"mabrax": {"policy_gradient": {"network": {"width": 64}}}}},
            "the profile changes the paper's settings: width 64",
        ),
        ({"seeds": 1}, "one seed"),
    ],
)
def test_under_a_small_budget_the_numbers_are_shown_and_decide_nothing(study, changes, reason):
    values, orderings = verdicts(study, AGREES, **changes)
    verdict, order = values["MAPPO"], orderings["GPAE (off)", "MAPPO"]
    assert verdict.verdict == order.verdict == "budget too small" and verdict.reason == order.reason == reason
    assert verdict.measured_value == pytest.approx(1080 if "seeds" in changes else 1090)
    assert order.measured_value > 400


def test_every_number_of_every_table_has_its_one_verdict(study):
    verdicts(study, AGREES)
    found = claims.verdicts(study.params, "tiny", study.root)
    values = [(v.paper, v.table, v.task, v.metric, v.method) for v in found if v.kind == "value"]
    papers = [path.stem for path in (study.params.folder / "claims").glob("*.csv")]
    assert sorted(values) == sorted(value.key for name in papers for value in paper.read(study.params.folder, name))
    other = next(v for v in found if v.table == "3")
    assert other.verdict == "not run" and other.reason == "no experiment of this profile measures it"
    assert {v.verdict for v in found} <= set(claims.VERDICTS)


def test_a_number_without_deviation_is_held_as_a_constant(study):
    claims_file = study.root / "params" / "claims" / "gpae.csv"
    claims_file.write_text(claims_file.read_text().replace("MAPPO,1088,65", "MAPPO,1088,"))
    values, orderings = verdicts(study, AGREES)
    assert values["MAPPO"].verdict == "consistent"
    assert values["MAPPO"].high - values["MAPPO"].low == pytest.approx(2 * 4.302653 * 10 / 3**0.5, rel=1e-5)
    assert orderings["GPAE (off)", "MAPPO"].paper_p != orderings["GPAE (off)", "MAPPO"].paper_p


def test_the_file_has_a_row_a_verdict_and_the_same_bytes_again(study):
    verdicts(study, AGREES)
    path, _ = claims.build(study.params, "tiny", study.root)
    before = path.read_bytes()
    rows = list(csv.DictReader(before.decode().splitlines()))
    assert len(rows) == len(claims.verdicts(study.params, "tiny", study.root))
    row = next(r for r in rows if r["task"] == "hopper_3x1" and r["method"] == "MAPPO" and r["kind"] == "value")
    assert (row["verdict"], row["paper_value"], row["measured_value"], row["seeds"]) == (
        "consistent",
        "1088",
        "1090",
        "3",
    )
    assert next(r for r in rows if r["verdict"] == "not run")["measured_value"] == ""
    assert claims.build(study.params, "tiny", study.root)[0].read_bytes() == before


def test_a_truncation_gap_is_held_to_the_papers_within_a_thousandth(study):
    """The paper on 5m_vs_6m: -0.00154 at eta 1.0 and -0.00409 at 1.05, without deviations."""
    gaps = {"gpae_off_eta100": [-0.0016, -0.0017, -0.0018], "gpae_off": [-0.0066, -0.0067, -0.0068]}
    study.profile("tiny", ["5m_vs_6m"], list(gaps), experiment="table4")
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p: 9.0)
        study.watch(job, truncation_gap=lambda s, u, job=job: gaps[job.method_name][s])
    aggregate.build(study.params, "tiny", study.root)
    found = [v for v in claims.verdicts(study.params, "tiny", study.root) if v.task == "5m_vs_6m" and v.table == "4"]
    values = {v.method: v for v in found if (v.kind, v.metric) == ("value", "truncation_gap")}
    near, far = values["GPAE (off), eta=1.0"], values["GPAE (off), eta=1.05"]
    assert near.verdict == "consistent" and near.difference == pytest.approx(-0.00016) and near.reason == "margin 0.001"
    assert far.verdict == "differs" and far.difference == pytest.approx(-0.00261)
    assert all(source.startswith("artifacts/tiny/metrics/") for source in near.sources.split())
    orders = {(v.metric, v.method, v.other): v.verdict for v in found if v.kind == "ordering"}
    assert orders["truncation_gap", "GPAE (off), eta=1.0", "GPAE (off), eta=1.05"] == "ordering holds"
    assert len(orders) == 2 * 6  # the pairs of four numbers, of win rates and of gaps


def test_a_verdict_in_one_line(study):
    values, orderings = verdicts(study, AGREES)
    line = numbers.line(values["MAPPO"])
    assert line.startswith(
        "consistent       gpae table 2: hopper_3x1: MAPPO: paper 1088, measured 1090, difference +2 ["
    )
    assert "GPAE (off) > MAPPO: paper 484, measured 486.7" in numbers.line(orderings["GPAE (off)", "MAPPO"])
    assert numbers.line(values["DAE"]).endswith("DAE: paper 1050 (not in this profile)")


def test_mistakes_in_a_claims_file_are_named(tmp_path):
    (tmp_path / "claims").mkdir()
    path = tmp_path / "claims" / "p.csv"
    with pytest.raises(ConfigError, match="no such file"):
        paper.read(tmp_path, "p")
    path.write_text("paper,table\n")
    with pytest.raises(ConfigError, match="p.csv: first line: paper,table; allowed: paper,table,task,metric"):
        paper.read(tmp_path, "p")
    path.write_text(",".join(paper.COLUMNS) + "\np,2,3m,win_rate_percent,MAPPO,high,,\n")
    with pytest.raises(ConfigError, match="p.csv: line 2: p,2,3m,win_rate_percent,MAPPO,high,,; allowed: 8 entries"):
        paper.read(tmp_path, "p")
    path.write_text(",".join(paper.COLUMNS) + "\np,2,3m,win_rate,MAPPO,50,,\n")
    with pytest.raises(
        ConfigError, match="p.csv: line 2: p,2,3m,win_rate,.*metric win_rate_percent, episode_return, trunc"
    ):
        paper.read(tmp_path, "p")
