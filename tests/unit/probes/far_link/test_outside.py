"""As what a socket is seen from outside, from what servers say; and STUN over loopback. Real NATs stand in the lab."""

import threading

import pytest

from gosip_check.probes.far_link import outside, stun
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.records import Link
from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire.stun import PORT, binding_request

CONTEXT = Context(Link("Internet-1"), stop=threading.Event())


def test_two_servers_that_agree_tell_it() -> None:
    seen = [SeenBy("192.0.2.1", "192.88.99.2", 4000), SeenBy("192.0.2.2", "192.88.99.2", 4000)]
    assert outside.place_of("phone", seen) == ("192.88.99.2", 4000)


@pytest.mark.parametrize(
    ("seen", "asked_stun", "why"),
    [
        ([], False, "Name two STUN servers"),
        ([], True, "do not answer"),
        ([("192.88.99.2", 4000), ("192.88.99.2", 4001)], False, "a port of its own"),
        ([("192.88.99.2", 4000), ("192.88.99.3", 4000)], False, "a port of its own"),
        ([("100.64.0.9", 4000)], False, "something edited it"),
        ([("10.0.0.9", 4000)], False, "something edited it"),
    ],
)
def test_what_cannot_be_spoken_to_says_why(seen: list[tuple[str, int]], asked_stun: bool, why: str) -> None:
    by = [SeenBy("192.0.2.1", address, port) for address, port in seen]
    with pytest.raises(ProbeFailed, match=why) as raised:
        outside.place_of("phone", by, asked_stun=asked_stun)
    assert raised.value.failure.kind == "unsupported"


def _none(buffer: bytes) -> tuple[bytes | None, bytes]:
    """Nothing comes over TCP."""
    return None, buffer


@pytest.mark.waits
def test_a_stun_server_that_tells_and_one_that_says_something_else() -> None:
    def answer(request: bytes, peer: Peer, _: str) -> Answers:
        port = (peer[1] ^ 0x2112).to_bytes(2, "big")
        address = bytes(a ^ b for a, b in zip(bytes([127, 0, 0, 1]), bytes.fromhex("2112a442"), strict=True))
        return [b"not STUN", bytes.fromhex("0101000c") + request[4:20] + bytes.fromhex("002000080001") + port + address]

    with (
        Endpoint("127.0.0.1", answer, _none) as tells,
        Endpoint("127.0.0.1", lambda *_: [b"", binding_request(bytes(12))], _none) as tells_nothing,
        sockets.udp_socket(CONTEXT.link) as sock,
    ):
        servers = [f"127.0.0.1:{tells.port}", f"127.0.0.1:{tells_nothing.port}"]
        seen = stun.ask(CONTEXT, sock, servers)
        own = sockets.local_address(sock)[1]
    assert seen == [SeenBy("127.0.0.1", "127.0.0.1", own)]
    assert PORT == 3478
