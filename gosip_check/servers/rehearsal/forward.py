"""Names that are not the trunk's, asked of a resolver for the one PBX. Pure: octets in, octets out, no socket.

While its DNS server is the laptop, a PBX still needs the time, its licence and its mail. A question is handed on as it
came, under an ID of our own (RFC 5452 4.3); what is not the answer to one that waits is thrown away.
"""

import secrets

from gosip_check.heard import Place
from gosip_check.servers.limits import Bucket

_PER_S = 20.0
_WAITING = 100
"So many questions wait for an answer; of more the oldest is forgotten."
_HEAD = 12
"Octets before the question (RFC 1035 4.1.1)."


class Forward:
    """The questions of one PBX on their way. now_s: of a clock that only goes forward."""

    def __init__(self, now_s: float) -> None:
        self._bucket = Bucket(_PER_S, _PER_S, now_s)
        self._waiting: dict[bytes, tuple[bytes, Place]] = {}

    def question(self, wire: bytes, peer: Place, now_s: float) -> bytes | None:
        """What to send to the resolver. None for a question too many in this second."""
        if not self._bucket.take(now_s):
            return None
        id_ = secrets.token_bytes(2)
        self._waiting[id_] = (wire, peer)
        if len(self._waiting) > _WAITING:
            del self._waiting[next(iter(self._waiting))]
        return id_ + wire[2:]

    def answer(self, wire: bytes) -> tuple[bytes, Place] | None:
        """What to send to the PBX, and where. None for what no question waits for."""
        asked, peer = self._waiting.get(wire[:2], (b"", ("", 0)))
        name = asked[_HEAD : asked.find(b"\0", _HEAD) + 5]  # as it was asked, with type and class
        if not name or wire[_HEAD : _HEAD + len(name)].lower() != name.lower():
            return None
        del self._waiting[wire[:2]]
        return asked[:2] + wire[2:], peer
