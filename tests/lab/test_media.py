"""Media through real kernels' queues, NAT and a wire that keeps a record of what it did."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gosip_check.probes.media.summary import wilson
from tests.timely import going_first, in_time

from .media_rooms import FAR, media_facts, narrow, near_and_far, reflector, widen
from .namespaces import Rooms
from .site import Lab
from .states import SITES
from .tool import gosip_check
from .wire import RIGHT, Line, Record, Wire

STREAM_OCTETS = 250
CLEAN = Line()


@pytest.fixture(scope="module", autouse=True)
def _first() -> Iterator[None]:
    """Tool, reflector and wire go before what the machine does besides: all tests here are about the line."""
    with going_first():
        yield


@pytest.fixture(scope="module")
def ends(_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    """Two rooms with a reflector in the far one."""
    log = tmp_path_factory.mktemp("reflector") / "log"
    with near_and_far() as built, reflector(built, "far", log, "--no-sip", "--max-rate", "1000000"):
        yield built


def test_a_whole_run_with_a_reflector_behind_nat_ends_ready(generous: Lab, tmp_path: Path) -> None:
    """Where hops ration, `firewall.rtp` is not decided and no run ends ready: docs/lab.md."""
    generous.enter("ready")
    with reflector(generous.rooms, "go", tmp_path / "log", "--bind", SITES[0], "--no-sip"):
        facts = media_facts(
            generous.rooms, "--reflector", SITES[0], "--duration", "2", "--channels", "5", room="lan", command="run"
        )
    assert facts["exit_code"] == 0
    assert {outcome for name, outcome in facts["verdicts"].items() if name.startswith("media.")} == {"pass"}
    assert facts["mapped_address"].split(":")[0] == "192.88.99.2"


@pytest.mark.parametrize(
    ("room", "interface", "named"),
    [("near", "to-far", "Up is the worse direction."), ("far", "to-near", "Down is the worse direction.")],
    ids=["up", "down"],
)
def test_a_line_too_narrow_for_the_channels_fails_and_the_way_is_named(
    ends: Rooms, room: str, interface: str, named: str
) -> None:
    narrow(ends, room, interface, 0.9 * 10 * 100)
    try:
        facts = _in_time(ends, "--duration", "4", "--channels", "10")
    finally:
        widen(ends, room, interface)
    assert facts["verdicts"]["media.bandwidth"] == "fail"
    assert named in facts["evidence"]["delivered_pct"]
    lost = (facts["lost_up"], facts["lost_down"])
    assert lost[0 if room == "near" else 1] > 0
    assert lost[1 if room == "near" else 0] == 0
    # Real G.711 packets are a fifth smaller: they fit.
    assert facts["calls_delivered_pct"] >= 99


def test_a_line_just_wide_enough_passes(ends: Rooms) -> None:
    narrow(ends, "near", "to-far", 1.2 * 10 * 100)
    narrow(ends, "far", "to-near", 1.2 * 10 * 100)
    try:
        facts = _in_time(ends, "--duration", "4", "--channels", "10")
    finally:
        widen(ends, "near", "to-far")
        widen(ends, "far", "to-near")
    assert facts["verdicts"]["media.bandwidth"] == "pass"


def test_the_capacity_of_a_line_is_found(ends: Rooms) -> None:
    """Room for six and a half channels up; from four channels to the answer."""
    narrow(ends, "near", "to-far", 6.5 * 100)
    try:
        facts = _in_time(ends, "--duration", "4", "--channels", "4", "--find-capacity")
    finally:
        widen(ends, "near", "to-far")
    assert (facts["capacity_channels"], facts["capacity_failed_at"]) == (6, 7)
    assert (
        "6 channels at once had at least 99 % delivered and at most 1 % lost in any 15 s; 7 had not."
        in facts["evidence"]["delivered_pct"]
    )
    assert facts["verdicts"]["media.bandwidth"] == "pass"


def test_losses_are_those_that_the_wire_dropped(ends: Rooms) -> None:
    with Wire(ends.namespace("near"), ends.namespace("far"), Line(loss=0.02), Line(loss=0.04)) as wire:
        facts = media_facts(ends, "--reflector", RIGHT, "--duration", "5", "--channels", "10")
    numbers = 5 * 50
    up, down = (wire.records(way, STREAM_OCTETS, numbers) for way in ("up", "down"))
    assert facts["sent"] == len(up) == 2500
    assert facts["lost_up"] == _dropped(up)
    assert facts["lost_down"] == _dropped(down)
    low, high = wilson(_dropped(up), len(up))
    assert low * 100 <= facts["loss_up_pct"] <= high * 100


def test_delay_is_that_of_the_wire(ends: Rooms) -> None:
    with Wire(ends.namespace("near"), ends.namespace("far"), Line(delay_ms=20), Line(delay_ms=60)) as wire:
        facts = media_facts(ends, "--reflector", RIGHT, "--duration", "3", "--channels", "5")
    taken = sorted(
        (there.went_ns - there.came_ns + back.went_ns - back.came_ns) / 1e6 for there, back in _pairs(wire, 150)
    )
    assert len(taken) == 750
    # What the wire cannot see, the kernels' own share, is far below a millisecond even on a busy machine's median.
    assert facts["rtt_ms"]["p50"] == pytest.approx(taken[len(taken) // 2], abs=1.0)
    assert facts["rtt_ms"]["min"] >= 80


REACH = gosip_check(FAR, "8620", module="tests.lab.reach_ports")
BLOCKED = [(1719, 1720), (5000, 5999), (40000, 40000)]


def test_every_single_port_is_proven_and_a_block_is_found_to_the_port(ends: Rooms, tmp_path: Path) -> None:
    """On a line that loses 1 % each way besides, and with SIP's own ports mirrored."""
    sets = ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in BLOCKED)
    block = f"""table inet block {{
        chain input {{ type filter hook prerouting priority -300; udp dport {{ {sets} }} drop
            numgen random mod 100 < 1 drop
        }}
        chain output {{ type filter hook output priority 0; udp sport 1024-65535 numgen random mod 100 < 1 drop
        }}
    }}
    """
    with reflector(ends, "far", tmp_path / "log", "--all-ports", "--port", "8620", "--max-rate", "100000"):
        rules = ends.run("far", ["nft", "list", "table", "inet", "gosip_reflector"]).stdout
        ends.nft("far", block)
        told = ends.run("near", REACH, timeout_s=100).stdout
        ends.nft("far", "delete table inet block\n")
    proven, elsewhere, undecided, blocked = json.loads(told)
    assert "redirect to :8620" in rules
    assert blocked == [list(block) for block in BLOCKED]
    assert proven == 64512 - sum(last - first + 1 for first, last in BLOCKED)
    assert (elsewhere, undecided) == (0, 0)
    left = ends.run("far", ["nft", "list", "ruleset"]).stdout
    assert "gosip_reflector" not in left
    assert "root given up" in (tmp_path / "log").read_text()


def test_a_far_end_on_one_port_proves_no_other(ends: Rooms) -> None:
    told = ends.run("near", REACH, timeout_s=100).stdout
    assert json.loads(told) == [0, 0, 0, []]


def _in_time(ends: Rooms, *arguments: str) -> dict[str, Any]:
    """What a far end on the cable brings; measured again where this machine, which is both ends, was late."""

    def kept_time(facts: dict[str, Any]) -> bool:
        return not (facts["sent_late"] or facts["far_late"] or facts["own_drops"])

    return in_time(lambda: media_facts(ends, "--reflector", FAR, *arguments), kept_time)


def _dropped(records: list[Record]) -> int:
    return sum(record.went_ns == 0 for record in records)


def _pairs(wire: Wire, numbers: int) -> list[tuple[Record, Record]]:
    back = {(r.port, r.number): r for r in wire.records("down", STREAM_OCTETS, numbers) if r.went_ns}
    up = [r for r in wire.records("up", STREAM_OCTETS, numbers) if r.went_ns]
    return [(r, back[r.port, r.number]) for r in up if (r.port, r.number) in back]
