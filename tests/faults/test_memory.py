"""A device that runs out of memory: one line with the setting to lower, nothing half there, and with less it works."""

import copy

import pytest
import yaml
from faultlab import PROFILE, TOY, Lab

# as a machine with so little memory would, and not the kernel's way out, which is to kill
LIMITED = ("prlimit", f"--as={12 << 30}")


def change(lab: Lab, environments: int = 8, **profile: int) -> None:
    wanted = copy.deepcopy(TOY) | profile
    wanted["overrides"]["smax"]["policy_gradient"]["learner"]["environments"] = environments
    (lab.folder / f"params/profiles/{PROFILE}.yaml").write_text(yaml.safe_dump(wanted))


@pytest.mark.slow
def test_a_training_that_does_not_fit(lab, record):
    change(lab, 4_000_000, total_steps=64_000_000, evaluation_interval=64_000_000)
    code, error = lab.run(*lab.command("train"), prefix=LIMITED)
    assert code == 1 and error == (
        f"gpae: params/profiles/{PROFILE}.yaml: overrides.smax.policy_gradient.learner.environments: 4000000"
        " does not fit into this device's memory; allowed: less\n"
    )
    assert lab.finished() == {}
    change(lab)
    assert lab.run(*lab.command("train"), prefix=LIMITED)[0] == 0 and len(lab.finished()) == 2
    record("out of memory, train")


@pytest.mark.slow
def test_an_evaluation_that_does_not_fit(whole, tmp_path, record):
    lab = whole.copy(tmp_path / "lab")
    change(lab, evaluation_episodes=20_000_000)  # the trainings are those that are there
    before = lab.finished()
    code, error = lab.run(*lab.command("evaluate"), prefix=LIMITED)
    assert code == 1 and error == (
        f"gpae: params/profiles/{PROFILE}.yaml: evaluation_episodes: 20000000"
        " does not fit into this device's memory; allowed: less\n"
    )
    assert lab.finished() == before
    record("out of memory, evaluate")
