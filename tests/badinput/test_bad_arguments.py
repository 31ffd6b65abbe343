"""Whatever the command line says that cannot be: one line, exit code 2, nothing touched."""

import shutil
from pathlib import Path

import pytest
from badinputlab import ROOT, call, files, inside, refused
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gpae.cli import app, options
from gpae.config import ConfigError, Params

PARAMS = Params(ROOT / "params")
KNOWN = {
    group: {path.stem for path in (ROOT / "params" / group).glob("*.yaml")}
    for group in ("methods", "tasks", "profiles")
}
RIGHT = {"--method": "mappo", "--task": "3m", "--seeds": "0", "--profile": "smoke"}
OPTIONS = {
    "train": ("--method", "--task", "--seeds", "--profile", "--minutes", "--threads"),
    "evaluate": ("--method", "--task", "--seeds", "--profile"),
    "render": ("--method", "--task", "--seeds", "--profile", "--update"),
    "plan": ("--profile", "--experiment", "--hours", "--part"),
    "evidence": ("--profile", "--hours", "--part"),
    "merge": ("--profile", "--from"),
    "audit": ("--profile", "--jobs", "--seed"),
    "check": ("--profile",),
} | {
    step: ("--profile",)
    for step in ("status", "prune", "aggregate", "tables", "plot", "verify", "report", "frames", "rebuild")
}
NEEDED = {
    "render": ("--out", "episode.gif"),
    "evidence": ("--hours", "1e-9"),
    "merge": ("--from", "."),
    "train": ("--minutes", "0"),
}
WORD = st.one_of(
    st.text(min_size=1, max_size=30),
    st.sampled_from(
        ["../smoke", "smoke.yaml", "x" * 4096, "nan", "-1", "0-", "4-0", "0-99999999999", "٣", "1e9", "a\nb"]
    ),
).filter(lambda word: "\x00" not in word and not word.startswith("-"))


def can_be(option: str, word: str) -> bool:
    """Whether a word is right for an option; then it is no bad input."""
    groups = {"--method": "methods", "--task": "tasks", "--profile": "profiles"}
    if option in groups:
        return word in KNOWN[groups[option]]
    if option in ("--seeds", "--update", "--experiment"):
        return word == "last" or word.replace("-", "").isdecimal() or word == "table2"
    try:
        return float(word) >= 0
    except ValueError:
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "params", folder / "params")
    return folder


@st.composite
def wrong(draw):
    """Arguments of which one cannot be."""
    step = draw(st.sampled_from(sorted(OPTIONS)))
    options = OPTIONS[step]
    spoilt = draw(st.sampled_from([*options, "an option that there is not", "a command that there is not"]))
    arguments = [step if spoilt != "a command that there is not" else draw(WORD)]
    if spoilt == "an option that there is not":
        arguments.append("--" + draw(st.text("abcdefghij", min_size=12, max_size=14)))
    for option in options:
        if option == spoilt:
            word = draw(WORD)
            assume(not can_be(option, word))
            arguments += [option, word]
        elif option in RIGHT:
            arguments += [option, RIGHT[option]]
    return arguments + (["--out", "episode.gif"] if step == "render" else [])


def told(folder, capsys, record, arguments):
    before = files(folder)
    with inside(folder):
        refused(*call(capsys, *arguments))
    assert files(folder) == before
    record("bad arguments")


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(arguments=wrong())
def test_mistakes_are_told_in_one_line(folder, capsys, record, arguments):
    told(folder, capsys, record, arguments)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(arguments=wrong())
def test_many_mistakes_are_told_in_one_line(folder, capsys, record, arguments):
    told(folder, capsys, record, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["plot", "--profile", "x" * 300],
        ["frames", "--profile", "../elsewhere"],
        ["train", "--method", "mappo", "--task", "3m", "--seeds", "0-99999999999", "--profile", "smoke"],
        ["train", "--method", "mappo", "--task", "3m", "--seeds", "3000000000", "--profile", "smoke"],
        ["train", "--method", "qmix", "--task", "hopper_3x1", "--seeds", "0"],
        ["train", *"--method mappo --task 3m --seeds 0 --minutes nan --profile smoke".split()],
        ["render", *"--method mappo --task 3m --profile smoke --out film.gif --seed 7".split()],
        ["render", *"--method mappo --task 3m --profile smoke --out film.txt".split()],
        ["render", *"--method mappo --task simple_spread --profile smoke --out film.gif".split()],
        ["evaluate", *"--method mappo --task 3m --seeds 0 --profile smoke".split()],
        ["audit", "--profile", "smoke"],
        ["plan", *"--profile smoke --hours 0".split()],
        ["plan", *"--profile smoke --hours 1 --part 3/2".split()],
        ["plan", *"--profile smoke --hours 1 --experiment table2".split()],
        ["evidence", *"--profile smoke --hours nan".split()],
        ["merge", *"--profile smoke --from elsewhere".split()],
        ["aggregate", "extra"],
    ],
)
def test_what_is_right_by_itself_but_not_together(folder, capsys, record, arguments):
    told(folder, capsys, record, arguments)


@pytest.mark.parametrize("step", ["train", "evaluate", "render"])
@pytest.mark.parametrize("seeds", ["0", "7", "0-2", "1-1"])
def test_seeds_that_no_block_of_the_profile_has(folder, capsys, record, step, seeds):
    """Their results would enter no table, and `gpae prune --yes` would remove them."""
    chosen = ("--method", "mappo", "--task", "3m", "--seeds", seeds, "--profile", "quick")
    told(folder, capsys, record, [step, *chosen, *NEEDED.get(step, ())])
    expected = f"--seeds: '{seeds}' is no block of profile quick; allowed: 0-1. Other seeds are another profile's"
    with inside(folder), pytest.raises(ConfigError, match=expected):
        options.job_named("quick", "mappo", "3m", seeds)


def test_a_job_that_no_experiment_asks_for_is_told_before_it_trains(folder):
    with inside(folder):
        assert options.unplanned(options.job_named("quick", "mappo", "3m", "0-1")) == ""
        said = options.unplanned(options.job_named("quick", "mappo", "8m", "0-1"))
        assert said.startswith("no experiment of profile quick has mappo on 8m: ")
        profile = Path("params/profiles/long.yaml")
        text = Path("params/profiles/quick.yaml").read_text().replace("seeds: 2", "seeds: 20")
        profile.write_text(text.replace("seed_block: 2", "seed_block: 1"))
        with pytest.raises(ConfigError, match="allowed: 0, 1, 2, 3, 4, 5, 6, ..., 19. Other seeds"):
            options.job_named("long", "mappo", "3m", "20")


@pytest.mark.parametrize("step", sorted(OPTIONS))
@pytest.mark.parametrize("way", ["./{}", "{}/../{}", "../{}", "/{}", "{}\n", "{}.yaml", "{};true", "$({})"])
def test_a_name_is_a_name_and_no_path_to_the_same(folder, capsys, record, step, way):
    """Each would be another name for the same files, or a place elsewhere."""
    for option in {"--method", "--task", "--profile"} & set(OPTIONS[step]):
        words = RIGHT | {option: way.format(*[RIGHT[option]] * 2)}
        given = [word for name in OPTIONS[step] if name in words for word in (name, words[name])]
        before = files(folder)
        with inside(folder):
            code, error = call(capsys, step, *given, *NEEDED.get(step, ()))
        refused(code, error)
        assert "is not a name; allowed: lower-case letters, digits and underscores" in error
        assert files(folder) == before
        record("bad arguments")


def test_every_command_is_tried():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names == set(OPTIONS)
