"""Do two versions of the tool say the same of the same site? Prints every verdict in which they differ.

    python -m tests.lab.compare BEFORE AFTER [options]

BEFORE and AFTER are checkouts (each with its interpreter in .venv; the one that this is run from needs none), or a
folder of reports that `--keep` wrote. Both are asked for the same cases, each case in a site of its own:

    states  every state of states.py, native and gateway: `run --duration 1` in `lan`
    edges   every row of edge_matrix.py: `alg` in `lan`
    demos   every fault that `demo` knows, and every scenario of tests/scenario, in a namespace with a loopback; one
            after another, and last, because this machine times their media
    saved   every report of tests/data/reports (or `--reports`): `report judge` with the checklist it was made with, and
            whether `report check` accepts it

    --hops HOPS [HOPS]  how routers ration: `as-linux` or `generous` (default); two of them: for BEFORE, then for AFTER
    --kinds KIND ...    only these of the four above
    --only TEXT         only cases whose name holds it
    --times N           ask each side N times; a verdict that wavers is shown with its counts, and differs only where no
                        outcome is common to both sides
    --jobs N            sites at a time (default 6)
    --keep FOLDER       keep BEFORE's reports there, one file a case, for a later comparison without that checkout; the
                        name and the system of this machine are taken out
    --list FILE         write what BEFORE says there as JSON, a line for each case
    --table             Markdown: one line for each verdict that differs, with the states

Verdicts about this machine (host.*, link.wired) are left out. Exit code 1 when a verdict differs. Needs root. On two
cores everything takes about twelve minutes, the states alone three; a run waits most of its time.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .edge_matrix import MATRIX, Row, entered
from .edge_matrix import SITES as EDGE_SITES
from .site import AS_LINUX, GENEROUS, Hops, site
from .states import STATES
from .tool import DEPENDS_ON_THE_MACHINE, REPOSITORY, gosip_check, run_tool

PRODUCTS = ("go-native", "go-gateway")
REPORTS = REPOSITORY / "tests" / "data" / "reports"
SCENARIOS = REPOSITORY / "tests" / "scenario"
_HOPS: dict[str, Hops] = {"as-linux": AS_LINUX, "generous": GENEROUS}
_DEMO_TIMEOUT_S = 120

Report = dict[str, Any]
Outcomes = dict[str, str]
"Requirement (with its line, where there are several) -> outcome, and beside them what _BESIDE names."

Asked = tuple["Case", list[Outcomes], list[Outcomes]]

_BESIDE = {"report": "outcome", "report check": "checked"}


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: a checkout, or reports that were kept, and how the routers ration."""

    folder: Path
    hops: Hops

    @property
    def is_kept(self) -> bool:
        return not (self.folder / "gosip_check").is_dir()

    def check(self) -> None:
        """Raises RuntimeError where another checkout's tool would be asked."""
        if not self.is_kept:
            asked = gosip_check(checkout=self.folder, module="inspect")
            said = subprocess.run(
                [*asked, "--details", "gosip_check"], capture_output=True, text=True, check=True
            ).stdout
            if f"Origin: {self.folder}/gosip_check/__init__.py\n" not in said:
                raise RuntimeError(f"{self.folder} would not run its own tool:\n{said}")


@dataclass(frozen=True)
class Case:
    """What both sides are asked. name: stands in the output, and in the name of a kept file."""

    kind: str
    name: str
    ask: Callable[[Side], Report]


def states() -> Iterator[Case]:
    """Every state of the run table, for both products."""
    for state in STATES:
        for product in PRODUCTS:
            yield Case("states", f"{state}.{product}", partial(_in_state, state, product))


def _in_state(state: str, product: str, side: Side) -> Report:
    """A whole run in a new site, whose routers have quoted nothing yet."""
    with site(hops=side.hops) as lab:
        lab.enter(state)
        return run_tool(lab, "run", "--checklist", product, "--duration", "1", checkout=side.folder)


def edges() -> Iterator[Case]:
    """Every row of the ALG matrix."""
    for row in MATRIX:
        yield Case("edges", row.name, partial(_at_the_edge, row))


def _at_the_edge(row: Row, side: Side) -> Report:
    with site(EDGE_SITES[row.site], hops=side.hops) as lab, entered(lab, row):
        return run_tool(lab, "alg", "--checklist", row.checklist, checkout=side.folder)


