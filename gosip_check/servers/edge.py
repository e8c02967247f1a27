"""An emulated edge device on loopback whose SIP ALG is on, as Linux's rewrites: for the demo and the tests.

It translates no packet. What it does to a message is done where the message arrives: the site's own address becomes the
public one in Via, Contact and SDP, and the answer's Via is put back.
"""

import contextlib
import re

from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sip_mirror
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_stream import take_from_stream

PUBLIC_ADDRESS = "192.88.99.2"
"""What the site is seen as: special-purpose (RFC 7526), so that nobody lives there, and yet no private address."""

_REWRITTEN = re.compile(rb"(?mi)^(?:via|contact|o=|c=)[^\r\n]*")
_OF_VIA = re.compile(rb"(?mi)^via:[^\r\n]*")
_LENGTH = re.compile(rb"(?mi)^(content-length: *)\d+")


def outbound(message: bytes, private: str) -> bytes:
    """A request of the site as it leaves the edge."""
    mine, public = private.encode(), PUBLIC_ADDRESS.encode()
    changed = _REWRITTEN.sub(lambda line: line[0].replace(mine, public), message)
    head, blank, body = changed.partition(b"\r\n\r\n")
    return _LENGTH.sub(rb"\g<1>%d" % len(body), head) + blank + body


def inbound(message: bytes, private: str) -> bytes:
    """An answer as it reaches the site: its Via names the site's own address again; `received` stays as it was."""
    mine, public = private.encode(), PUBLIC_ADDRESS.encode()
    sent_by = re.compile(rb"(?i)(via: *SIP/2.0/\w+ +)" + re.escape(public))
    return _OF_VIA.sub(lambda line: sent_by.sub(rb"\g<1>" + mine, line[0]), message)


class MirrorBehindAlg:
    """`with MirrorBehindAlg(address, port)`: a SIP mirror there, which gets what the ALG made of a request.

    A port that is taken is left alone: the mirror is one method of several.
    """

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "MirrorBehindAlg":
        with contextlib.suppress(OSError):
            self._stack.enter_context(Endpoint(self._address, _mirror, split_sip, port=self._port))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _mirror(data: bytes, peer: Peer, transport: str) -> Answers:
    del transport
    try:
        return sip_mirror.answer(outbound(data, peer[0]), (PUBLIC_ADDRESS, peer[1]))
    except WireError:
        return None


def split_sip(buffer: bytes) -> tuple[bytes | None, bytes]:
    """The first whole message of a stream, and the rest."""
    message, rest = take_from_stream(buffer)
    return (None if message is None else message.raw), rest
