"""Whatever the edge does to SIP, `alg.absent` never passes with an ALG and never fails without one.

One run a row here; tests/bench/bench_alg.py makes twenty and prints the shares.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from .edge_matrix import MATRIX, SITES, Row, entered
from .site import AS_LINUX, GENEROUS, Lab, site
from .tool import PLAIN_USER, facts_behind, run_tool, verdict_of


class Labs:
    """The lab of one kind of site at a time: built when its first row comes, torn down when another's does."""

    def __init__(self) -> None:
        self._kind = ""
        self._stack = ExitStack()
        self._lab: Lab | None = None

    def of(self, kind: str) -> Lab:
        if self._lab is None or kind != self._kind:
            self.close()
            self._lab, self._kind = self._stack.enter_context(site(SITES[kind], hops=GENEROUS)), kind
        return self._lab

    def close(self) -> None:
        self._lab = None
        self._stack.close()


@pytest.fixture(scope="module")
def labs(_possible: None) -> Iterator[Labs]:
    built = Labs()
    try:
        yield built
    finally:
        built.close()


ROWS = [row for kind in SITES for row in MATRIX if row.site == kind]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_alg_verdict(labs: Labs, row: Row) -> None:
    lab = labs.of(row.site)
    with entered(lab, row):
        report = run_tool(lab, "alg", "--checklist", row.checklist)
    verdict, facts = verdict_of(report, "alg.absent"), facts_behind(report, "alg.absent")
    assert verdict["outcome"] != ("pass" if row.has_alg else "fail"), verdict["reason"]
    assert verdict["outcome"] == row.verdict, verdict["reason"]
    assert facts["kind"] == row.kind or row.verdict == "unknown" or (row.kind is None and row.has_alg), facts
    if row.culprit is not None:
        assert facts["culprit"] == row.culprit
        assert row.culprit in verdict["reason"]


def test_a_plain_user_sees_the_same_handwriting(labs: Labs) -> None:
    """No privilege on the network."""
    row = next(row for row in MATRIX if row.name == "NAT + ALG")
    lab = labs.of(row.site)
    with entered(lab, row):
        report = run_tool(lab, "alg", before=PLAIN_USER)
    assert facts_behind(report, "alg.absent")["culprit"] == row.culprit
    assert verdict_of(report, "alg.absent")["outcome"] == "fail"


def _where_hops_ration(row: Row) -> str:
    with site(SITES[row.site], hops=AS_LINUX) as lab, entered(lab, row):
        return str(verdict_of(run_tool(lab, "alg", "--checklist", row.checklist), "alg.absent")["outcome"])


def test_both_laws_hold_where_hops_ration() -> None:
    """Six quotes at once and one a second may leave it undecided; they may not turn it round."""
    with ThreadPoolExecutor(6) as pool:
        said = dict(zip(MATRIX, pool.map(_where_hops_ration, MATRIX), strict=True))
    assert {row.name for row, outcome in said.items() if outcome == ("pass" if row.has_alg else "fail")} == set()
    decided = {row.name for row, outcome in said.items() if outcome != "unknown"}
    assert {"NAT", "NAT + ALG", "CGNAT + ALG", "vendor: rewrites Call-ID"} <= decided
