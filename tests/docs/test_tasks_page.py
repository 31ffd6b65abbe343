"""docs/tasks.md against params/: every task has its place, and what is not portable is told alike."""

import re
from pathlib import Path

from gpae import plan
from gpae.config import Params
from gpae.environments.smax import find
from gpae.results.paper import Protocol

ROOT = Path(__file__).parents[2]
PARAMS = Params(ROOT / "params")
PAGE = (ROOT / "docs/tasks.md").read_text()


def sections() -> dict[str, str]:
    _, *parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    return {part.split("\n", 1)[0].lower(): part for part in parts}


def test_every_task_is_told_of_once_under_its_family():
    families = {"predator_prey": "mpe"}
    for path in (ROOT / "params/tasks").glob("*.yaml"):
        family = PARAMS.task(path.stem).family
        firsts = re.findall(rf"^\|?[^|]*`{path.stem}`", sections()[families.get(family, family)], re.MULTILINE)
        assert firsts, path.stem


def test_tasks_of_the_page_exist():
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(told) == len(set(told)) > 30
    assert all((ROOT / "params/tasks" / f"{name}.yaml").exists() for name in told)


def test_what_is_not_portable_has_the_reason_of_the_claims():
    protocol = PARAMS.load(Protocol, "claims", "asae")
    for task, why in protocol.not_portable.items():
        assert f"| {task} | {why} |" in PAGE


def test_analogues_are_what_the_claims_take_for_them():
    said = dict(re.findall(r"^\| (`.*?) \|.*\| (same|analogue) \|$", sections()["mpe"], re.MULTILINE))
    same = {name for row, word in said.items() if word == "same" for name in re.findall(r"`(\w+)`", row)}
    assert same == set(PARAMS.experiment("maca_table5").tasks)
    assert PARAMS.load(Protocol, "claims", "maca").analogues == ("smax",)


def test_macas_table_4_is_what_the_scenarios_have():
    rows = re.findall(r"^\| (\w+) \| ([a-z, ]+) \| ([a-z, ]+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert {task for task, *_ in rows} == set(PARAMS.experiment("maca_table2").tasks) and len(rows) == 11
    for task, papers, here, kind in rows:
        scenario = find(plan.environment(PARAMS, task)["scenario"])
        assert ", ".join(dict.fromkeys(scenario.mix or scenario.allies)) == here and papers.startswith(here)
        assert kind == ("heterogeneous" if "," in here else "homogeneous")
