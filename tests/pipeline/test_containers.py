"""Dockerfile and gpae.def against each other, the lock and the Snakefile; and every rule inside the image."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT
from packaging.specifiers import SpecifierSet

from gpae.results import schema

DOCKERFILE, DEFINITION = ((ROOT / "container" / name).read_text() for name in ("Dockerfile", "gpae.def"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMAGE = ROOT / "container/gpae.sif"
BOOKWORM = "3.11"  # its Python


def section(name: str) -> list[str]:
    """The lines of a part of gpae.def."""
    return [line.strip() for line in DEFINITION.split(f"%{name}\n")[1].split("\n%")[0].splitlines() if line.strip()]


def test_both_start_from_one_pinned_debian():
    (base,) = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    name, _, digest = base.partition("@")
    assert re.fullmatch(r"docker\.io/library/debian:bookworm-\d{8}-slim", name)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert f"FROM=debian@{digest}" in section("arguments")
    assert "OSVersion: bookworm" in DEFINITION
    assert BOOKWORM in SpecifierSet(PROJECT["requires-python"])


def test_both_are_filled_by_one_script_from_the_lock():
    assert '/context/container/install.sh "${VARIANT}"' in DOCKERFILE
    assert "/bin/bash /context/container/install.sh {{ VARIANT }}" in section("post")
    script = (ROOT / "container/install.sh").read_text()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert (
        "make setup" in script
        and "uv sync --frozen"
        in subprocess.run(["make", "-n", "setup"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    assert "VARIANT=cpu" in section("arguments") and "\nARG VARIANT=cpu\n" in DOCKERFILE
    assert "cuda12" in PROJECT["optional-dependencies"]


def test_the_image_does_not_run_as_root():
    (user,) = re.findall(r"^USER (\d+):0$", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0 and f"useradd --uid {user} --gid 0 " in DOCKERFILE
    assert DOCKERFILE.index("\nRUN ") < DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nENTRYPOINT ")


def test_what_the_set_up_takes_from_the_network_has_a_known_digest():
    command = ["make", "-n", "-B", ".uv/bin/uv"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--require-hashes" in printed and "--only-binary :all:" in printed
    assert len(set(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", printed))) > 10
    assert re.search(r'hashlib\.sha256\(wheel\)\.hexdigest\(\) == "[0-9a-f]{64}" or sys\.exit', printed)


def test_the_cache_of_dvc_lies_in_the_tree_and_is_closed_to_others():
    """By itself DVC would take /var/tmp/dvc, which everybody may write."""
    (place,) = re.findall(r"^ *site_cache_dir = (.*)$", (ROOT / ".dvc/config").read_text(), re.MULTILINE)
    printed = subprocess.run(["make", "-n", "setup"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"install -d -m 700 {place}" in printed
    assert subprocess.run(["git", "check-ignore", "-q", place], cwd=ROOT).returncode == 0


def test_labels_say_the_same():
    docker = dict(line.split("=", 1) for line in re.findall(r"^LABEL (.*)$", DOCKERFILE, re.MULTILINE))
    apptainer = dict(line.split(" ", 1) for line in section("labels"))
    (revision,) = re.findall(r'echo "(\S+) \$\(git -C /opt/gpae rev-parse HEAD\)" >> "\$APPTAINER_LABELS"', DEFINITION)
    assert docker.pop(revision) == "${COMMIT}" and revision == "org.opencontainers.image.revision"
    assert docker.pop("gpae.variant") == "${VARIANT}" and apptainer.pop("gpae.variant") == "{{ VARIANT }}"
    assert docker == apptainer
    named = {key.rpartition(".")[2]: value for key, value in docker.items()}
    assert named == {"title": PROJECT["name"], "version": PROJECT["version"], "licenses": PROJECT["license"]}


def test_make_builds_what_the_snakefile_takes():
    (path,) = re.findall(r'^container: "(.*?)"', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert Path(path) == IMAGE.relative_to(ROOT)
    for target, command in ((path, "apptainer build "), ("image", "docker build ")):
        printed = subprocess.run(
            ["make", "-n", "-B", target, "VARIANT=cuda12"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert command in printed and "VARIANT=cuda12" in printed
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not IMAGE.exists() or not shutil.which("apptainer"), reason="needs Apptainer and `make container`")
def test_every_rule_runs_in_the_image_and_makes_the_same(pristine, tmp_path):
    inside, outside = (pristine.copy(tmp_path / where) for where in ("inside", "outside"))
    (inside.folder / "container/gpae.sif").symlink_to(IMAGE)
    (inside.folder / ".cache").unlink()  # nothing compiled outside
    outside.run("snakemake", "--cores", "all", "--config", "profile=smoke")
    inside.run("snakemake", "--cores", "all", "--use-singularity", "--config", "profile=smoke")
    for job in inside.jobs("smoke"):
        for path, kind in ((job.metrics, schema.METRICS), (job.evaluation, schema.EVALUATION)):
            (here, about), (there, _) = (schema.read(each.folder / path, kind) for each in (inside, outside))
            pd.testing.assert_frame_equal(here, there, check_exact=True)
