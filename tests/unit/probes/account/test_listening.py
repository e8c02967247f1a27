"""What is answered while a contact is bound, and to whom. All of it waits on the socket before anybody listens."""

import socket

import pytest

from gosip_check.probes.account.listening import listen
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.wire import sip

CONTEXT = Context(Link("Internet-1"))
PROVIDER, STRANGER = "127.22.184.27", "127.99.1.1"


def request(method: str, branch: str) -> bytes:
    fields = [
        f"{method} sip:35621000000@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP {PROVIDER}:5060;branch=z9hG4bK{branch}",
        "From: <sip:ping@trunk.example>;tag=1",
        "To: <sip:35621000000@trunk.example>",
        f"Call-ID: {branch}",
        f"CSeq: 1 {method}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(fields) + "\r\n\r\n").encode()


@pytest.mark.waits
def test_options_are_answered_and_calls_refused() -> None:
    sent = [("OPTIONS", "a"), ("OPTIONS", "a"), ("INVITE", "b"), ("ACK", "b"), ("OPTIONS", "c"), ("MESSAGE", "d")]
    with (
        sockets.udp_socket(CONTEXT.link) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as provider,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        provider.bind((PROVIDER, 0))
        stranger.bind((STRANGER, 0))
        here = ("127.0.0.1", sockets.local_address(sock)[1])
        stranger.sendto(request("OPTIONS", "s"), here)
        for data in (b"\r\n\r\n", b"\x00garbage", *(request(*each) for each in sent)):
            provider.sendto(data, here)
        *_, heard = listen(CONTEXT, sock, ["127.22.184.0/24"], 0.1)
        answers = [sip.parse(provider.recv(4096)) for _ in range(5)]
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(4096)
    assert [answer.status for answer in answers if isinstance(answer, sip.Response)] == [200, 200, 480, 200, 405]
    assert ([each.address for each in heard.keep_alives], heard.calls) == ([PROVIDER] * 2, 1)
