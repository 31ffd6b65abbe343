"""The benchmarks, each into artifacts/benchmarks/<device>/<part>.csv, with a figure where speeds are compared.

`make benchmark` runs all; `python -m benchmarks PART ...` some: environments, training, estimators, choices, scaling,
update. The first four can be told their tasks, PART=TASK,TASK; rows of others stay as they were, with their own commit.
JAXMARL_CHECKOUT names a checkout of FLAIROx/JaxMARL at tag v0.1.0, whose training script `training` is held against.
"""

import io
import os
import re
import sys
from pathlib import Path

import pandas as pd

from gpae import runtime


def main(names: list[str]) -> None:
    runtime.prepare(1)  # SMAX's small operations lose more by a second thread than they gain
    from benchmarks import environments, training, update
    from gpae.results import provenance
    from gpae.results.schema import write_whole

    parts = {
        "environments": environments.environment_speed,
        "training": training.training_speed,
        "estimators": training.estimator_speed,
        "choices": update.choices,
        "scaling": training.scaling,
        "update": update.update_parts,
    }
    split = (name.partition("=") for name in names)
    of_tasks = {name: tuple(tasks.split(",")) if tasks else () for name, _, tasks in split}
    names = list(of_tasks)
    if unknown := [name for name in names if name not in parts]:
        sys.exit(f"benchmarks: no part {unknown[0]!r}; there are: {', '.join(parts)}")
    if not names and "JAXMARL_CHECKOUT" not in os.environ:
        print("JAXMARL_CHECKOUT is not set: its training script is not measured", file=sys.stderr)
        del parts["training"]
    machine = provenance.machine()
    device = machine["processor"] if machine["platform"] == "cpu" else machine["device"]
    folder = Path("artifacts/benchmarks", re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-"))
    for name in names or parts:
        file, tasks = folder / f"{name}.csv", of_tasks.get(name)
        table = pd.DataFrame(parts[name](tasks=tasks) if tasks else parts[name]()).assign(
            device=device,
            cores=runtime.cores(),
            versions=" ".join(f"{package}={version}" for package, version in machine["versions"].items()),
            commit=machine["git_commit"],
        )
        if tasks and file.exists():
            known = pd.read_csv(file)
            table = pd.concat([known[~known.task.isin(tasks)], table])
        print(write_whole(file, table.to_csv(index=False, float_format="%.6g").encode()))
        if name != "update":  # shares and seconds: a table says them
            print(write_whole(folder / f"{name}.png", picture(table, device, runtime.cores())))


def picture(table: pd.DataFrame, device: str, cores: int) -> bytes:
    """How often as fast, a bar a task and size; memory is left to the table. PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    speeds = table[~table.benchmark.str.contains("MiB")]
    kinds = list(dict.fromkeys(speeds.benchmark))
    counts = [int((speeds.benchmark == kind).sum()) for kind in kinds]
    size = (7, 0.5 + 0.6 * len(kinds) + 0.25 * sum(counts))
    figure, panels = plt.subplots(len(kinds), figsize=size, height_ratios=counts, layout="constrained", squeeze=False)
    for kind, panel in zip(kinds, panels[:, 0], strict=True):
        rows = speeds[speeds.benchmark == kind]
        labels = [f"{row.task}, {row.size}" for row in rows.itertuples()]
        sns.barplot(x=rows.ratio.to_numpy(), y=labels, orient="y", color=sns.color_palette("colorblind")[0], ax=panel)
        panel.bar_label(panel.containers[0], fmt="%.2f", padding=3, fontsize=7)
        panel.axvline(1, color="0.4", linewidth=0.8)
        panel.margins(x=0.12)
        panel.set_title(kind, fontsize=9, loc="left")
        panel.tick_params(labelsize=7)
    on = f"{device}, {cores} core{'s' * (cores > 1)}"
    figure.suptitle(f"times as fast (line: equal) on {on}", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, metadata={"Software": None})
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
