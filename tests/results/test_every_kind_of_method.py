"""Every kind of method goes through every command that trains nothing; tests/training trains one of each."""

import sys
from pathlib import Path

import pytest

from gpae import cli, runtime
from gpae.config import METHODS

CHOSEN = {
    "asae_figure10": {"tasks": ["2m_vs_1z"], "methods": ["asae_mappo", "dop"]},
    "table2": {"tasks": ["3m"], "methods": ["mappo", "qmix"]},
    "asae_figure8": {"tasks": ["predators_2_prey_2"], "methods": ["asae_vs_coma"]},
}
OTHERS = {"train", "evaluate", "audit", "render", "frames", "rebuild"}  # need a training, or snakemake
COMMANDS = (
    ("plan",),
    ("plan", "--hours", "10"),
    ("status",),
    ("prune",),
    ("evidence", "--hours", "1e-9"),
    ("aggregate",),
    ("tables",),
    ("plot",),
    ("verify",),
    ("report",),
    ("check",),
    ("merge", "--from", "other"),
)


def test_commands_are_all_of_them():
    names = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    assert names == OTHERS | {command[0] for command in COMMANDS}


def test_every_kind_goes_through_every_command_where_nothing_is_trained(study, monkeypatch):
    study.profile("tiny", [], [], experiments=CHOSEN)
    monkeypatch.setattr(runtime, "prepare", lambda cores: None)  # it would start this process anew
    jobs = study.jobs("tiny")
    assert {job.method.algorithm for job in jobs} == set(METHODS)
    (study.root / "other/artifacts/tiny").mkdir(parents=True, exist_ok=True)
    (study.root / "artifacts/tiny").mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(study.root)
    for command in COMMANDS:
        monkeypatch.setattr(sys, "argv", ["gpae", *command, "--profile", "tiny"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code, command
    assert Path("artifacts/tiny/report/index.html").exists()
