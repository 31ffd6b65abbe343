"""How the artifact is cited: by the schema of CITATION.cff, and everywhere the same."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
ZENODO = json.loads((ROOT / ".zenodo.json").read_text())


def test_the_citation_is_of_its_schema(tmp_path):
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    found = subprocess.run([*check, ROOT / "CITATION.cff"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text((ROOT / "CITATION.cff").read_text().replace("type: software", "type: hardware"))
    assert subprocess.run([*check, wrong], capture_output=True).returncode == 1


def test_version_licence_and_words_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for found in (CITATION, ZENODO):
        assert (found["version"], found["license"]) == (project["version"], project["license"])
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert ZENODO["title"] == CITATION["title"] and ZENODO["keywords"] == CITATION["keywords"]
    assert [author["name"] for author in CITATION["authors"]] == [author["name"] for author in ZENODO["creators"]]


def test_the_papers_are_those_of_the_claims():
    named = {reference["title"] for reference in CITATION["references"]}
    for path in (ROOT / "params/claims").glob("*.csv"):
        title = yaml.safe_load(path.with_suffix(".yaml").read_text())["title"].split(" (")[0]
        assert any(title in name for name in named), title
    identifiers = [about["value"] for reference in CITATION["references"] for about in reference["identifiers"]]
    assert identifiers == [about["identifier"] for about in ZENODO["related_identifiers"]]
