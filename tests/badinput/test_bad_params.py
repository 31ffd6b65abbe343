"""Whatever stands in params/: it is taken, or refused in one line that names the file; nothing else is touched."""

import shutil

import pytest
import yaml
from badinputlab import JUNK, ROOT, call, files, inside, refused
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpae.config import ConfigError, Params
from gpae.results import paper
from gpae.results.claims import sentences

# what a plan of the profile `quick` reads
READ = (
    "default.yaml",
    "profiles/quick.yaml",
    "experiments/table2.yaml",
    "methods/mappo.yaml",
    "methods/gpae_off.yaml",
    "tasks/3m.yaml",
    "tasks/hopper_3x1.yaml",
    "families/smax.yaml",
    "families/mabrax.yaml",
)
CLAIMS = ("claims/gpae.csv", "claims/gpae.yaml", "claims/gpae-text.yaml", "experiments/table2.yaml")
SOON = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
NIGHTLY = settings(max_examples=3000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "params", folder / "params")
    return folder


def places(data, at=()):
    """Where something stands in a file's data."""
    yield at
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from places(value, (*at, key))


@st.composite
def another_value(draw, names=READ):
    """(file, its text with another value in one place, a key less or a key more)."""
    name = draw(st.sampled_from([name for name in names if name.endswith(".yaml")]))
    data = yaml.safe_load((ROOT / "params" / name).read_text())
    *way, last = draw(st.sampled_from([place for place in places(data) if place]))
    inner = data
    for key in way:
        inner = inner[key]
    how = draw(st.sampled_from(["value", "value", "less", "more"]))
    if how == "value":
        inner[last] = draw(JUNK)
    elif how == "less":
        del inner[last]
    elif isinstance(inner, dict):
        inner[draw(st.text(max_size=8))] = draw(JUNK)
    else:
        inner.append(draw(JUNK))
    return name, yaml.safe_dump(data, allow_unicode=True).encode(errors="surrogatepass")


@st.composite
def other_bytes(draw, names=READ):
    """(file, its bytes with some of them replaced)."""
    name = draw(st.sampled_from(names))
    content = (ROOT / "params" / name).read_bytes()
    at = draw(st.integers(0, len(content)))
    until = draw(st.sampled_from([at, at + 1, at + 10, len(content)]))
    put = draw(st.one_of(st.binary(max_size=6), st.text(max_size=6).map(lambda text: text.encode(errors="replace"))))
    return name, content[:at] + put + content[until:]


def planned(folder, capsys, record, name, content):
    whole = (folder / "params" / name).read_bytes()
    (folder / "params" / name).write_bytes(content)
    before = files(folder)
    try:
        with inside(folder):
            code, error = call(capsys, "plan")
        if code:
            refused(code, error)
            assert error.startswith("gpae: params/"), error
            record("bad params/")
        assert files(folder) == before
    finally:
        (folder / "params" / name).write_bytes(whole)


EMPTY = ("default.yaml", b"{}\n")
LISTED = ("methods/mappo.yaml", b"algorithm: []\n")
DATED = ("profiles/quick.yaml", b"total_steps: 2024-13-45\n")
DEEP = ("profiles/quick.yaml", b"[" * 3000)
CIRCLE = ("profiles/quick.yaml", b"overrides: &a {smax: *a}\n")
OBJECT = ("profiles/quick.yaml", b"description: !!python/object/apply:os.system ['true']\n")


@SOON
@given(changed=st.one_of(another_value(), other_bytes()))
@example(changed=EMPTY)
@example(changed=LISTED)
@example(changed=DATED)
@example(changed=DEEP)
@example(changed=CIRCLE)
@example(changed=OBJECT)
def test_mistakes_are_told_in_one_line(folder, capsys, record, changed):
    planned(folder, capsys, record, *changed)


@pytest.mark.slow
@NIGHTLY
@given(changed=st.one_of(another_value(), other_bytes()))
def test_many_mistakes_are_told_in_one_line(folder, capsys, record, changed):
    planned(folder, capsys, record, *changed)


def claims(folder, record, name, content):
    whole = (folder / "params" / name).read_bytes()
    (folder / "params" / name).write_bytes(content)
    params = Params(folder / "params")
    try:
        paper.of_experiment(params, "table2")
        sentences.read(params, "gpae")
    except ConfigError as error:
        assert str(error).startswith(str(folder / "params")), error
        record("bad params/")
    finally:
        (folder / "params" / name).write_bytes(whole)


@SOON
@given(changed=st.one_of(another_value(CLAIMS), other_bytes(CLAIMS)))
def test_mistakes_in_claims_are_told(folder, record, changed):
    claims(folder, record, *changed)


@pytest.mark.slow
@NIGHTLY
@given(changed=st.one_of(another_value(CLAIMS), other_bytes(CLAIMS)))
def test_many_mistakes_in_claims_are_told(folder, record, changed):
    claims(folder, record, *changed)


def test_without_params(tmp_path, capsys):
    with inside(tmp_path):
        refused(*call(capsys, "plan"))
    assert list(tmp_path.iterdir()) == []
