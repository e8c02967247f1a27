"""`alg.absent` over the lab's matrix of edges, many runs a row, beside two older methods. Needs root; prints a table.

    python -m tests.bench.bench_alg [RUNS [PARALLEL [PART OF A ROW'S NAME]]]

Two laws: with an ALG never a pass, without one never a fail. What broke one is listed at the end.
"""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.edge_matrix import MATRIX, SITES, Row, entered
from tests.lab.site import GENEROUS, Lab, site
from tests.lab.tool import facts_behind, run_tool, verdict_of

_BASELINES = str(Path(__file__).parent / "alg_baselines.py")
_SERVER, _MIRROR = "217.22.184.27", "217.22.184.60"
_METHODS = ("early answer", "drops", "quotes", "paired Via", "echo", "diversion")


def _run(lab: Lab, row: Row) -> tuple[str, dict[str, bool | None], float]:
    report = run_tool(lab, "alg", "--checklist", row.checklist)
    facts = facts_behind(report, "alg.absent")
    looks = {look["method"]: look["found"] for look in facts.get("looks", [])}
    return verdict_of(report, "alg.absent")["outcome"], looks, report["elapsed_s"]


def _baselines(lab: Lab, runs: int) -> tuple[str, str]:
    """How often each older method said `alg`, of those runs in which it said anything."""
    said = [lab.run("lan", [sys.executable, _BASELINES, "ask", _SERVER, _MIRROR]).stdout.split() for _ in range(runs)]
    shares = []
    for words in zip(*said, strict=True):
        heard = [word for word in words if word != "-"]
        shares.append(f"{heard.count('alg')}/{len(heard)}" if heard else "silent")
    return shares[0], shares[1]


def main(runs: int, parallel: int, part: str) -> None:
    broken = []
    columns = "".join(f"{method:>14}" for method in _METHODS)
    print(f"{runs} runs a row. A method: proofs/clean looks/undecided. Via-echo, mirror: `alg`/answered, UDP only.")
    print(f"{'row':48}{'ALG':>5}{'pass':>6}{'fail':>6}{'unkn':>6}{'s':>6}{columns}{'Via-echo':>10}{'mirror':>8}")
    for kind in SITES:
        rows = [row for row in MATRIX if row.site == kind and part in row.name]
        if not rows:
            continue
        with site(SITES[kind], hops=GENEROUS) as lab:
            lab.run("go", ["ip", "address", "add", f"{_MIRROR}/32", "dev", "lo"])
            lab.rooms.start("go", [sys.executable, _BASELINES, "mirror", _MIRROR], lab.rooms.folder / "mirror")
            while lab.run("lan", [sys.executable, _BASELINES, "ask", _SERVER, _MIRROR]).stdout.endswith("-\n"):
                pass  # the mirror is not up yet
            for row in rows:
                with entered(lab, row), ThreadPoolExecutor(parallel) as pool:
                    found = list(pool.map(lambda _, row=row: _run(lab, row), range(runs)))
                    older = _baselines(lab, min(runs, 5)) if row.checklist == "go-native" else ("", "")
                outcomes = Counter(outcome for outcome, _, _ in found)
                methods = ""
                for method in _METHODS:
                    seen = Counter(looks[method] for _, looks, _ in found if method in looks)
                    methods += f"{f'{seen[True]}/{seen[False]}/{seen[None]}' if seen else '':>14}"
                seconds = max(elapsed for _, _, elapsed in found)
                counts = "".join(f"{outcomes[outcome]:>6}" for outcome in ("pass", "fail", "unknown"))
                alg = "yes" if row.has_alg else "no"
                print(f"{row.name:48}{alg:>5}{counts}{seconds:>6.1f}{methods}{older[0]:>10}{older[1]:>8}", flush=True)
                if outcomes["pass" if row.has_alg else "fail"]:
                    broken.append(row.name)
    print(f"Laws broken: {', '.join(broken) or 'none'}.")


if __name__ == "__main__":
    given = [*sys.argv[1:3], *("20", "4")[len(sys.argv[1:3]) :]]
    main(int(given[0]), int(given[1]), " ".join(sys.argv[3:]))
