"""The order in which missing jobs run, and a list that is really worked off, cut short and brought together."""

import shutil
import sys
from pathlib import Path

import pytest
from faultlab import PROFILE, ROOT, Lab

from gpae import agenda, plan, status
from gpae.config import METHODS, ConfigError, Params
from gpae.results import aggregate, merge, questions
from gpae.results.claims import numbers

PARAMS = Params(ROOT / "params")


def greedy(needed: list[set[int]], cost: dict[int, float], begun=(), hours=1e9) -> list[int]:
    return agenda._greedy([frozenset(jobs) for jobs in needed], cost, begun, hours)


def test_most_answers_an_hour_come_first():
    # jobs 0 and 1 answer three questions in 3 hours, job 2 one in 2; job 3 answers none
    cost = {0: 1.0, 1: 2.0, 2: 2.0, 3: 0.1}
    needed = [{0, 1}, {0, 1}, {1}, {2}]
    assert greedy(needed, cost) == [0, 1, 2, 3]
    assert greedy([*needed, {2}, {2}], cost) == [2, 0, 1, 3]


def test_what_was_chosen_before_makes_the_next_cheaper():
    cost = {0: 4.0, 1: 1.0, 2: 1.0, 3: 4.0}
    # 0 is dear but shared: with it 1 answers at once; {2, 3} is as good as {0, 1} until then
    assert greedy([{1, 2}, {0, 1}, {2, 3}], cost) == [1, 2, 0, 3]
    assert greedy([{0, 1}, {2, 3}], cost, begun=[3]) == [2, 1, 0]


def test_what_does_not_fit_into_the_hours_waits():
    cost = {0: 10.0, 1: 3.0}
    needed = [{0}, {0}, {0}, {0}, {1}]
    assert greedy(needed, cost) == [0, 1]
    assert greedy(needed, cost, hours=5.0) == [1, 0]


def test_machines_share_the_list_without_a_job_in_common():
    shares = [agenda.share(list(range(7)), part, 3) for part in (1, 2, 3)]
    assert sorted(sum(shares, [])) == list(range(7)) and shares[1] == [1, 4]


def test_questions_are_the_claims_that_the_profile_can_answer(tmp_path):
    aggregate.build(PARAMS, "tour", tmp_path)
    found = questions.read(PARAMS, "tour", tmp_path)
    planned = {(job.method_name, job.task_name) for job in plan.jobs(PARAMS, "tour")}
    assert all(question.runs <= planned for question in found)
    # nothing is run: a number or an ordering is a question where its cells are selected, and the other way round
    rows = [row for row in numbers.verdicts(PARAMS, "tour", tmp_path) if row.experiment]
    selected = [row for row in rows if "not in this" not in row.reason and "cannot run" not in row.reason]
    names = {question.name for question in found}
    # another paper's numbers of what is trained for Table 2, of which an empty profile has no cells yet
    others = {f"table 1: {label} on 3m" for label in ("IQL", "QMIX", "VDN")}
    assert others <= names
    assert sum(question.name.startswith("table ") for question in found) == len(selected) + len(others)
    assert "figure1" not in names and any(name.startswith("Section 3.1, Figure 1(a): gap_highest") for name in names)


def test_a_profile_without_any_timing_is_still_put_in_order():
    items = agenda.order(PARAMS, "paper", 100.0, Path("/nonexistent"))
    assert {item.job.evaluation for item in items} == {job.evaluation for job in plan.jobs(PARAMS, "paper")}
    assert all(item.guessed and item.hours != item.hours for item in items)
    table, lines = agenda.told(items, 100.0)
    assert table.row_count == len(items) and lines[0].startswith(f"{len(items)} of {len(items)} missing jobs")


