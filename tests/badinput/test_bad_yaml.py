"""YAML that says another thing to a program than to a reader, and texts that a table would take for markup."""

import shutil

import pytest
import yaml
from badinputlab import ROOT, call, files, inside, refused

from gpae import plain_yaml
from gpae.config import ConfigError, Params, check_workflow_profiles
from gpae.results import grid, paper

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def params(tmp_path):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    return Params(tmp_path / "params")


@pytest.mark.parametrize("path", sorted(ROOT.glob("params/**/*.yaml")) + sorted(ROOT.glob("workflow/*/*/config.yaml")))
def test_committed_files_say_the_same_by_either_version(path):
    text = path.read_text(encoding="utf-8")
    assert plain_yaml.load(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("a: 17:04\nb: no\nc: 2024-01-01\nd: 1_000", {"a": "17:04", "b": "no", "c": "2024-01-01", "d": "1_000"}),
        ("[1e-3, 1.0e-3, .5, -7, 0o17, 0xff, 0, 0.0]", [0.001, 0.001, 0.5, -7, 15, 255, 0, 0.0]),
        ("[true, FALSE, null, ~, -.inf, '8', \"01\"]", [True, False, None, None, float("-inf"), "8", "01"]),
        ("on: 1\n8m: 2\n", {"on": 1, "8m": 2}),
        ("a: &x {k: [1]}\nb: *x", {"a": {"k": [1]}, "b": {"k": [1]}}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
    ],
)
def test_plain_scalars_are_those_of_version_1_2(text, data):
    assert plain_yaml.load(text) == data


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is given twice, first in line 1"),
        ("x: {a: 1, 'a': 3}\n", "line 1: the key 'a' is given twice, first in line 1"),
        ("x: &x {a: 1}\ny: {<<: *x, a: 2}\n", "line 2: a merge key is not allowed"),
        ("x: &x {a: 1}\ny: &x {a: 2}\nz: *x", "line 2: &x is given twice"),
        ("x: *y\ny: &y 1\n", r"line 1: \*y: there is no &y above"),
        ("x: &x [*x]\n", r"line 1: \*x stands within itself"),
        ("x: !!str 3\n", "line 1: the tag tag:yaml.org,2002:str is not allowed"),
        ("x: !!python/object/apply:os.system ['true']\n", "line 1: the tag .* is not allowed"),
        ("%YAML 1.1\n---\nx: 1\n", "line 1: a directive is not allowed"),
        ("x: 1\n---\nx: 2\n", "line 2: a second document is not allowed"),
        ("x: 1\ny: 01000\n", "line 2: 01000: a number with a leading zero"),
        ("8: x\n", "line 1: the key 8 is not a text"),
        (LAUGHS, "line [5-9]: more than 100,000 entries"),
    ],
)
def test_what_a_reader_does_not_see_is_refused(text, told):
    with pytest.raises(plain_yaml.Refused, match=told):
        plain_yaml.load(text)


def test_a_block_that_was_copied_and_not_taken_out(params, capsys):
    """Whichever of two equal keys were meant, the other would be dropped without a word."""
    profile = (params.folder / "profiles/smoke.yaml").read_text()
    (params.folder / "profiles/twice.yaml").write_text(profile + "seeds: 5\n")
    first = profile.splitlines().index(next(line for line in profile.splitlines() if line.startswith("seeds:"))) + 1
    before = files(params.folder.parent)
    with inside(params.folder.parent):
        code, error = call(capsys, "plan", "--profile", "twice")
    refused(code, error)
    last = profile.count("\n") + 1
    told = f"params/profiles/twice.yaml: line {last}: the key 'seeds' is given twice, first in line {first}\n"
    assert error == f"gpae: {told}" and files(params.folder.parent) == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jobs: 100\njobs: 3\n", "line 2: the key 'jobs' is given twice"),
        ("default-resources:\n  slurm_extra: no\n", "is read otherwise by YAML 1.1 than by 1.2"),
        ("latency-wait: 17:04\n", "is read otherwise"),
    ],
)
def test_profiles_of_snakemake_are_held_to_the_same(tmp_path, text, told):
    check_workflow_profiles(ROOT / "workflow/profiles")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        check_workflow_profiles(tmp_path)


TEXTS = ["", " ", "a\nb", "a\tb", "a\x00b", "e\u202eé"]
TEXTS += [r"$\frac{$", r"\input{x}", "{", "50$", "<script>", "=cmd", "+1", "@x"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("methods/mappo", "label"),
        ("tasks/3m", "label"),
        ("families/smax", "label"),
        ("experiments/table2", "title"),
        ("profiles/quick", "description"),
    ],
)
def test_texts_that_are_no_plain_line_are_refused_before_any_work(params, capsys, file, key, text):
    path = params.folder / f"{file}.yaml"
    path.write_text(yaml.safe_dump(plain_yaml.load(path.read_text()) | {key: text}))
    with inside(params.folder.parent):
        code, error = call(capsys, "plan", "--profile", "quick")
    refused(code, error)
    assert f"{file}.yaml: {key}: " in error and "is not allowed: " in error


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_the_papers_are_held_to_the_same(params, text):
    path = params.folder / "claims/gpae.csv"
    head, row, *_ = path.read_text().splitlines()
    changed = row.replace("GPAE (off)", f'"{text}"')
    assert changed != row
    path.write_text(f"{head}\n{changed}\n")
    with pytest.raises(ConfigError, match="claims/gpae.csv: "):
        paper.read(params.folder, "gpae")


def test_latex_has_no_command_of_a_text():
    assert grid.tex(r"\input{x} $y$ ~") == r"\textbackslash{}input\{x\} \$y\$ \textasciitilde{}"
