"""What the cluster profiles would send off, and whether Kubernetes would take it; test_slurm.py runs one for real."""

import importlib.util
import json
import re

import pytest
import yaml
from checkout import ROOT, commands, results, training
from kubernetes import client

KUBERNETES = ROOT / "workflow/profiles/kubernetes"


def wanted(output: str) -> dict[str, dict[str, str]]:
    """What a dry run says that each rule asks of its executor."""
    found = re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", output, re.MULTILINE)
    return {rule: dict(part.split("=", 1) for part in text.split(", ")) for rule, text in found}


@pytest.mark.parametrize("cluster", ["slurm", "kubernetes"])
def test_a_profile_sends_off_the_whole_plan(pristine, cluster):
    choice = ("--profile", f"workflow/profiles/{cluster}", "--config", "profile=smoke")
    output = pristine.run("snakemake", "-n", "-p", *choice)
    assert commands(output) == sorted(training(pristine.jobs("smoke")) + results("smoke"))
    asked = wanted(output)
    assert asked["train"].items() >= {"gpu": "1", "runtime": "240", "mem_mb": "16000"}.items()
    assert asked["evaluate"].items() >= {"gpu": "1", "runtime": "60", "mem_mb": "4000"}.items()
    assert asked["aggregate"].items() >= {"runtime": "60", "mem_mb": "4000"}.items()
    assert asked["aggregate"].get("gpu", "0") == "0"
    if cluster == "slurm":
        assert all(each["slurm_extra"] == "--signal=TERM@300" for each in asked.values())


def test_profiles_ask_for_the_same():
    slurm, kubernetes = (
        yaml.safe_load((ROOT / f"workflow/profiles/{cluster}/config.yaml").read_text())
        for cluster in ("slurm", "kubernetes")
    )
    for key in ("set-resources", "preemptible-rules", "preemptible-retries", "set-resource-scopes", "jobs"):
        assert slurm[key] == kubernetes[key], key


def whole(manifest: dict) -> bool:
    """Whether the client of Kubernetes' own API understands every key and value."""
    api = client.ApiClient()
    understood = api.deserialize(json.dumps(manifest), f"V1{manifest['kind']}", "application/json")
    return api.sanitize_for_serialization(understood) == manifest


@pytest.fixture(scope="module")
def sender():
    spec = importlib.util.spec_from_file_location("kubernetes_job", KUBERNETES / "job.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kubernetes_understands_the_manifests(sender):
    parts = list(yaml.safe_load_all((KUBERNETES / "head.yaml").read_text()))
    job = sender.manifest("job.sh", processors=1, megabytes=4000, gpus=1, minutes=60)
    assert all(whole(part) for part in [*parts, job])
    head = next(part for part in parts if part["kind"] == "Job")["spec"]["template"]["spec"]
    pod = job["spec"]["template"]["spec"]
    assert head["containers"][0]["image"] == pod["containers"][0]["image"] and head["volumes"] == pod["volumes"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] in {part["metadata"]["name"] for part in parts}
    assert not whole(job | {"sepc": {}})


def test_pods_are_not_root_and_workers_have_no_token(sender):
    head = list(yaml.safe_load_all((KUBERNETES / "head.yaml").read_text()))[-1]["spec"]["template"]["spec"]
    worker = sender.manifest("job.sh", processors=1, megabytes=4000, gpus=1, minutes=60)["spec"]["template"]["spec"]
    assert worker["automountServiceAccountToken"] is False and "serviceAccountName" not in worker
    for pod in (head, worker):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["containers"][0]["securityContext"] == {"allowPrivilegeEscalation": False}


def test_a_pod_gets_what_the_rule_asks_for(sender):
    def pod(**changes):
        asked = {"processors": 2, "megabytes": 16000, "gpus": 0, "minutes": 240} | changes
        return sender.manifest("job.sh", **asked)["spec"]["template"]["spec"]

    assert pod()["activeDeadlineSeconds"] == 240 * 60
    (container,) = pod()["containers"]
    assert container["args"] == ["sh", "job.sh"]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "16000M"}
    assert pod(gpus=1)["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize(
    ("condition", "expected"), [("Complete", "success"), ("Failed", "failed"), ("FailureTarget", "running")]
)
def test_a_job_ends_as_kubernetes_says(sender, condition, expected):
    state = {"status": {"conditions": [{"type": condition, "status": "True"}]}}
    api = client.ApiClient()
    assert sender.status(api.deserialize(json.dumps(state), "V1Job", "application/json")) == expected
