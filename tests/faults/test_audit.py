"""`gpae audit` on real results: the same bits, a result that was tampered with, and the test for other machines."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from faultlab import PROFILE, _like

from gpae import audit
from gpae.plan import NOISE
from gpae.results import provenance, schema
from gpae.training import checkpoint


def audit_of(lab, jobs: int) -> tuple[int, pd.DataFrame]:
    """Exit code and table of the command, which changes nothing else."""
    before = lab.finished()
    command = [sys.executable, "-m", "gpae", "audit", "--profile", PROFILE, "--jobs", str(jobs), "--write"]
    code, error = lab.run(*command)
    assert lab.finished() == before, error
    found = pd.read_csv(lab.at(f"artifacts/{PROFILE}/audit.csv"), keep_default_na=False)
    return code, found.set_index("seeds").sort_index()


@pytest.mark.slow
def test_one_bit_that_is_not_the_trainings_is_found(whole, tmp_path):
    lab = whole.copy(tmp_path / "lab")
    for job in lab.jobs:
        rows, about = schema.read(lab.at(job.evaluation), schema.EVALUATION)
        rows.loc[7, "return"] = np.nextafter(rows.loc[7, "return"], 9)
        schema.write(rows, lab.at(job.evaluation), schema.EVALUATION, about)
    code, found = audit_of(lab, 1)
    assert code == 1 and found["verdict"].tolist() == ["other bits"]
    assert found["differs"].iloc[0].startswith("evaluations: return, row 7: ")  # and the metrics are the same
    assert "cores 1" in found["made on"].iloc[0] and found["made on"].iloc[0] == found["made again on"].iloc[0]


@pytest.mark.slow
def test_true_results_have_the_same_bits(whole, tmp_path):
    code, found = audit_of(whole.copy(tmp_path / "lab"), 9)
    assert code == 0 and found["verdict"].tolist() == ["same bits"] * 2 and found["differs"].tolist() == [""] * 2


def test_nothing_to_audit_is_told(lab):
    code, error = lab.run(sys.executable, "-m", "gpae", "audit", "--profile", PROFILE)
    assert code == 2 and error == (
        f"gpae: artifacts/{PROFILE}: nothing is finished; make it with: gpae train and gpae evaluate\n"
    )


def audited(whole, apart, **changes) -> audit.Audit:
    _, about = schema.read(whole.at(whole.job.evaluation), schema.EVALUATION)
    shape = provenance.shape(about)
    difference = "metrics: entropy, row 0: 1 then, 2 now"
    one = audit.Audit(whole.job, shape, shape, "abc", "", False, difference, np.asarray(apart))
    return replace(one, **changes)


def test_other_bits_stand_on_another_shape_or_by_other_code_alone(whole):
    here = audited(whole, [0.0, 0.1, 0.2, -0.1, 0.05, -0.2])
    assert here.verdict == "other bits" and audit.told([here])[1] == audit.REFUSED
    there, then = replace(here, other_shape="cores 2, not 1"), replace(here, other_code=True)
    assert (there.verdict, then.verdict) == ("other shape", "other code")
    for one in (there, then):
        assert audit.told([one])[1] == audit.STANDS and "p = 1 that" in audit.told([one])[2][-1]
    assert replace(then, differs="").verdict == "same bits"


def test_the_code_that_computes_has_a_digest(whole, tmp_path, monkeypatch):
    _, about = schema.read(whole.at(whole.job.evaluation), schema.EVALUATION)
    assert about["code"] == about["training"]["code"] == provenance.code() != ""
    package = tmp_path / "gpae"
    shutil.copytree(Path(provenance.__file__).parents[1], package)
    monkeypatch.setattr(provenance, "__file__", str(package / "results" / "provenance.py"))
    assert provenance.code() == about["code"]
    (package / "results" / "tables.py").write_text("")  # computes no training
    assert provenance.code() == about["code"]
    for file in package.rglob("*"):  # a checkout with the line ends of another system
        if file.suffix in (".py", ".yaml"):
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert provenance.code() == about["code"]
    seen = {provenance.code()}
    for decides in ("networks/gru.py", "config.py", "plan.py", "runtime.py"):
        (package / decides).write_text("")
        seen.add(provenance.code())
    assert len(seen) == 5


def test_scores_that_are_all_lower_are_refused(whole):
    lower = [audited(whole, [-3.0, -2.0, -4.0], other_shape="device A, not B") for _ in range(4)]
    _, outcome, lines = audit.told(lower)
    assert outcome == audit.REFUSED and "4 jobs, 12 seeds by other code or on another shape: p = 0.00" in lines[-1]


def test_too_few_seeds_decide_nothing(whole):
    """One seed a job can never be refused, nor five in one job: 2^(jobs - seeds) is 1, and 1/16."""
    forged = [audited(whole, [90.0], other_code=True) for _ in range(9)]
    five = [audited(whole, [90.0] * 5, other_shape="device A, not B")]
    for audits, least in ((forged, "1"), (five, "0.0625")):
        _, outcome, lines = audit.told(audits)
        assert outcome == audit.UNDECIDED == 3 and f"cannot decide: so few could not give p below {least}," in lines[-1]
    six = [audited(whole, [90.0] * 6, other_code=True)]
    assert audit.least_p([six[0].apart]) == audit.exchangeable([six[0].apart]) == 1 / 32
    assert audit.told(six)[1] == audit.REFUSED
    assert audit.told([*forged, audited(whole, [0.0])])[1] == audit.REFUSED  # other bits by the same code


def test_an_evaluation_that_hides_its_code_is_not_audited(whole, tmp_path):
    """Forged to be always won, as its returns say, without the digest of the code that made it."""
    lab = whole.copy(tmp_path / "lab")
    for job in lab.jobs:
        rows, about = schema.read(lab.at(job.evaluation), schema.EVALUATION)
        rows = rows.assign(won=True, **{"return": 2.0})
        del about["code"]
        schema.write(rows, lab.at(job.evaluation), schema.EVALUATION, about)
    code, error = lab.run(sys.executable, "-m", "gpae", "audit", "--profile", PROFILE, "--jobs", "2")
    assert code == 2 and error.endswith("metadata code: missing; allowed: the digest of the code\n")


def test_every_number_that_is_printed_is_compared(whole, tmp_path):
    lab, job = whole.copy(tmp_path / "lab"), whole.job
    assert audit.difference(job, lab.folder, whole.folder) == ""
    for place, kind, noise in ((lab, schema.EVALUATION, 0.25), (whole.copy(tmp_path / "now"), schema.EVALUATION, 0.5)):
        rows, about = schema.read(place.at(job.evaluation), kind)
        schema.write(rows, place.at(job.evaluation), kind, about | {NOISE: [[noise]] * 5})
    told = audit.difference(job, lab.folder, tmp_path / "now")
    assert told.startswith("evaluations: gradient_noise: [[0.25], ") and told.endswith("[0.5]] now")


def test_every_checkpoint_is_compared(whole, tmp_path):
    """Arrays that were exchanged, with their digest; arrays that are not there, by the digest that the metrics keep."""
    lab, job = whole.copy(tmp_path / "lab"), whole.job
    update = job.evaluation_updates[2]
    path = lab.at(job.checkpoints) / str(update)
    tree = checkpoint.restore(path, job, _like(job))
    checkpoint.save(path, job, jax.tree.map(lambda leaf: leaf + (leaf.size > 3), tree))
    assert audit.difference(job, lab.folder, whole.folder) == f"checkpoints: {update}: its arrays"
    shutil.rmtree(lab.at(job.checkpoints))
    assert audit.difference(job, lab.folder, whole.folder) == ""
    rows, about = schema.read(lab.at(job.metrics), schema.METRICS)
    about["checkpoints"][str(update)] = "0" * 64
    schema.write(rows, lab.at(job.metrics), schema.METRICS, about)
    assert audit.difference(job, lab.folder, whole.folder) == f"checkpoints: {update}: its arrays"


@pytest.mark.slow
def test_programs_exchanged_in_the_cache_are_found(whole, tmp_path):
    """A cache in which the programs are those of another discount makes other results, and audits them as its own."""
    lab = whole.copy(tmp_path / "lab")
    lab.at(".cache").unlink()
    job, cache = lab.job, lab.at(".cache/jax")

    def trained() -> dict[str, Path]:
        """The programs that a training adds to the cache, by name."""
        before = set(cache.glob("*-cache"))
        for place in (lab.job.checkpoints, lab.job.metrics, lab.job.evaluation):
            path = lab.at(place)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        lab.do("train")
        return {path.name.split("-")[0]: path for path in set(cache.glob("*-cache")) - before}

    right = trained()
    profile = lab.at(f"params/profiles/{PROFILE}.yaml")
    text = profile.read_text()
    profile.write_text(text.replace("epochs: 2", "epochs: 2\n        gamma: 0.5"))
    other = trained()
    profile.write_text(text)
    exchanged = [name for name in other if name in right]
    for name in exchanged:
        shutil.copy(other[name], right[name])
    assert exchanged and trained() == {}
    assert not schema.read(lab.at(job.metrics), schema.METRICS)[0].equals(
        schema.read(whole.at(job.metrics), schema.METRICS)[0]
    )
    lab.do("evaluate")
    lab.at(lab.jobs[1].metrics).unlink()
    code, found = audit_of(lab, 1)
    assert code == audit.REFUSED and found["verdict"].tolist() == ["other bits"]


def test_the_test_refuses_no_more_than_its_level():
    rng = np.random.default_rng(0)
    p = [audit.exchangeable([rng.normal(size=3), 9 * rng.normal(size=3)]) for _ in range(600)]
    assert np.mean(np.array(p) <= 0.05) < 0.08 and np.mean(p) > 0.4
    assert audit.exchangeable([np.zeros(3)]) == 1.0 and audit.exchangeable([np.array([0.7])]) == 1.0


def test_a_shape_says_what_differs():
    system = "Linux-6.1-x86_64-with-glibc2.36"
    one = {"platform": "cpu", "processor": "A", "system": system, "cores": 1, "instructions": "6.1 avx2"}
    one |= {"blas": "OpenBLAS 0.3 Haswell", "settings": {"NPROC": "1"}, "options": {"jax_remat": "True"}}
    one |= {"versions": dict.fromkeys(provenance.PACKAGES, "1")}
    shape = provenance.shape(one)
    assert shape.differs(provenance.shape(one)) == ""

    def differs(**changes):
        return shape.differs(provenance.shape(one | changes))

    assert differs(processor="B") == "device A, not B"
    assert differs(system=system.replace("6.1", "6.2")) == ""  # the kernel counts not
    assert differs(system=system.replace("36", "43")) == "library glibc2.36, not glibc2.43"
    assert differs(instructions="6.1 avx2 avx512f") == "instructions 6.1 avx2, not 6.1 avx2 avx512f"
    assert differs(blas="OpenBLAS 0.3 SkylakeX") == "blas OpenBLAS 0.3 Haswell, not OpenBLAS 0.3 SkylakeX"
    assert differs(settings={"NPROC": "2"}) == "NPROC 1, not 2"
    assert differs(settings={"NPROC": "1", "OPENBLAS_CORETYPE": "Zen"}) == "OPENBLAS_CORETYPE absent, not Zen"
    assert differs(options={"jax_remat": "True", "jax_enable_x64": "True"}) == "jax_enable_x64 absent, not True"
    assert differs(versions=one["versions"] | {"jax": "2"}) == "jax 1, not 2"
    assert differs(versions=one["versions"] | {"evosax": "2"}) == "evosax 1, not 2"
    assert differs(versions=one["versions"] | {"rich": "2"}) == ""
    for lacking in ("instructions", "blas", "settings", "options"):  # a file from before it was recorded
        old = provenance.shape({name: value for name, value in one.items() if name != lacking})
        assert "unknown, not unknown" in old.differs(old) and shape.differs(old)
    there = one | {"platform": "gpu", "device": "H200"}  # the processor beside an accelerator computes nothing
    assert provenance.shape(there).differs(provenance.shape(there | {"instructions": "6.2", "blas": ""})) == ""
    assert provenance.shape({}).differs(provenance.shape({})) == "platform unknown, not unknown"
    here = provenance.shape(provenance.machine() | {"cores": 1})
    assert here.differs(here) == "" and "threads 1" in here.blas and here.library
