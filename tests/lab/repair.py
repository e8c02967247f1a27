"""A fault, its repair, then `run --again` beside a whole run: both must say the same. For a test and for a bench."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .edges import kernel_alg
from .media_rooms import reflector
from .rulesets import forward
from .site import GENEROUS, RESOLVER, Hops, Lab, site
from .states import STATES
from .tool import DEPENDS_ON_THE_MACHINE, run_tool

FAULTS: Mapping[str, str] = {
    **{name: name for name in STATES if not name.endswith("5061") and name not in ("ready", "plain-sip-on-5061")},
    "sip-alg": kernel_alg(),
    "half the range blocked": forward('iifname "to-lan" udp dport 20000-40000 drop'),
}
"Name -> a state of the lab, or a rule set for the edge device."


@dataclass(frozen=True)
class Repaired:
    """What the three runs took and said. differ: requirement -> what `--again` says, and what a whole run does."""

    faulty_s: float
    again_s: float
    whole_s: float
    measured: int
    taken_over: int
    differ: dict[str, tuple[str, str]]


def repaired(
    fault: str, state_folder: Path, options: Sequence[str] = ("--duration", "5"), hops: Hops = GENEROUS
) -> Repaired:
    """In a site of its own, with a reflector at the provider. state_folder: where its runs are kept."""
    options = ("--checklist", "go-native", "--reflector", RESOLVER, *options)
    with site(hops=hops) as lab, reflector(lab.rooms, "go", state_folder / "reflector", "--bind", RESOLVER):
        lab.enter(fault if fault in STATES else "ready")
        if fault not in STATES:
            lab.nft("cpe", FAULTS[fault])
            lab.flush()
        keep = ("env", f"XDG_STATE_HOME={state_folder}")
        faulty_s, _ = _run(lab, keep, *options)
        lab.enter("ready")
        again_s, again = _run(lab, keep, "--again")
        lab.flush()
        whole_s, whole = _run(lab, keep, *options)
    said, true = _outcomes(again), _outcomes(whole)
    taken = sum(measurement["taken_from"] is not None for measurement in again["measurements"])
    differ = {id_: (said[id_], true[id_]) for id_ in true if said.get(id_) != true[id_]}
    return Repaired(faulty_s, again_s, whole_s, len(again["measurements"]) - taken, taken, differ)


def _run(lab: Lab, before: tuple[str, ...], *arguments: str) -> tuple[float, dict[str, Any]]:
    began_s = time.monotonic()
    report = run_tool(lab, "run", *arguments, before=before)
    return time.monotonic() - began_s, report


def _outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {v["id"]: v["outcome"] for v in report["verdicts"] if v["id"] not in DEPENDS_ON_THE_MACHINE}
