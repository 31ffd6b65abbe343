"""Every claim gets the verdict that the measured numbers warrant, and no other."""

import csv
import math

import pytest
from scipy import stats

from gpae.config import ConfigError
from gpae.results import aggregate, claims, paper, statistics
from gpae.results.claims import numbers

# the paper on hopper_3x1: GPAE (off) 1572 ± 110, GPAE (on) 1356 ± 66, MAPPO 1088 ± 65, of 5 seeds
AGREES = {
    "gpae_off": [1550.0, 1580.0, 1600.0, 1570.0, 1580.0],
    "gpae_on": [1340.0, 1350.0, 1380.0, 1360.0, 1355.0],
    "mappo": [1080.0, 1090.0, 1100.0, 1085.0, 1095.0],
}


def verdicts(study, returns, **changes):
    seeds = len(next(iter(returns.values())))
    study.profile("tiny", ["hopper_3x1"], list(returns), **({"seeds": seeds} | changes))
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
    assert off.difference == 1576 - 1572 and -157.2 < off.low < 0 < off.high < 157.2 and off.seeds == "5"
    assert off.paper_value == 1572 and off.measured_value == 1576
    held = orderings["GPAE (off)", "MAPPO"]
    assert held.verdict == "ordering holds" and held.p < 0.05 and held.paper_p < 0.001
    assert held.paper_value == 484 and 0 < held.low < held.measured_value < held.high
    assert len(held.sources.split()) == 6 and all(source.endswith(".parquet") for source in held.sources.split())
    assert values["DAE"].verdict == "not run" and values["DAE"].reason == "not in this profile"
    assert orderings["GPAE (on)", "DAE"].verdict == "not run"
    assert ("MAPPO", "DAE") not in orderings and ("MAPPO", "GPAE (off)") not in orderings


def test_other_numbers_differ_and_a_turned_order_fails(study):
    turned = AGREES | {"gpae_off": [500.0, 510.0, 505.0, 502.0, 508.0]}
    values, orderings = verdicts(study, turned)
    assert values["GPAE (off)"].verdict == "differs" and values["GPAE (off)"].high < -157.2
    failed = orderings["GPAE (off)", "MAPPO"]
    assert failed.verdict == "ordering fails" and failed.high < 0 and failed.p < 0.05


def test_a_wide_spread_shows_nothing(study):
    values, orderings = verdicts(study, AGREES | {"gpae_off": [600.0, 1500.0, 3400.0, 700.0, 1600.0]})
    assert values["GPAE (off)"].verdict == "not shown" and values["GPAE (off)"].low < 0 < values["GPAE (off)"].high
    assert orderings["GPAE (off)", "GPAE (on)"].verdict == "not shown"
    assert orderings["GPAE (off)", "GPAE (on)"].p >= 0.05


def test_a_real_but_small_difference_is_consistent(study):
    """MAPPO 40 above 1088: the interval excludes 0 where the spread is small, yet lies within the margin of 108.8."""
    claims_file = study.root / "params" / "claims" / "gpae.csv"
    claims_file.write_text(claims_file.read_text().replace("MAPPO,1088,65", "MAPPO,1088,1"))
    values, _ = verdicts(study, AGREES | {"mappo": [1127.0, 1128.0, 1129.0, 1127.0, 1129.0]})
    assert values["MAPPO"].verdict == "consistent" and 0 < values["MAPPO"].low and values["MAPPO"].high < 108.8


def test_a_difference_near_the_margin_is_neither(study):
    """MAPPO 100 above 1088, margin 108.8: the interval excludes 0 and holds the margin's end."""
    values, _ = verdicts(study, AGREES | {"mappo": [1178.0, 1188.0, 1198.0, 1183.0, 1193.0]})
    near = values["MAPPO"]
    assert near.verdict == "not shown" and 0 < near.low < 108.8 < near.high


def test_agreement_needs_as_many_seeds_as_the_paper_has(study):
    values, orderings = verdicts(study, {name: scores[:4] for name, scores in AGREES.items()})
    few = values["MAPPO"]
    assert -108.8 < few.low < few.high < 108.8
    assert few.verdict == "not shown" and few.reason == "margin 108.8, 4 of the paper's 5 seeds"
    assert orderings["GPAE (off)", "MAPPO"].verdict == "ordering holds"
    values, _ = verdicts(study, {name: [score + 900 for score in scores[:4]] for name, scores in AGREES.items()})
    assert values["MAPPO"].verdict == "differs"  # which many seeds are not needed for


def test_runs_that_score_alike_show_nothing(study):
    claims_file = study.root / "params" / "claims" / "gpae.csv"
    claims_file.write_text(claims_file.read_text().replace("MAPPO,1088,65", "MAPPO,1088,"))
    values, orderings = verdicts(study, {"mappo": [1088.0] * 5, "gpae_off": [1572.0] * 5})
    alike, order = values["MAPPO"], orderings["GPAE (off)", "MAPPO"]
    assert alike.verdict == order.verdict == "not shown"
    assert math.isnan(alike.low) and alike.reason == "no spread, so no interval"
    assert math.isnan(order.p) and order.reason == "no spread, so no test"