def demos() -> Iterator[Case]:
    """Every fault with the native checklist, and every scenario with its own."""
    listed = subprocess.run(gosip_check("demo", "--fault", "list"), capture_output=True, check=True, text=True).stdout
    asked = {("go-native", line.split()[0]) for line in listed.splitlines()}
    for path in SCENARIOS.glob("*.toml"):
        scenario = tomllib.loads(path.read_text())
        asked.add((scenario["checklist"], scenario.get("fault", "")))
    for checklist, fault in sorted(asked):
        yield Case("demos", f"{fault or 'no fault'}.{checklist}", partial(_demo, checklist, fault))


def _demo(checklist: str, fault: str, side: Side) -> Report:
    chosen = ["--fault", fault] if fault else []
    tool = gosip_check("demo", "--checklist", checklist, "--json", "-", "--quiet", *chosen, checkout=side.folder)
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *tool]
    return _printed(subprocess.run(alone, capture_output=True, text=True, timeout=_DEMO_TIMEOUT_S))


def saved(folder: Path) -> Iterator[Case]:
    """Every kept report, judged again and checked."""
    for path in sorted(folder.glob("*.json.gz")):
        yield Case("saved", path.name.removesuffix(".json.gz"), partial(_judged, path))


def _judged(path: Path, side: Side) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        file.write_bytes(gzip.decompress(path.read_bytes()))
        checklist = str(path.parent / f"{json.loads(file.read_bytes())['checklist']['id']}.toml")
        judge = gosip_check("report", "judge", str(file), "--checklist", checklist, "--json", "-", checkout=side.folder)
        check = gosip_check("report", "check", str(file), "--checklist", checklist, checkout=side.folder)
        report = _printed(subprocess.run(judge, capture_output=True, text=True, timeout=_DEMO_TIMEOUT_S))
        checked = subprocess.run(check, capture_output=True, text=True, timeout=_DEMO_TIMEOUT_S)
    # 3: nothing in it is wrong, but another version wrote it.
    report["checked"] = "accepted" if checked.returncode in (0, 3) else "refused"
    return report


def _printed(ended: "subprocess.CompletedProcess[str]") -> Report:
    if ended.returncode not in (0, 1, 3):
        raise RuntimeError(f"exit code {ended.returncode}: {' '.join(ended.args)}\n{ended.stderr}")
    report: Report = json.loads(ended.stdout)
    return report


def outcomes(report: Report) -> Outcomes:
    """What a report says, without what depends on this machine."""
    found = {name: report[field] for name, field in _BESIDE.items() if field in report}
    several = len(report["links"]) > 1
    for verdict in report["verdicts"]:
        if verdict["id"] not in DEPENDS_ON_THE_MACHINE:
            found[f"{verdict['id']} on {verdict['link']}" if several else verdict["id"]] = verdict["outcome"]
    return found


def ask(side: Side, case: Case, times: int, keep: Path | None) -> list[Outcomes]:
    """What one side says of a case, `times` times; a kept report says it once."""
    file = f"{case.kind}.{case.name}.json.gz".replace(" ", "_").replace("/", "_")
    if side.is_kept:
        return [outcomes(json.loads(gzip.decompress((side.folder / file).read_bytes())))]
    reports = [case.ask(side) for _ in range(times)]
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        compact = json.dumps(_of_any_machine(reports[0]), separators=(",", ":")).encode()
        (keep / file).write_bytes(gzip.compress(compact, mtime=0))
    return [outcomes(report) for report in reports]


def _of_any_machine(report: Report) -> Report:
    """Nothing is judged by these words."""
    system = report["host"]["system"]
    text = json.dumps({**report, "host": {"name": "laptop", "system": system}})
    clean: Report = json.loads(text.replace(json.dumps(system), '"Linux"'))
    return clean


def differences(before: Sequence[Outcomes], after: Sequence[Outcomes]) -> dict[str, tuple[str, str]]:
    """Requirement that both sides ask -> what each said of it, where that is not the same."""
    both = {id_: (_counted(before, id_), _counted(after, id_)) for id_ in before[0] if id_ in after[0]}
    return {id_: (old, new) for id_, (old, new) in both.items() if old != new}


