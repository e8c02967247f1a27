"""`report check` over honest reports of every state of the lab, and over forgeries that were made to fit (root).

    python -m tests.bench.bench_forgeries [honest|forged]

Honest: a whole run in each state of the lab, for both products, and `alg` at each edge of the matrix. Wanted: none is
refused. Forged: see tests/forgeries.py. Wanted: whose contradiction stands in the file is refused, the others accepted
with the reason that is given.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gosip_check.vetting import Trust, vet
from tests.forgeries import FORGERIES, forged
from tests.lab.compare import Case, Side, edges, states
from tests.lab.site import GENEROUS

REPOSITORY = Path(__file__).parents[2]
AT_ONCE = 3


def main(what: list[str]) -> None:
    """Print a row for each honest report that is refused, and for each forgery."""
    if what != ["forged"]:
        cases = [*states(), *edges()]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            refused = sum(pool.map(_is_refused, cases))
        print(f"honest: {refused} of {len(cases)} reports refused")
    if what != ["honest"]:
        for forgery in FORGERIES:
            vetted = vet(forgery.name, forged(forgery))
            said = " ".join(vetted.contradictions) or forgery.accepted
            print(f"{vetted.trust.value:14} | {forgery.name} | {said}")


def _is_refused(case: Case) -> bool:
    vetted = vet(case.name, json.dumps(case.ask(Side(REPOSITORY, GENEROUS))).encode())
    is_refused = vetted.trust not in (Trust.HOLDS_TOGETHER, Trust.UNDECIDED)
    if is_refused:
        print(f"REFUSED {case.kind} {case.name}: {vetted.error or vetted.contradictions}", flush=True)
    return is_refused


if __name__ == "__main__":
    main(sys.argv[1:])
