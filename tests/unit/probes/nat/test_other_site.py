"""The other site against servers of a few lines, which answer where they like; nothing filters on loopback."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.nat import other_site
from gosip_check.probes.nat.other_site import Trial
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.servers.endpoint import Peer
from gosip_check.wire import sip
from tests.unit.far_ends import reply

A, B = "127.22.184.27", "127.22.185.27"
CONTEXT = Context(Link("Internet-1"))
Answer = Callable[[sip.Request, Peer], tuple[bytes, int] | None]
"Gives an answer and the port that it goes to."


def by_via(request: sip.Request, peer: Peer) -> tuple[bytes, int]:
    """RFC 3261 18.2.2 and RFC 3581 4, as they are written."""
    via = request.vias[0]
    if "rport" in via.params:
        return reply(request, peer), peer[1]
    answer = reply(request, peer)
    return answer.replace(f";rport={peer[1]}".encode(), b""), via.port or 5060


def forced(request: sip.Request, peer: Peer) -> tuple[bytes, int]:
    answer = reply(request, peer)
    via = answer.partition(b"\r\n")[2].partition(b"\r\n")[0]
    if b"rport" not in via:
        answer = answer.replace(via, via + f";rport={peer[1]}".encode())
    return answer, peer[1]


def to_the_source_unsaid(request: sip.Request, peer: Peer) -> tuple[bytes, int]:
    return by_via(request, peer)[0], peer[1]


def kept_out(request: sip.Request, peer: Peer) -> tuple[bytes, int] | None:
    """As behind a NAT that lets in who was spoken to."""
    answer, port = by_via(request, peer)
    return (answer, port) if port == peer[1] else None


def diverted(request: sip.Request, peer: Peer) -> tuple[bytes, int]:
    """Sent to the source, as it says, and brought elsewhere on the way."""
    port = by_via(request, peer)[1]
    return (forced(request, peer)[0], port) if port != peer[1] else by_via(request, peer)


def mute_without_rport(request: sip.Request, peer: Peer) -> tuple[bytes, int] | None:
    return by_via(request, peer) if "rport" in request.vias[0].params else None


def without_received(request: sip.Request, peer: Peer) -> tuple[bytes, int]:
    answer, port = by_via(request, peer)
    return answer.replace(b"received=", b"other="), port


def seen_elsewhere(request: sip.Request, peer: Peer) -> tuple[bytes, int]:
    answer, port = by_via(request, peer)
    return answer.replace(b"received=127.0.0.1", b"received=203.0.113.9"), port


@contextlib.contextmanager
def server(address: str, answer: Answer) -> Iterator[Server]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))

        def serve() -> None:
            while data := sock.recvfrom(4096):
                request = sip.parse(data[0]) if data[0] else None
                if not isinstance(request, sip.Request):
                    return
                given = answer(request, data[1])
                if given is not None:
                    sock.sendto(given[0], (data[1][0], given[1]))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Server("zt", address, sock.getsockname()[1])
        sock.sendto(b"", sock.getsockname())
        thread.join()


@pytest.mark.waits
@pytest.mark.parametrize(
    ("asked", "spoken_to", "came", "said"),
    [
        (by_via, by_via, True, f"An answer of {A} arrived at port"),
        (by_via, forced, True, f"which had spoken to {B} alone"),
        (kept_out, by_via, False, "nothing arrived, 2 times"),
        (forced, by_via, None, "at the port that asked, whatever Via says"),
        (to_the_source_unsaid, by_via, None, "at the port that asked, whatever Via says"),
        (diverted, by_via, None, "at the port that asked, whatever Via says"),
        (mute_without_rport, by_via, None, f"{A} does not answer where nobody asks"),
        (without_received, by_via, None, f"{A} did not say where it saw"),
        (by_via, without_received, None, f"{B} did not say where it saw"),
        (by_via, seen_elsewhere, None, f"{B} sees this line as 203.0.113.9, {A} as 127.0.0.1"),
    ],
)
def test_where_an_answer_arrives(
    asked: Answer, spoken_to: Answer, came: bool | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_site, "_TIMEOUT_S", 0.8)
    with server(A, asked) as first, server(B, spoken_to) as second:
        trial = other_site._trial(CONTEXT, "trunk.example", first, second)
    assert (trial.came, trial.asked, trial.spoken_to) == (came, A, B)
    assert said in trial.detail


@pytest.mark.parametrize(
    ("came", "decided"),
    [
        ([True, True], True),
        ([True, None], True),
        ([True, False], None),
        ([None, False], None),
        ([None, None], None),
        ([], None),
    ],
)
def test_one_that_was_kept_out_leaves_it_open(came: list[bool | None], decided: bool | None) -> None:
    trials = [Trial(asked=A, spoken_to=B, came=each, detail=f"{each}.") for each in came]
    assert other_site.facts_of(trials).other_site_comes_in is decided


def test_what_is_not_asked() -> None:
    options = other_site.Options("trunk.example", "tcp", ["127.22.184.0/23"])
    assert other_site.measure(options, CONTEXT).other_site_comes_in is None
    options = other_site.Options("trunk.example", "udp", ["127.22.184.0/23"])
    facts = other_site.measure(options, CONTEXT)
    assert (facts.other_site_comes_in, facts.trials) == (None, [])
    assert "It takes two servers" in facts.evidence["other_site_comes_in"]
    path = hops.Facts({}, A, "127.0.0.1", "private", 33434, [], 1, 0)
    here = Context(Link("Internet-1"), seen={"path": path})
    assert other_site.measure(options, here).other_site_comes_in is True