def asked_by_one(asked: Sequence[Asked]) -> list[str]:
    """A sentence for each side that asks what the other does not; the checklists differ, not a verdict."""
    before = {id_ for _, said, _ in asked for id_ in said[0]}
    after = {id_ for _, _, said in asked for id_ in said[0]}
    only = {"BEFORE": before - after, "AFTER": after - before}
    return [f"Asked by {side} only: {', '.join(sorted(ids))}." for side, ids in only.items() if ids]


def _counted(said: Sequence[Outcomes], id_: str) -> str:
    times = Counter(outcomes.get(id_, "not asked") for outcomes in said)
    if len(times) == 1:
        return next(iter(times))
    return ", ".join(f"{outcome} {count}" for outcome, count in sorted(times.items()))


def ask_all(before: Side, after: Side, cases: Sequence[Case], chosen: argparse.Namespace) -> list[Asked]:
    """What both sides say of every case: many at a time, and then one demo after another."""
    asked: list[Asked] = []
    for jobs, is_demo in ((chosen.jobs, False), (1, True)):
        with ThreadPoolExecutor(jobs) as pool:
            told = [
                (
                    case,
                    pool.submit(ask, before, case, chosen.times, chosen.keep),
                    pool.submit(ask, after, case, chosen.times, None),
                )
                for case in cases
                if (case.kind == "demos") is is_demo
            ]
        asked += [(case, old.result(), new.result()) for case, old, new in told]
    return asked


def main(arguments: Sequence[str]) -> int:
    """Ask, compare, print. The exit code."""
    chosen = _parser().parse_args(arguments)
    hops = [_HOPS[name] for name in chosen.hops]
    before, after = Side(chosen.before.resolve(), hops[0]), Side(chosen.after.resolve(), hops[-1])
    before.check()
    after.check()
    kinds: dict[str, Callable[[], Iterator[Case]]] = {
        "states": states,
        "edges": edges,
        "demos": demos,
        "saved": partial(saved, chosen.reports),
    }
    cases = [case for kind in chosen.kinds for case in kinds[kind]() if chosen.only in case.name]
    asked = ask_all(before, after, cases, chosen)
    if chosen.list is not None:
        listed = (f"{json.dumps(case.name)}: {json.dumps(old[0])}" for case, old, _ in asked)
        chosen.list.write_text("{\n" + ",\n".join(listed) + "\n}\n")
    found = [(case, differences(old, new)) for case, old, new in asked]
    shown = [(case, changes) for case, changes in found if changes]
    differing = sum(any(_is_other(*both) for both in changes.values()) for _, changes in shown)
    lines = [*(_table(shown) if chosen.table else _list(shown)), "", *asked_by_one(asked)]
    print("\n".join([*lines, f"{differing} of {len(cases)} cases differ, {len(shown) - differing} only waver."]))
    return 1 if differing else 0


def _is_other(before: str, after: str) -> bool:
    return not {word.split()[0] for word in before.split(", ")} & {word.split()[0] for word in after.split(", ")}


def _list(differing: Sequence[tuple[Case, dict[str, tuple[str, str]]]]) -> list[str]:
    return [
        f"{case.kind:7} {case.name:48} {id_}: {old} -> {new}"
        for case, changes in differing
        for id_, (old, new) in changes.items()
    ]


def _table(differing: Sequence[tuple[Case, dict[str, tuple[str, str]]]]) -> list[str]:
    where: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for case, changes in differing:
        for id_, (old, new) in changes.items():
            where[id_, old, new].append(case.name)
    rows = [f"| {id_} | {old} | {new} | {_places(names)} |" for (id_, old, new), names in sorted(where.items())]
    return ["| verdict | before | after | where |", "| --- | --- | --- | --- |", *rows]


def _places(names: Sequence[str]) -> str:
    """A state that stands there for both products is named once, without them."""
    bare = {name: name.removesuffix(f".{product}") for name in names for product in PRODUCTS if name.endswith(product)}
    both = {state for state in bare.values() if all(f"{state}.{product}" in names for product in PRODUCTS)}
    return "; ".join(dict.fromkeys(bare[name] if bare.get(name) in both else name for name in names))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.compare", usage=__doc__)
    kinds = ["states", "edges", "demos", "saved"]
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--hops", nargs="+", choices=list(_HOPS), default=["generous"])
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--only", default="")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--reports", type=Path, default=REPORTS)
    parser.add_argument("--table", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
