"""Sends a job of Snakemake's to the Kubernetes that this pod is in, and tells how it stands.

job.py submit --processors 1 --megabytes 4000 --gpus 0 --minutes 60 SCRIPT     prints its name
job.py status NAME                                                             prints running, success or failed
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def manifest(script: str, processors: int, megabytes: int, gpus: int, minutes: int) -> dict[str, Any]:
    """job.yaml with the command and what it needs. A job whose minutes are up is told to stop, as one preempted is."""
    job = yaml.safe_load(Path(__file__).with_name("job.yaml").read_text(encoding="utf-8"))
    pod = job["spec"]["template"]["spec"]
    pod["activeDeadlineSeconds"] = 60 * minutes  # the pod's, not the job's: waiting for a node does not count
    (container,) = pod["containers"]
    container["args"] = ["sh", script]  # after the image's entry point, which hands signals on
    amounts = {"cpu": str(processors), "memory": f"{megabytes}M"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    container["resources"] = {"requests": amounts, "limits": amounts}
    return job


def status(job: client.V1Job) -> str:
    """What Snakemake wants to hear of a Kubernetes Job."""
    ended = {condition.type for condition in job.status.conditions or [] if condition.status == "True"}
    return "success" if "Complete" in ended else "failed" if "Failed" in ended else "running"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    submit = commands.add_parser("submit")
    for amount in ("processors", "megabytes", "gpus", "minutes"):
        submit.add_argument(f"--{amount}", type=int, required=True)
    submit.add_argument("script")
    commands.add_parser("status").add_argument("name")
    options = vars(parser.parse_args())
    config.load_incluster_config()
    jobs, namespace = client.BatchV1Api(), NAMESPACE.read_text(encoding="utf-8")
    if options.pop("command") == "submit":
        print(jobs.create_namespaced_job(namespace, manifest(**options)).metadata.name)
    else:
        print(status(jobs.read_namespaced_job(options["name"], namespace)))


if __name__ == "__main__":
    main()
