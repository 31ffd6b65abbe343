"""From a checkpoint to a film, through the command line, and to Figure 3."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageSequence

from gpae import plan
from gpae.cli import steps
from gpae.config import ConfigError, Params
from gpae.rendering import attention, mabrax, movie
from gpae.rendering.frames import build_frames
from gpae.rendering.render import record, render, scene
from gpae.results.figures.style import SETTINGS

ROOT = Path(__file__).parents[2]
PARAMS = Params(ROOT / "params")
COMMAND = [sys.executable, "-m", "gpae", "render", "--profile", "smoke", "--method", "gpae_off", "--task", "3m"]


def test_a_film_has_a_frame_for_every_state(source, recording, folder):
    shown = subprocess.run([*COMMAND, "--out", "film.gif"], cwd=folder, capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stdout == "film.gif\n", shown.stderr
    film = Image.open(folder / "film.gif")
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    assert len(frames) == recording.steps + 1
    assert all((one != other).any() for one, other in zip(frames, frames[1:], strict=False))


def test_a_film_has_the_same_bytes_again(source, recording):
    with matplotlib.rc_context(SETTINGS):
        stages = [movie.Stage(recording, "", partial(scene, job=source.job, recording=recording)) for _ in range(2)]
        first, again = (movie.gif(stage, [0, 3, recording.steps], 50) for stage in stages)
    assert first == again


@pytest.mark.parametrize(
    ("changes", "out", "message"),
    [
        ({}, "film.mp4", "--out: film.mp4 is not allowed: a name that ends with .gif"),
        ({}, "film.html", "--out: film.html is not allowed: a name that ends with .gif"),
        ({"seed": 3}, "film.gif", "--seed: 3 is not allowed: one of the block 0"),
        ({"update": 9}, "film.gif", "no checkpoint 9; there are: 0"),
        ({"folder": Path("nowhere")}, "film.gif", "nowhere: no checkpoint; make it with: gpae train --profile smoke"),
        ({"job": "mpe"}, "film.gif", "--task: simple_spread is of mpe; tasks of smax and mabrax are drawn"),
        ({"job": "jaxmarl"}, "film.gif", "--task: 3m: only SMAX's implementation 'fast' is drawn"),
    ],
)
def test_what_cannot_be_filmed_is_refused_by_name(source, tmp_path, changes, out, message):
    others = {
        "mpe": plan.job(PARAMS, "smoke", "mappo", "simple_spread", (0,)),
        "jaxmarl": replace(source.job, environment=source.job.environment | {"implementation": "jaxmarl"}),
    }
    changes = changes | ({"job": others[changes["job"]]} if "job" in changes else {})
    with pytest.raises(ConfigError) as refused:
        render(source._replace(**changes), tmp_path / out)
    assert message in str(refused.value).replace(f"{tmp_path}/", "") and "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_robot_is_filmed_and_has_a_page(fresh, tmp_path):
    job = plan.job(PARAMS, "smoke", "gpae_off", "hopper_3x1", (0,))
    untrained = fresh(replace(job, environment=job.environment | {"episode_length": 6}), tmp_path)
    assert Image.open(render(untrained, tmp_path / "hopper.gif")).n_frames == 7
    recorded = record(untrained)
    assert recorded.states.physics.x.pos.shape == (7, 1, 4, 3) and recorded.won is None
    # hopper is paid 1 a step for standing, and for its speed, less its control
    assert recorded.return_ == pytest.approx(float(recorded.reward.sum()), abs=1e-4) and recorded.return_ > 3
    page = mabrax.html("hopper_3x1", recorded).decode()
    shown, _ = json.JSONDecoder().raw_decode(page.split("var system = ")[1])
    assert shown["link_names"] == ["torso", "thigh", "leg", "foot"] and shown["dt"] == pytest.approx(0.008)
    np.testing.assert_allclose(shown["states"]["x"]["pos"], recorded.states.physics.x.pos[:, 0], atol=1e-5)


def test_the_command_knows_its_checkpoints_by_number(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match="--update: 'first' is not allowed: last, or the number of a checkpoint"):
        steps.render(method="gpae_off", task="3m", out=Path("film.gif"), profile="smoke", update="first")


def test_figure_3_is_made_of_what_is_trained(source, folder, tmp_path):
    with pytest.raises(ConfigError, match=f"{source.job.checkpoints}: no checkpoint; make it with: gpae train"):
        build_frames(PARAMS, "smoke", tmp_path)
    written = build_frames(PARAMS, "smoke", folder)
    assert [path.relative_to(folder / "artifacts/smoke/frames").name for path in written] == [
        "smax.png",
        "smax.gif",
        "figure3.pdf",
        "figure3.png",
    ]
    assert 2 < Image.open(written[1]).n_frames <= 62
    assert len(np.unique(np.asarray(Image.open(written[-1]).convert("RGB")).reshape(-1, 3), axis=0)) > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "task", "agents", "least"),  # of oneself: half in the rollout, no bound on the attention itself
    [("maca", "3m", 3, 0.0), ("maca_rollout", "3m", 3, 0.5), ("maca", "simple_spread", 3, 0.0)],
)
def test_whom_macas_critic_attends_to_is_drawn(fresh, tmp_path, method, task, agents, least):
    job = plan.job(PARAMS, "smoke", method, task, (0,))
    untrained = fresh(replace(job, learner=replace(job.learner, environments=2)), tmp_path)
    recorded = record(untrained, greedy=True)
    here, lives = attention.places(untrained.job, recorded)
    assert here.shape == (recorded.steps + 1, agents, 2) and lives[0].all() and np.abs(np.diff(here, axis=0)).max() > 0
    shares = attention.matrices(untrained, recorded)
    assert shares.shape == (recorded.steps + 1, agents, agents)
    np.testing.assert_allclose(shares.sum(2), 1.0, atol=1e-5)
    assert (shares >= 0).all() and (shares[:, np.arange(agents), np.arange(agents)] >= least).all()
    assert np.abs(np.diff(shares, axis=0)).max() > 1e-4  # they see something else in every state
    with matplotlib.rc_context(SETTINGS):
        figure = attention.draw(untrained)
    maps = [axes for axes in figure.axes if axes.get_title().startswith("step ")]
    for axes in maps:
        step = int(axes.get_title().split()[1])
        drawn = [line.get_xydata()[0] for line in axes.lines]
        np.testing.assert_allclose(drawn, here[step])
