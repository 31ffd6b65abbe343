"""What the pages say against what is there: methods, links, commands."""

import re
from pathlib import Path

import pytest

from gpae import plan
from gpae.cli import app
from gpae.config import Params

ROOT = Path(__file__).parents[2]
PARAMS = Params(ROOT / "params")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TRACES = {"dt": "DT-ISR", "st": "ST-ISR", "it": "IT-ISR", "none": "lambda", "uncut": "own ratio"}


def rows() -> dict[str, list[str]]:
    """The table of docs/methods.md by the file's name: the other cells."""
    lines = [line for line in (ROOT / "docs/methods.md").read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): others for name, *others in cells}


def test_every_method_has_a_row():
    assert set(rows()) == {path.stem for path in (ROOT / "params/methods").glob("*.yaml")}


def test_rows_say_what_is_in_the_files():
    for name, (label, _, function, _, trace, _) in rows().items():
        method = PARAMS.method(name)
        assert label == method.label
        assert (ROOT / "src/gpae" / re.findall(r"`([\w/]+\.py)`", function)[0]).is_file()
        if method.algorithm == "policy_gradient":
            assert TRACES[method.trace] in trace


def test_rows_say_where_the_paper_has_a_method():
    def numbers(text: str, kind: str) -> set[str]:
        found = re.search(rf"{kind}s? ([\d, ]+)", text)
        return set(re.findall(r"\d+", found[1])) if found else set()

    for name, cells in rows().items():
        for kind in ("table", "figure"):
            files = {path.stem for path in (ROOT / "params/experiments").glob(f"{kind}*.yaml")}
            there = {file.removeprefix(kind) for file in files if name in PARAMS.experiment(file).methods}
            assert numbers(cells[-1], kind.capitalize()) == there, f"{name}: {kind}s"


def anchors(page: Path) -> set[str]:
    """GitHub's names of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        # what a run makes is there after it
        assert there.exists() or "artifacts" in there.parts, target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist(page):
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    text = page.read_text()
    assert set(re.findall(r"^ *uv run gpae (\w+)", text, re.MULTILINE)) <= known
    assert set(re.findall(r"`(?:uv run )?gpae (\w+)", text)) <= known
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^ *make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_the_readme_counts_the_papers_jobs():
    jobs = plan.jobs(PARAMS, "paper")
    (steps,) = {job.total_steps * len(job.seeds) for job in jobs}
    assert f"{len(jobs)} jobs of {steps // 10**6}M environment steps" in (ROOT / "README.md").read_text()
