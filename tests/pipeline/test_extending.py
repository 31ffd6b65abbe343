"""docs/extending.md as a reader follows it: its blocks, in order, in a copy of the repository, with real training."""

import re
import subprocess

from checkout import ROOT, Tree

from gpae.results import schema

PAGE = (ROOT / "docs/extending.md").read_text()
BLOCK = re.compile(r"(?:^`(?P<path>\S+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(tree: Tree) -> list[str]:
    """Does what every block says; what the commands printed."""
    printed = []
    for block in BLOCK.finditer(PAGE):
        path, kind, text = block["path"], block["kind"], block["text"]
        if kind == "diff":
            subprocess.run(["git", "apply"], input=text, cwd=tree.folder, text=True, check=True)
        elif kind == "bash":
            printed.append(tree.run("bash", "-e", "-c", text.replace("uv run ", "")))
        else:
            assert path and not (tree.folder / path).exists(), text
            (tree.folder / path).write_text(text)
    return printed


def test_the_page_works_as_it_stands(fresh):
    # this repository is installed in place: its source would be imported, and not the copy's
    fresh.environment["PYTHONPATH"] = str(fresh.folder / "src")
    tested, trained = follow(fresh)
    assert "passed" in tested and "All checks passed" in tested
    (metrics,) = fresh.folder.glob("artifacts/first_look/metrics/monte_carlo/2m_vs_1z_random/seeds-0-1-*.parquet")
    rows, _ = schema.read(metrics, schema.METRICS)
    assert len(rows) == 2 * 8 and (rows["advantage_spread_between_agents"] > 0).all()
    lines = [line for line in trained.splitlines() if line.startswith("| ")]
    here = next(line for line in lines if line.startswith("| Monte Carlo |"))
    assert re.search(r"\| 1,024 \| here \| \d+(\.\d+)? ± \d+(\.\d+)? .*2 seeds", here)
    assert any(line.startswith("| GPAE (on) |") and "—" in line for line in lines)
    assert "not in this profile" in trained