def test_hours_of_the_benchmarks_and_guesses_are_in_one_unit(tmp_path):
    """In a fresh clone no job was timed, and the benchmarks know some tasks: hours beside hours, and not steps."""
    shutil.copytree(ROOT / "params", tmp_path / "params")
    folder = tmp_path / "artifacts/benchmarks/some-gpu"
    folder.mkdir(parents=True)
    rows = ["benchmark,task,ours,ratio,spread,device"]
    speeds = {"3m": 1000, "8m": 500}
    rows += [f'"GPAE (on) against MAPPO, steps/s",{task},{speed},1,0,Some' for task, speed in speeds.items()]
    (folder / "estimators.csv").write_text("\n".join(rows) + "\n")
    profile = tmp_path / "params/profiles/paper.yaml"
    text = profile.read_text()
    head = text[: text.index("experiments:")]
    chosen = "{tasks: [3m, 8m, 2s3z], methods: [mappo, gpae_on]}"
    profile.write_text(f"{head}experiments:\n  table2: {chosen}\n")
    params = Params(tmp_path / "params")
    items = {(item.job.method_name, item.job.task_name): item for item in agenda.order(params, "paper", 10, tmp_path)}
    steps = 5 * next(iter(items.values())).job.updates * next(iter(items.values())).job.steps_per_update / 3600
    assert items["mappo", "3m"].hours == pytest.approx(steps / 1000) and not items["mappo", "3m"].guessed
    assert items["mappo", "8m"].hours == pytest.approx(steps / 500) and not items["mappo", "8m"].guessed
    # of the same work: the median of a rate of 1000 and one of 500 steps a second, hours a step
    guess = items["mappo", "2s3z"]
    assert guess.hours == pytest.approx(steps * (1 / 1000 + 1 / 500) / 2) and guess.guessed
    table, lines = agenda.told(list(items.values()), 10.0)
    assert table.row_count < len(items) and any(line.startswith("then ") for line in lines)


KINDS = {"policy_gradient": ("mappo", "3m"), "value_decomposition": ("qmix", "3m"), "dop": ("dop", "2m_vs_1z")}
KINDS |= {"competition": ("asae_vs_coma", "predators_2_prey_2")}


def test_an_example_of_every_kind_of_method():
    assert KINDS.keys() == METHODS.keys()
    assert all(PARAMS.method(method).algorithm == kind for kind, (method, _) in KINDS.items())


@pytest.mark.parametrize("profile", ["asae", "tour"])
def test_a_competition_is_put_in_order_and_counts_both_teams_work(profile):
    items = agenda.order(PARAMS, profile, 10.0, Path("/nonexistent"))
    job = next(item.job for item in items if item.job.teams)
    assert status.work(job) == sum(status.work(team) for team in job.teams) > 0
    assert len(items) == len(plan.jobs(PARAMS, profile)) and agenda.told(items, 10.0)[0].row_count == len(items)


def empty_but_for(lab: Lab, done: int, folder: Path) -> Lab:
    """A copy in which the jobs after the first `done` were never run."""
    copy = lab.copy(folder)
    for job in copy.jobs[done:]:
        for place in (job.checkpoints, job.metrics, job.evaluation):
            shutil.rmtree(copy.at(place)) if copy.at(place).is_dir() else copy.at(place).unlink()
    return copy


def test_evidence_is_worked_off_cut_short_and_goes_on(whole, tmp_path):
    lab = empty_but_for(whole, 1, tmp_path / "lab")
    job = lab.jobs[1]
    command = [sys.executable, "-m", "gpae", "evidence", "--profile", PROFILE, "--hours"]
    code, error = lab.run(*command, "1e-9")
    assert code == 0, error
    assert not lab.at(job.metrics).exists()
    # the other seed's time says how long it takes
    (item,) = agenda.order(lab.params, PROFILE, 1.0, lab.folder)
    assert item.job == job and item.hours > 0 and not item.guessed
    assert item.answered == ("table 2: MAPPO on 3m",) or item.answered == ()
    code, error = lab.run(*command, "1")
    assert code == 0, error
    lab.do("aggregate")
    assert lab.bits() == whole.bits()
    assert agenda.order(lab.params, PROFILE, 1.0, lab.folder) == []


def test_results_of_two_machines_come_together(whole, tmp_path):
    mine = empty_but_for(whole, 1, tmp_path / "mine")
    written, both = merge.merge(mine.params, PROFILE, whole.folder, mine.folder)
    job = mine.jobs[1]
    assert written == [mine.at(job.metrics), mine.at(job.evaluation)]
    assert both == [f"the same here: {mine.jobs[0].evaluation}"]
    assert [status.progress(one, mine.folder).state for one in mine.jobs] == ["done", "done"]
    mine.do("aggregate")
    for name in ("scores", "summary", "diagnostics"):
        assert mine.bits()[f"{name}.parquet"] == whole.bits()[f"{name}.parquet"]


def test_damaged_results_of_another_machine_are_not_taken(whole, tmp_path):
    theirs, mine = whole.copy(tmp_path / "theirs"), empty_but_for(whole, 0, tmp_path / "mine")
    path = theirs.at(theirs.jobs[1].evaluation)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ConfigError, match="damaged"):
        merge.merge(mine.params, PROFILE, theirs.folder, mine.folder)
    assert not mine.at(mine.job.metrics).exists()
    with pytest.raises(ConfigError, match="no artifacts/toy in it"):
        merge.merge(mine.params, PROFILE, tmp_path, mine.folder)
