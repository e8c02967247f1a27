"""Lines that an attack on the verdicts brought up, and what is right of each; alone.py lays them."""

from collections.abc import Mapping

from .alone import FAIL, OPEN, PASS, UNKNOWN, Row, Shaper, echo
from .rulesets import forward
from .wire import Line


def _leaving(rule: str) -> str:
    """What the site's router does with what it sends out, on top of all else."""
    return forward(f'oifname "to-isp" {rule}')


_SOME_OCTETS = "limit rate over 80 kbytes/second burst 5 kbytes drop"
"Less than a load has."

_ROWS = [
    # far too narrow
    Row("up 0.5", shapers={"up": Shaper(0.5)}, bandwidth=FAIL),
    Row("up 0.3, queue 2 s", shapers={"up": Shaper(0.3, 2000)}, bandwidth=FAIL),
    Row("down 0.5, queue 2 s", shapers={"down": Shaper(0.5, 2000)}, bandwidth=FAIL),
    # One stream of voice, and what goes beside it, fills such a line: delays and losses are then its own.
    Row(
        "up 0.1",
        shapers={"up": Shaper(0.1)},
        bandwidth=FAIL,
        loss=PASS | UNKNOWN,
        jitter=PASS | OPEN,
        latency=PASS | UNKNOWN,
    ),
    # other numbers of calls
    Row(
        "1 call, up 0.09",
        shapers={"up": Shaper(0.09)},
        arguments=["--channels", "1"],
        bandwidth=FAIL,
        loss=PASS | UNKNOWN,
        jitter=PASS | OPEN,
        latency=PASS | UNKNOWN,
    ),
    Row("1 call, up 0.11", shapers={"up": Shaper(0.11)}, arguments=["--channels", "1"]),
    Row("28 calls, down 2.66", shapers={"down": Shaper(2.66)}, arguments=["--channels", "28"], bandwidth=FAIL),
    Row("28 calls, down 2.94", shapers={"down": Shaper(2.94)}, arguments=["--channels", "28"]),
    Row("60 calls, up 2", shapers={"up": Shaper(2)}, arguments=["--channels", "60"], bandwidth=FAIL),
    Row("60 calls, up 5", shapers={"up": Shaper(5)}, arguments=["--channels", "60"], bandwidth=UNKNOWN),
    # what is done to echoes alone says nothing of calls
    Row(
        "both hops limit octets of echoes",
        rules={room: echo(_SOME_OCTETS) for room in ("isp", "core")},
        bandwidth=PASS | UNKNOWN,
    ),
    Row(
        "both hops lose 3 % of echoes",
        rules={room: echo("numgen random mod 1000 < 30 drop") for room in ("isp", "core")},
        loss=PASS | UNKNOWN,
    ),
    Row(
        "the edge limits octets of echoes",
        rules={"cpe": _leaving(f"icmp type echo-request {_SOME_OCTETS}")},
        bandwidth=PASS | UNKNOWN,
    ),
    Row("policer 15 kB down 0.9", shapers={"down": Shaper(0.9, 0, 15_000)}, bandwidth=OPEN),
    Row(
        "3 % of large packets lost",
        rules={"cpe": _leaving("meta length > 600 numgen random mod 1000 < 30 drop")},
        bandwidth=UNKNOWN,
    ),
    # radio, and far away
    Row("satellite", uneven=Line(delay_ms=310, jitter_ms=10), latency=FAIL),
    Row(
        "pauses of 200 ms, lost",
        uneven=Line(delay_ms=8, pause_ms=200),
        bandwidth=PASS | UNKNOWN,
        loss=OPEN,
        jitter=PASS | UNKNOWN,
    ),
    Row(
        "pauses of 60 ms, lost",
        uneven=Line(delay_ms=8, pause_ms=60),
        bandwidth=PASS | UNKNOWN,
        loss=OPEN,
        jitter=PASS | UNKNOWN,
    ),
    Row(
        "pauses of 150 ms, late",
        uneven=Line(delay_ms=8, pause_ms=150, waits=True),
        bandwidth=PASS | UNKNOWN,
        jitter=PASS | OPEN,
    ),
    Row("jitter 20, out of order", uneven=Line(delay_ms=8, jitter_ms=20, swaps=True)),
    Row(
        "satellite, up 0.9",
        uneven=Line(delay_ms=310, jitter_ms=10),
        shapers={"up": Shaper(0.9)},
        bandwidth=FAIL,
        latency=FAIL,
    ),
]
ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}
