"""Table 1: the numbers against what can be worked out by hand, and marks that turn when an estimator is broken."""

import csv
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from gpae.advantages import gpae
from gpae.algorithms import estimation
from gpae.config import Params
from gpae.results import properties as table
from gpae.tabular import properties
from gpae.tabular.estimators import Estimator, PerAgentTable, StateTable

PARAMS = Params(Path(__file__).parents[2] / "params")
GAMMA, LAM = 0.99, 0.95


def of(method, **changes):
    return Estimator(replace(PARAMS.method(method), **changes), LAM)


@pytest.fixture
def float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    return {path.suffix: path.read_text() for path in table.build(PARAMS, "quick", root)}


def test_marks_are_the_papers_but_for_the_credit_of_dae(written):
    rows = {row["Advantage"]: row for row in csv.DictReader(written[".csv"].splitlines())}
    differ = [
        (row["Advantage"], column)
        for row in rows.values()
        for column in ("Credit", "Off-policy", "Bias")
        if row[f"{column}, paper"] not in ("—", row[f"{column}, here"])
    ]
    assert differ == [(f"DAE, β = {PARAMS.method('dae').beta:g}", "Credit")]
    assert {row["Credit, paper"] for row in rows.values()} == {"No", "1-step", "n-step", "—"}
    assert rows["DAE, β = 0"]["Bias, here"] == "No" and rows["DAE, β = 1"]["Bias, here"] == "Yes"
    assert rows["COMA"]["credited (of 17)"] == "1" and rows["COMA"]["credited, exact critic"] == "17"
    assert rows["GAE"]["reached (of 17)"] == "17" and rows["GAE"]["credited (of 17)"] == "0"


def test_layout(written):
    lines = [line for line in written[".md"].splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 7 and all(line.count("|") == lines[0].count("|") for line in lines)
    assert written[".tex"].count(r"\\") == 1 + 7
    assert all(line.count("&") == 13 for line in written[".tex"].splitlines() if line.endswith(r"\\"))
    assert "β" not in written[".tex"] and "—" not in written[".tex"]


def test_credit_by_hand(float64):
    """The critic is exact at first and 0 after: A^i_0 sums what was drawn, discounted, less the agent's baseline.

    Agent 1's EQ knows what agent 0 drew, so GPAE and COMA take the whole effect from it; V and agent 0's EQ know
    nothing. DAE takes (gamma beta)^k of the reward from both when it is due, and at k = 0 from agent 1 alone.
    """
    k = np.arange(properties.DISTANCES)
    later = (k > 0) * 1.0
    for estimator, own, other in (
        (of("mappo"), LAM**k, LAM**k),
        (of("coma"), 1 - later, -later),
        (of("gpae_off"), LAM**k, LAM**k - 1),
        (of("dae", beta=0.5), LAM**k - later * 0.5**k, LAM**k - 0.5**k),
    ):
        found = properties.credit(estimator, GAMMA)
        np.testing.assert_allclose(found.own, own, atol=1e-12)
        np.testing.assert_allclose(found.other, other, atol=1e-12)


def test_without_correction_the_critic_is_that_of_the_behaviour(float64):
    off = properties.studies(GAMMA, properties.DEPARTURE, games=2, steps=2)
    for estimator, critic in ((of("mappo"), StateTable), (of("coma"), PerAgentTable), (of("gpae_off"), PerAgentTable)):
        behaviour, truth = (
            np.concatenate([critic.exact(each.game, policies(each)) for each in off])
            for policies in (lambda each: each.mu, lambda each: each.pi)
        )
        found = properties.off_policy(estimator, off)
        expected = np.linalg.norm(behaviour - truth) / np.linalg.norm(truth)
        assert found.errors[0] == pytest.approx(expected, rel=1e-9)


def test_a_trace_that_is_cut_shortens_the_credit(float64):
    """eta = 0 makes every weight of DT-ISR 0."""
    assert properties.credit(of("gpae_off"), GAMMA).credited == properties.DISTANCES
    assert properties.credit(of("gpae_off", eta=0.0), GAMMA).credited == 1


def test_without_its_trace_gpae_has_no_off_policy_use(float64):
    off = properties.studies(GAMMA, properties.DEPARTURE, games=10, steps=2)
    assert properties.off_policy(of("gpae_off"), off).left < table.OFF_POLICY
    assert properties.off_policy(of("gpae_off", trace="none"), off).left == 1


def test_a_wrong_discount_is_a_bias(float64, monkeypatch):
    on = properties.studies(GAMMA, 0.0, games=2, steps=2)
    assert properties.bias(of("gpae_off"), on) < 1e-12

    def short_sighted(samples, method, gamma):
        return gpae.advantage(*samples[:5], 0.9 * gamma)

    right = estimation.ESTIMATORS["gpae"]
    monkeypatch.setitem(estimation.ESTIMATORS, "gpae", right._replace(advantage=short_sighted))
    # Under another label, so that it is compiled anew.
    assert properties.bias(of("gpae_off", label="short-sighted"), on) > 2 * table.BIAS


def test_marks_turn_at_the_thresholds():
    one = np.ones(1)
    errors = properties.OffPolicy(one, table.OFF_POLICY * one, one)
    right = table.Measured(properties.DISTANCES, 0, 0, errors, table.BIAS)
    assert right.marks == ("n-step", "Yes", "No")
    wrong = right._replace(credited=3, off_policy=errors._replace(corrected=0.9001 * one), bias=0.0101)
    assert wrong.marks == ("3-step", "No", "Yes")
