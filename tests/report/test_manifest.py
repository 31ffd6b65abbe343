"""The manifest of a profile's results: every file that it names is there with its hash, and every file is named."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from gpae.results.report.crate import NAME

ROOT = Path(__file__).parents[2]
PROFILES = ("quick", "tour")


def entities(folder: Path) -> dict[str, dict]:
    return {entity["@id"]: entity for entity in json.loads((folder / NAME).read_text())["@graph"]}


def differences(folder: Path) -> list[str]:
    """The files that are not as the manifest says."""
    found = []
    for name, about in entities(folder).items():
        if about["@type"] == "File":
            content = (folder / name).read_bytes() if (folder / name).is_file() else b""
            if (hashlib.sha256(content).hexdigest(), str(len(content))) != (about["sha256"], about["contentSize"]):
                found.append(name)
    return found


def kept(folder: Path) -> set[str]:
    """The files that git keeps of a folder."""
    command = ["git", "-C", str(folder), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return {name for name in listed.split("\0") if name and (folder / name).exists()}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_file_is_named_with_its_hash(profile):
    folder = ROOT / "artifacts" / profile
    assert differences(folder) == []
    named = {name for name, about in entities(folder).items() if about["@type"] == "File"}
    assert kept(folder) <= named | {NAME}


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_a_crate_whose_actions_say_what_made_the_results(profile):
    folder = ROOT / "artifacts" / profile
    crate = ROCrate(folder)
    assert crate.license.id == "https://spdx.org/licenses/Apache-2.0" and "T" in crate.root_dataset["datePublished"]
    actions = crate.root_dataset["mentions"]
    made = {result.id for action in actions for result in action["result"]}
    assert made == {part.id for part in crate.data_entities if part.id.split("/")[0] in ("evaluations", "metrics")}
    for action in actions:
        assert action["name"].startswith(("gpae train ", "gpae evaluate ")) and action["instrument"]["softwareVersion"]
        assert {value["name"] for value in action["object"]} >= {"parameters", "machine", "threads", "wall seconds"}