def test_a_win_rate_that_a_policy_without_learning_has_is_marked(study):
    """Of the GPAE paper's 70 win rates 10 lie within 5 points of 0 and 7 within 5 of 100. To a policy that never wins 7
    are consistent, and 6 to one that always does."""
    printed = [v for v in paper.read(study.params.folder, "gpae") if v.metric == "win_rate_percent"]
    bounds = [paper.bound(value) for value in printed]
    assert (len(bounds), bounds.count("floor"), bounds.count("ceiling")) == (70, 10, 7)
    for score, bound, expected in ((0.0, "floor", 7), (100.0, "ceiling", 6)):
        agree = []
        for value in printed:
            std = 0.0 if math.isnan(value.std) else value.std
            test = statistics.welch(score, 1e-9, 5, value.mean, std, 5)
            if numbers.judged(test, 5.0, 5, 5)[0] == "consistent":
                agree.append(paper.bound(value))
        assert agree == [bound] * expected
    study.profile("tiny", ["5m_vs_6m"], ["coma", "qmix"], seeds=5)
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p: 0.0)
    aggregate.build(study.params, "tiny", study.root)
    all_found = claims.verdicts(study.params, "tiny", study.root)
    found = {v.method: v for v in all_found if (v.kind, v.experiment, v.task) == ("value", "table2", "5m_vs_6m")}
    assert found["COMA"].bound == "floor" and found["COMA"].verdict == "consistent"
    assert "within the margin of a floor" in numbers.line(found["COMA"])
    head = next(claims.lines(study.params, "tiny", study.root))
    assert "2 consistent" in head and "; 2 of the consistent within the margin of a floor or ceiling" in head


def test_a_number_printed_in_several_tables_counts_once(study):
    """93.7 of GPAE (off) on 5m_vs_6m stands in Tables 2, 3, 4 and 6, 44.4 of ST-ISR in 3 and 6."""
    experiments = {"table3": {"tasks": ["5m_vs_6m"]}, "table6": {"tasks": ["5m_vs_6m"]}}
    methods = ["gpae_off", "gpae_off_st"]
    settings = {name: chosen | {"methods": methods} for name, chosen in experiments.items()}
    study.profile("tiny", [], [], seeds=5, experiments=settings)
    for job in study.jobs("tiny"):
        study.measure(job, lambda s, p, job=job: 9 if job.method_name == "gpae_off" else 4 + s % 2)
    aggregate.build(study.params, "tiny", study.root)
    found = [v for v in claims.verdicts(study.params, "tiny", study.root) if (v.paper, v.task) == ("gpae", "5m_vs_6m")]
    whole = {v.table: v.repeats for v in found if v.kind == "value" and v.paper_value == 93.7}
    assert whole == {"3": "", "6": "3", "2": "3", "4": "3"}  # Table 2 was not run here
    single = {v.table: v.repeats for v in found if v.kind == "value" and v.paper_value == 44.4}
    assert single == {"3": "", "6": "3"}
    pair = [v for v in found if (v.method, v.other) == ("GPAE (off), DT-ISR", "GPAE (off), ST-ISR")]
    order = {v.table: v.repeats for v in pair}
    assert order == {"3": "", "6": "3"}
    heads = [line for line in claims.lines(study.params, "tiny", study.root) if line.startswith("Numbers, ")]
    rows = [v for v in claims.verdicts(study.params, "tiny", study.root) if v.kind == "value"]
    again = sum(bool(v.repeats) for v in rows)
    assert heads[0].startswith(f"Numbers, {len(rows) - again}: ") and f"{again} more counted in another" in heads[0]
    # GPAE: 3 in Table 3's place of 2, 4 and 6, 3s5z_vs_3s6z in 3 and 4, three weights in 6; MACA: 8
    assert again == 8 + 8


def test_more_steps_than_the_papers_are_no_test_of_it(study):
    values, orderings = verdicts(study, AGREES, total_steps=15_000_000)
    larger, order = values["MAPPO"], orderings["GPAE (off)", "MAPPO"]
    assert larger.verdict == order.verdict == "budget too large"
    assert larger.reason == order.reason == "15,000,000 steps, more than the paper's 10,000,000"
    assert larger.measured_value == 1090


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


def test_a_number_without_deviation_is_taken_to_have_the_measured_one(study):
    claims_file = study.root / "params" / "claims" / "gpae.csv"
    claims_file.write_text(claims_file.read_text().replace("MAPPO,1088,65", "MAPPO,1088,"))
    values, orderings = verdicts(study, AGREES)
    assert values["MAPPO"].verdict == "consistent"
    # the measured deviation for both of five runs
    half = stats.t.ppf(0.975, 4) * 62.5**0.5 * (2 / 5) ** 0.5
    assert values["MAPPO"].high - values["MAPPO"].low == pytest.approx(2 * half)
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
        "5",
    )
    assert next(r for r in rows if r["verdict"] == "not run")["measured_value"] == ""
    assert claims.build(study.params, "tiny", study.root)[0].read_bytes() == before


def test_a_truncation_gap_is_held_to_the_papers_within_a_thousandth(study):
    """The paper on 5m_vs_6m: -0.00154 at eta 1.0 and -0.00409 at 1.05, without deviations."""
    small = [-0.0016, -0.0017, -0.0018, -0.0017, -0.0017]
    gaps = {"gpae_off_eta100": small, "gpae_off": [gap - 0.005 for gap in small]}
    study.profile("tiny", ["5m_vs_6m"], list(gaps), experiment="table4", seeds=5)
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
    assert "GPAE (off) > MAPPO: paper 484, measured 486" in numbers.line(orderings["GPAE (off)", "MAPPO"])
    assert numbers.line(values["DAE"]).endswith("DAE: paper 1050 (not in this profile; reconstructed: DAE)")


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
