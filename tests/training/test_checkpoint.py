"""A checkpoint that is damaged or not this job's is refused by name, and left as it is."""

import json
import os
import random
import shutil
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.config import ConfigError
from gpae.training import checkpoint

TREE = {"a": jnp.arange(600, dtype=jnp.float32), "b": (jnp.zeros((0, 3)), jnp.asarray([True, False]))}


def shapes(tree):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


@pytest.fixture
def saved(workspace):
    job = workspace().job
    path = job.unfinished / "state" / "7"
    checkpoint.save(path, job, TREE)
    return path, job


def test_what_is_read_is_what_was_saved(saved):
    path, job = saved
    found = checkpoint.restore(path, job, shapes(TREE))
    assert jax.tree.structure(found) == jax.tree.structure(TREE)
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(TREE), strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)


def test_any_flipped_bit_or_lost_end_is_refused(saved):
    """Files in which a change does no harm (orbax's own notes) may be read over, but never to other numbers."""
    path, job = saved
    rng = random.Random(0)
    refused = 0
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        whole = file.read_bytes()
        for damage in ("flip", "cut"):
            at = rng.randrange(len(whole))
            broken = whole[:at] + (bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :]) * (damage == "flip")
            file.write_bytes(broken)
            try:
                found = checkpoint.restore(path, job, shapes(TREE))
                np.testing.assert_array_equal(found["a"], TREE["a"])
            except ConfigError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error)
            assert file.read_bytes() == broken
        file.write_bytes(whole)
    assert refused >= 4


def test_arrays_of_another_checkpoint_are_refused(saved):
    path, job = saved
    other = path.with_name("8")
    checkpoint.save(other, job, TREE | {"a": TREE["a"] + 1})
    about = json.loads((path / "about/metadata").read_text())
    (other / "about/metadata").write_text(json.dumps(about | {"update": 8}))
    with pytest.raises(ConfigError, match="8: damaged checkpoint: its arrays are not those that were saved"):
        checkpoint.restore(other, job, shapes(TREE))


def test_another_update_of_the_same_job_is_refused(saved):
    path, job = saved
    shutil.copytree(path, path.with_name("8"))
    with pytest.raises(ConfigError, match="8: damaged checkpoint: it is that of update 7; "):
        checkpoint.restore(path.with_name("8"), job, shapes(TREE))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(saved, value):
    path, job = saved
    point = job.unfinished / "points" / "7"
    checkpoint.save(point, job, TREE | {"a": jnp.full(600, value)})
    with pytest.raises(ConfigError, match=r"7: damaged checkpoint: \['a'\] has entries that are no numbers"):
        checkpoint.restore(point, job, shapes(TREE))
    checkpoint.save(path, job, TREE | {"a": TREE["a"].at[0].set(value)})
    if np.isinf(value):  # a state may have the best of nothing
        checkpoint.restore(path, job, shapes(TREE))
    else:
        with pytest.raises(ConfigError, match="no numbers"):
            checkpoint.restore(path, job, shapes(TREE))


@pytest.mark.parametrize("name", ["arrays/fifo", "about/metadata", "arrays/folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(saved, name):
    path, job = saved
    (path / name).unlink(missing_ok=True)
    if name.endswith("folder"):
        (path / name).symlink_to("/dev")
    else:
        os.mkfifo(path / name)
    with pytest.raises(ConfigError, match=f"7: damaged checkpoint: {name} is neither a file nor a folder"):
        checkpoint.restore(path, job, shapes(TREE))


def test_other_parameters_are_refused_with_the_first_difference(saved):
    path, job = saved
    other = replace(job, learner=replace(job.learner, gamma=0.9))
    told = "7: checkpoint of other parameters: learner.gamma is 0.99 there and 0.9 here"
    with pytest.raises(ConfigError, match=told):
        checkpoint.restore(path, other, shapes(TREE))


def test_another_format_is_refused(saved):
    path, job = saved
    file = path / "about/metadata"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": plan.FORMAT + 1}))
    with pytest.raises(ConfigError, match=f"checkpoint of format {plan.FORMAT + 1}; this version reads {plan.FORMAT}"):
        checkpoint.restore(path, job, shapes(TREE))


def test_the_command_refuses_a_foreign_state(workspace):
    space = workspace()
    assert space.run("train", "--minutes", "0")[0] == 75
    job = space.job
    path = job.unfinished / "state" / "0" / "about/metadata"
    about = json.loads(path.read_text())
    about["parameters"]["learner"]["gamma"] = 0.5
    path.write_text(json.dumps(about))
    code, error = space.run("train")
    assert code == 2 and "learner.gamma is 0.5 there and 0.99 here" in error and len(error.strip().splitlines()) == 1
    assert json.loads(path.read_text()) == about and not job.metrics.exists()


def test_a_loss_that_is_not_finite_stops_the_training(workspace):
    space = workspace(method="mappo")
    profile = space.folder / "params/profiles/small.yaml"
    profile.write_text(profile.read_text().replace("epochs: 2\n", "epochs: 2\n        learning_rate: 1.0e+38\n"))
    code, error = space.run("train")
    assert code == 1 and "mappo on 3m, seed" in error and "at update" in error and "(step " in error
    assert not space.job.metrics.exists()
