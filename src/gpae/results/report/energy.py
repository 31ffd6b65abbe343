"""What a job cost: hours of its device, which were measured, and energy, which was not but is estimated from them.

energy = hours x (threads x watts of a thread + watts of the accelerator) x PUE. Memory, disks and network are left out,
and a thread that waits counts like one that computes: it tells a watt-hour from a kilowatt-hour, not more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Constant:
    """A number that is taken from elsewhere; watts, but for the PUE."""

    name: str
    value: float
    source: str


THREAD = Constant(
    "a processor's thread at full load, in W",
    3.5,
    "Cloud Carbon Footprint, Methodology, Appendix I: the mean over AWS's processors, from SPECpower_ssj2008",
)
PUE = Constant(
    "what a data centre takes for what its computers take (PUE)",
    1.56,
    "Uptime Institute, Global Data Center Survey 2024: the mean of the centres asked",
)
_NVIDIA = "NVIDIA's data sheet: the most that the board may take, in W"
ACCELERATORS = {  # the first that stands in jax's name of the device
    "H200": Constant("H200 SXM", 700.0, _NVIDIA),
    "H100 PCIe": Constant("H100 PCIe", 350.0, _NVIDIA),
    "H100": Constant("H100 SXM", 700.0, _NVIDIA),
    "A100-SXM": Constant("A100 SXM", 400.0, _NVIDIA),
    "A100 80GB PCIe": Constant("A100 PCIe, 80 GB", 300.0, _NVIDIA),
    "A100-PCIE": Constant("A100 PCIe, 40 GB", 250.0, _NVIDIA),
    "V100-SXM": Constant("V100 SXM2", 300.0, _NVIDIA),
    "L4": Constant("L4", 72.0, _NVIDIA),
    "T4": Constant("T4", 70.0, _NVIDIA),
}


@dataclass(frozen=True)
class Estimate:
    """seconds: of the device, measured; watt_hours: None where its watts are not known; constants: used for them"""

    seconds: float
    watt_hours: float | None
    constants: tuple[Constant, ...]


def accelerator(device: str) -> Constant | None:
    return next((constant for name, constant in ACCELERATORS.items() if name in device), None)


def estimate(about: Mapping[str, Any]) -> Estimate:
    """Of a step of a job, from its provenance (`gpae.results.provenance.collect`)."""
    seconds, threads = float(about.get("wall_seconds") or 0.0), int(about.get("cores") or 1)
    watts, constants = threads * THREAD.value, [THREAD]
    if about.get("platform") != "cpu":
        found = accelerator(str(about.get("device")))
        if found is None:
            return Estimate(seconds, None, ())
        watts, constants = watts + found.value, [THREAD, found]
    return Estimate(seconds, seconds / 3600 * watts * PUE.value, (*constants, PUE))


def total(parts: list[Estimate]) -> Estimate:
    """The sum; unknown as soon as a part is."""
    constants = tuple(dict.fromkeys(constant for part in parts for constant in part.constants))
    known = [part.watt_hours for part in parts if part.watt_hours is not None]
    whole = sum(known) if len(known) == len(parts) else None
    return Estimate(sum(part.seconds for part in parts), whole, constants)
