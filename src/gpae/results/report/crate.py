"""The manifest of a profile's results: an RO-Crate that names every file with its hash, and the step that made it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from gpae.plan import Job
from gpae.results.files import write_whole
from gpae.results.kept import MANIFEST as NAME
from gpae.results.report import energy
from gpae.results.report.context import Context, link

LICENSE = "https://spdx.org/licenses/Apache-2.0"
_VERSION = "1.2"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_FORMATS = {
    ".css": "text/css",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".html": "text/html",
    ".js": "text/javascript",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".tex": "application/x-tex",
    ".txt": "text/plain",
}
_APART = ("evaluations", "metrics", "checkpoints", "unfinished")  # of these what is planned


def crate_path(profile: str) -> Path:
    return Path("artifacts", profile, NAME)


def kept(folder: Path) -> list[Path]:
    """What the later steps wrote into a profile's folder; nothing hidden."""
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.is_file() and not hidden and parts[0] not in _APART and path.name != NAME:
            found.append(path)
    return found


def _files(context: Context, folder: Path) -> list[Path]:
    """What the manifest is of: planned jobs' files, all that the later steps wrote, and the parameters of both."""
    planned = [context.root / path for job in context.jobs for path in (job.evaluation, job.metrics)]
    return sorted([path for path in planned if path.exists()] + kept(folder) + _params(context))


def _params(context: Context) -> list[Path]:
    """The files in params/ that a profile's jobs and experiments are read from, and every claim."""
    teams = [team for job in context.jobs for team in job.teams]
    names = {
        "experiments": set(context.experiments),
        "families": {job.task.family for job in context.jobs},
        "methods": {job.method_name for job in (*context.jobs, *teams)},
        "profiles": {context.profile},
        "tasks": {job.task_name for job in context.jobs},
    }
    top = context.params.folder
    found = [top / group / f"{name}.yaml" for group, each in names.items() for name in each]
    return [path for path in found if path.exists()] + [path for path in (top / "claims").glob("*.*") if path.is_file()]


def _file(crate: ROCrate, path: Path, folder: Path) -> File:
    content = path.read_bytes()
    about = {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    about |= {"encodingFormat": _FORMATS[path.suffix]} if path.suffix in _FORMATS else {}
    return crate.add_file(path, _name(path, folder), properties=about)


def _name(path: Path, folder: Path) -> str:
    """How the manifest calls a file: from its own folder, parameters from there too."""
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _checkpoint(crate: ROCrate, job: Job, update: str, digest: str, folder: Path, root: Path) -> ContextEntity:
    """A checkpoint, which DVC keeps and a clone has not: by the digest of its arrays that its metrics have."""
    name = (root / job.checkpoints / update).relative_to(folder).as_posix() + "/"
    return _add(crate, name, "Dataset", name=f"parameters after update {update}", sha256=digest)


def _add(crate: ROCrate, name: str, kind: str, /, **about: Any) -> ContextEntity:
    return crate.add(ContextEntity(crate, name, properties={"@type": kind} | about))


def _value(crate: ROCrate, anchor: str, name: str, value: object) -> ContextEntity:
    return _add(crate, f"#{anchor}-{name.replace(' ', '-')}", "PropertyValue", name=name, value=str(value))


def _action(crate: ROCrate, job: Job, step: str, about: dict[str, Any], results: list[Entity]) -> ContextEntity:
    """What made the files: code, parameters, machine, time, and the estimate of its energy."""
    anchor, commit = f"{link(job).anchor}-{step}", str(about.get("git_commit", "unknown"))
    version = f"#gpae-{commit}" + ("-changed" if about.get("git_dirty") else "")
    code = crate.get(version) or _add(
        crate,
        version,
        "SoftwareApplication",
        name="gpae",
        version=about.get("versions", {}).get("gpae", "unknown"),
        softwareVersion=commit + (" with local changes" if about.get("git_dirty") else ""),
        softwareRequirements=[
            f"{name} {number}" for name, number in sorted(about.get("versions", {}).items()) if number != "absent"
        ],
    )
    key = "training_hash" if step == "train" else "evaluation_hash"
    machine = [about.get(part) for part in ("platform", "device", "processor")]
    values = {
        "parameters": about.get(key) or getattr(job, key),
        "machine": ", ".join(dict.fromkeys(str(part) for part in machine if part)),
        "threads": about.get("cores", "unknown"),
        "wall seconds": about.get("wall_seconds", "unknown"),
    }
    cost = energy.estimate(about).watt_hours
    if cost is not None:
        values["watt hours estimated"] = f"{cost:.3g}"
    parts = [_value(crate, anchor, name, value) for name, value in values.items()]
    about_it = {"name": f"gpae {step} {job.selector}", "instrument": code, "object": parts, "result": results}
    if "finished" in about:
        about_it["endTime"] = about["finished"]
    return _add(crate, f"#{anchor}", "CreateAction", **about_it)


def build(context: Context) -> Path:
    """Writes artifacts/<profile>/ro-crate-metadata.json: the same bytes for the same files."""
    folder = context.root / "artifacts" / context.profile
    crate = ROCrate(version=_VERSION)
    crate.name = f"Results of profile {context.profile}"
    crate.description = (
        f"{context.params.profile(context.profile).description}. Evaluations, metrics, tables, figures, verdicts and"
        " the reviewer's page (report/index.html)."
    )
    crate.license = _add(crate, LICENSE, "CreativeWork", name="Apache License 2.0")
    crate.root_dataset["conformsTo"] = _add(crate, _PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    files = {path: _file(crate, path, folder) for path in _files(context, folder)}
    actions, times = [], []
    for job in context.finished(context.jobs):
        about = context.origins[job.evaluation.as_posix()]
        for step, part, path in (("train", about.get("training"), job.metrics), ("evaluate", about, job.evaluation)):
            if part and context.root / path in files:
                results: list[Entity] = [files[context.root / path]]
                if step == "train":
                    points = sorted(part.get("checkpoints", {}).items(), key=lambda item: int(item[0]))
                    results += [_checkpoint(crate, job, *point, folder, context.root) for point in points]
                actions.append(_action(crate, job, step, part, results))
                times += [part["finished"]] if "finished" in part else []
    crate.root_dataset["mentions"] = actions
    crate.root_dataset["datePublished"] = max(times, default="2026-03-03")  # without results: the paper's own date
    text = json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return write_whole(context.root / crate_path(context.profile), text.encode())
