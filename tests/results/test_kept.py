"""Results beside what git or the manifest keeps: what differs is named, whatever the index says and without git."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpae.faults import Fault
from gpae.plan import FORMAT
from gpae.results import kept

FOLDER = Path("artifacts", "p")
FILES = {"scores.parquet": b"1", "tables/a.csv": b"2\n", "audit.csv": b"3\n", "evaluations/m/3m/seeds-0.parquet": b"4"}


def git(root, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture(params=["git", "manifest"])
def results(request, tmp_path):
    """A checkout, or a tarball of it."""
    for name, content in FILES.items():
        path = tmp_path / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    graph = [{"@id": name, "sha256": hashlib.sha256(content).hexdigest()} for name, content in FILES.items()]
    (tmp_path / FOLDER / kept.MANIFEST).write_text(json.dumps({"@graph": [{"@id": "./"}, *graph]}))
    if request.param == "git":
        git(tmp_path, "init")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-m", "results")
    return tmp_path


def test_the_same_bytes_are_told_by_what_keeps_them(results):
    before = kept.kept("p", results)
    same, lines = kept.compare(before, "p", results)
    assert same and lines[-1].startswith("All 5 files of artifacts/p have the bytes of ")
    assert before.source.startswith("commit " if (results / ".git").exists() else "the manifest")
    assert lines[0].endswith("Taken as they are: audit.csv, evaluations.")


def test_what_differs_is_named_also_where_it_was_staged(results):
    before = kept.kept("p", results)
    (results / FOLDER / "scores.parquet").write_bytes(b"other")
    (results / FOLDER / "evaluations/m/3m/seeds-0.parquet").write_bytes(b"forged")
    (results / FOLDER / "tables/a.csv").rename(results / FOLDER / "tables/b.csv")
    (results / FOLDER / ".scores.parquet.123").write_bytes(b"left by a kill")
    if (results / ".git").exists():
        git(results, "add", "-A")
        assert kept.kept("p", results) == before
    same, lines = kept.compare(before, "p", results)
    assert not same and lines[1:] == [
        "evaluations/m/3m/seeds-0.parquet: other bytes, and not rebuilt",
        "scores.parquet: other bytes",
        "tables/a.csv: missing",
        "tables/b.csv: not kept",
        f"4 files of artifacts/p are not those of {before.source}.",
    ]


def test_a_repository_that_git_refuses_and_a_system_without_git_are_compared_by_the_manifest(results, monkeypatch):
    shutil.rmtree(results / ".git", ignore_errors=True)
    (results / ".git").write_text("gitdir: /nowhere\n")
    assert kept.kept("p", results).source.startswith("the manifest")
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    assert kept.compare(kept.kept("p", results), "p", results)[0]
    (results / FOLDER / kept.MANIFEST).write_text("{")
    with pytest.raises(Fault, match="damaged"):
        kept.kept("p", results)
    (results / FOLDER / kept.MANIFEST).unlink()
    assert kept.kept("p", results) is None and kept.compare(None, "p", results)[0]


def test_results_of_an_older_format_are_told_with_their_commit(tmp_path):
    kept.refuse_another_format("p", tmp_path)
    for i, about in enumerate(({"format": FORMAT}, {"format": FORMAT - 1, "git_commit": "abc"}, {"git_commit": "abc"})):
        path = tmp_path / FOLDER / f"evaluations/m/3m/seeds-{i}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [1]}).replace_schema_metadata({"gpae": json.dumps(about)}), path)
        if i == 0:
            kept.refuse_another_format("p", tmp_path)
    with pytest.raises(Fault, match=f"2 of 3 evaluations are of format {FORMAT - 1}, by commit abc, and today's code"):
        kept.refuse_another_format("p", tmp_path)
