"""What the reflector's SIP mirror answers: a 200 whose body holds the request as it arrived. Bytes only.

A box on the way that rewrites SIP sees a body that it cannot read: the request, and the address it came from, are
compressed and written in base64. Everything else in the answer follows from those two, so whoever asked can do this:

    mirrored = read(answer)             what arrived at the far end, and from where
    mirrored.received != request        somebody rewrote the request on the way there
    mirrored.answer != answer           somebody rewrote the answer on the way back; `answer` is what was sent

The rules of the exchange: any request but ACK and CANCEL is answered, over UDP only when the answer is no longer than
the request. So pad a UDP request: 600 octets of one letter in a header field of its own are plenty, and compress to
nothing. Over TCP no padding is needed. Nothing is remembered between requests. What cannot be read as a SIP request
gets no answer.
"""

import base64
import binascii
import hashlib
import zlib
from typing import NamedTuple

from gosip_check.wire import sip
from gosip_check.wire.sip import Request, Response, WireError

CONTENT_TYPE = "application/octet-stream"
LARGEST_REQUEST = 65535


class Mirrored(NamedTuple):
    """What the far end saw, and the answer that it must have sent for it."""

    received: bytes
    source: tuple[str, int]
    answer: bytes


def answer(received: bytes, source: tuple[str, int]) -> bytes:
    """The answer to one request, a pure function of its arguments. Raises WireError for what is not a SIP request."""
    message = sip.parse(received)
    if not isinstance(message, Request):
        raise WireError("a response is not mirrored")
    if message.method in ("ACK", "CANCEL"):
        raise WireError(f"{message.method} is not mirrored")
    packed = zlib.compress(f"{source[0]} {source[1]}\n".encode() + received, 9)
    return sip.response(
        message,
        200,
        "OK",
        received=source,
        headers=[("Content-Type", CONTENT_TYPE)],
        body=base64.b64encode(packed),
        to_tag=hashlib.sha256(received).hexdigest()[:16],
    )


def read(octets: bytes) -> Mirrored:
    """What an answer of the mirror says. Raises WireError when it is none."""
    message = sip.parse(octets)
    if not isinstance(message, Response):
        raise WireError("a request is no answer of the mirror")
    try:
        inflate = zlib.decompressobj()
        text = inflate.decompress(base64.b64decode(message.body, validate=True), LARGEST_REQUEST + 100)
    except (binascii.Error, zlib.error) as error:
        raise WireError("the body is not one that the mirror wrote") from error
    line, newline, received = text.partition(b"\n")
    host, _, port = line.decode("latin-1").partition(" ")
    if not newline or not port.isascii() or not port.isdigit() or len(port) > 5 or inflate.unconsumed_tail:
        raise WireError("the body is not one that the mirror wrote")
    source = (host, int(port))
    return Mirrored(received, source, answer(received, source))
