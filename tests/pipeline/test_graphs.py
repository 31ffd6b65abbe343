"""What Snakemake and DVC would run, against the plan and against each other."""

import shlex
import shutil
from pathlib import Path

import pytest
from checkout import commands, results, training
from dvc.repo import Repo


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_snakemake_runs_exactly_the_plan(pristine, profile):
    found = pristine.dry_run("--config", f"profile={profile}")
    assert found == sorted(training(pristine.jobs(profile)) + results(profile))


def test_snakemake_and_dvc_run_the_same_commands_from_the_same_files(pristine):
    jobs, found = pristine.jobs("quick"), []
    with Repo(str(pristine.folder)) as repo:
        stages = {
            stage.name: (stage.cmd, [Path(str(dep)) for dep in stage.deps], [Path(str(out)) for out in stage.outs])
            for stage in repo.index.stages
        }

    def within(path, places):
        return any(Path(path).is_relative_to(place) for place in places)

    _, needs, _ = stages["results"]
    for name, (command, deps, outs) in stages.items():
        if name.startswith("train@"):
            command, pruning = command
            assert pruning == f"gpae prune --method {name.removeprefix('train@')} --yes"
        assert "quick" not in command  # a profile's name is checked before a shell sees it
        run = commands(pristine.run(*shlex.split(command.replace("--cores all", "--cores all -n -p"))))
        found += run
        made = [job for job in jobs if within(job.checkpoints, outs)]
        if name.startswith("train@"):
            assert run == training(made)
        for job in made:
            assert within(job.metrics, outs) and within(job.evaluation, outs) and within(job.evaluation, needs)
            read = {
                "methods": job.method_name,
                "tasks": job.task_name,
                "families": job.task.family,
                "profiles": job.profile,
            }
            for group, name_there in read.items():
                assert within(f"params/{group}/{name_there}.yaml", deps)
    assert sorted(set(found)) == pristine.dry_run()  # what the frames are drawn from is trained before


def test_a_mistake_stops_snakemake_before_any_work(fresh):
    fresh.edit("params/methods/mappo.yaml", "replay_windows: 1", "replay_windows: 0")
    output = fresh.run("snakemake", "--cores", "all", status=1)
    message = "gpae: params/methods/mappo.yaml: replay_windows: 0 is not allowed: input should be greater than or equal"
    assert sum(message in line for line in output.splitlines()) == 1
    assert not (fresh.folder / "artifacts" / "quick").exists() and not (fresh.folder / "logs").exists()


@pytest.mark.parametrize("mistake", ["profle=paper", "profile=papr", "method=qmix"])
def test_a_mistaken_choice_is_refused(pristine, mistake):
    output = pristine.run("snakemake", "-n", "--config", mistake, status=1)
    key, value = mistake.split("=")
    assert "gpae: " in output and (key if key == "profle" else value) in output


@pytest.mark.parametrize("name", ["smoke;touch pwned", "$(touch pwned)", "../smoke", "./smoke", "a b"])
def test_a_profile_is_a_name_before_a_shell_sees_it(fresh, name):
    """As a file's name, in params/default.yaml, and as an option, through snakemake and through make."""
    if "/" not in name:
        shutil.copy(fresh.folder / "params/profiles/smoke.yaml", fresh.folder / f"params/profiles/{name}.yaml")
    told = "is not a name; allowed: lower-case letters, digits and underscores"
    before = sorted(fresh.folder.iterdir())
    make = ("make", "--assume-old=setup", "verify", "RUN=")
    assert told in fresh.run("snakemake", "--cores", "1", "--config", f"profile={name}", status=1)
    assert told in fresh.run(*make, f"PROFILE={name.replace('$', '$$')}", status=2)
    (fresh.folder / "params/default.yaml").write_text(f"profile: {name}\n")
    for command, status in ((("snakemake", "--cores", "1"), 1), (make, 2)):
        output = fresh.run(*command, status=status)
        assert told in output or "should match pattern" in output
    assert set(fresh.folder.iterdir()) - set(before) <= {fresh.folder / ".snakemake"}


def test_lint_finds_nothing(pristine):
    pristine.run("snakemake", "--lint")
