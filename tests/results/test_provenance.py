"""Where a result came from is found out, and said to be unknown where it cannot be."""

import json
import subprocess
import sys
from pathlib import Path

from gpae import plan
from gpae.config import Params
from gpae.results import provenance

PARAMS = Params(Path(__file__).parents[2] / "params")


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_commit_and_whether_code_or_parameters_differ_from_it(tmp_path):
    source = tmp_path / "src" / "code.py"
    source.parent.mkdir()
    source.write_text("1\n")
    assert provenance.commit(source) == ("unknown", None)
    git(tmp_path, "init")
    assert provenance.commit(source) == ("unknown", None)
    git(tmp_path, "add", "src")
    git(tmp_path, "commit", "-m", "first")
    revision, dirty = provenance.commit(source)
    assert len(revision) == 40 and dirty is False
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "result.parquet").write_text("new")
    assert provenance.commit(source) == (revision, False)
    source.write_text("2\n")
    assert provenance.commit(source) == (revision, True)


def test_a_jobs_provenance_is_plain_json():
    job = plan.jobs(PARAMS, "smoke")[0]
    found = provenance.collect(job, 1.234, training={"wall_seconds": 9.0})
    assert json.loads(json.dumps(found)) == found
    assert found["evaluation_hash"] == job.evaluation_hash and found["training_hash"] == job.training_hash
    assert found["cores"] == job.cores and found["wall_seconds"] == 1.2 and found["training"]["wall_seconds"] == 9.0
    assert (
        found["platform"] == "cpu" and found["versions"]["jax"][0].isdigit() and found["versions"]["jaxmarl"] == "0.1.0"
    )


def test_peak_memory_is_this_process_own_and_not_that_of_the_one_that_started_it():
    own = "from gpae.results.provenance import peak_memory; print(peak_memory())"
    large = f"import subprocess, sys; x = b'x' * 2**31; subprocess.run([sys.executable, '-c', {own!r}], check=True)"
    told = subprocess.run([sys.executable, "-c", large], capture_output=True, text=True, check=True).stdout
    assert 10**8 < int(told) < 2**30
