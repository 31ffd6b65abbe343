"""What Snakemake and DVC would run, against the plan and against each other."""

import shlex
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


@pytest.mark.parametrize("mistake", ["profle=paper", "profile=papr"])
def test_a_mistaken_choice_is_refused(pristine, mistake):
    output = pristine.run("snakemake", "-n", "--config", mistake, status=1)
    key, value = mistake.split("=")
    assert "gpae: " in output and (value if key == "profile" else key) in output


def test_lint_finds_nothing(pristine):
    pristine.run("snakemake", "--lint")
