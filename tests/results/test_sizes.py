"""Table 6 of the MACA paper: how many parameters critics have, and how long trainings took."""

import math

import pytest

from gpae.environments.registry import make
from gpae.results import aggregate, cells, claims, tables

METHODS = ["maca", "maca_jnt", "ppo_mix", "ppo_sum"]


@pytest.fixture
def measured(study):
    study.profile("tiny", ["5m_vs_6m"], METHODS, "maca_table6", seeds=2, seed_block=2)
    (job,) = study.jobs("tiny", method_name="ppo_sum")
    study.measure(job, lambda s, p: 3, {"training": {"wall_seconds": 5400.0}})
    aggregate.build(study.params, "tiny", study.root)
    return study


def test_critics_are_counted_and_hours_are_those_of_the_job(measured):
    table = cells.read(measured.params, "tiny", "maca_table6", measured.root)
    size = {cell.method_name: cell for cell in table if cell.metric == "critic_parameters"}
    hours = {cell.method_name: cell for cell in table if cell.metric == "training_hours"}
    spec = make("smax", **measured.jobs("tiny")[0].environment).spec
    state, agents, width = spec.state_size, len(spec.agents), 128
    from_state = state * width + width
    mixer = 4 * from_state + (width + 1) * agents * width + (width + 1) * width + width + 1
    assert size["ppo_mix"].mean - size["ppo_sum"].mean == mixer
    assert size["maca"].mean == size["maca_jnt"].mean and math.isnan(size["maca"].std)
    assert hours["ppo_sum"].mean == pytest.approx(1.5) and hours["maca"].missing == cells.NOT_RUN
    assert not size["maca"].missing and size["maca"].paper.mean == 239_674
    said = " ".join(tables.notes(measured.params, "tiny", "maca_table6"))
    assert "Of whole trainings: numbers that the critic learns" in said


def test_a_larger_critic_is_not_claimed_to_be_better(measured):
    found = [v for v in claims.verdicts(measured.params, "tiny", measured.root) if v.table == "6" and v.paper == "maca"]
    assert {(v.kind, v.verdict) for v in found} == {("value", "analogue"), ("value", "not run")}
