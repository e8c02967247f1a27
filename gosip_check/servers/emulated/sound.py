"""The sound of one call of an emulated PBX: RTP out, digits as events, and SDP that says so. What comes in is lost."""

from collections import deque

from gosip_check.heard import Place
from gosip_check.servers.emulated.behaviour import Behaviour
from gosip_check.servers.virtual import VirtualWorld
from gosip_check.wire import rtp, sdp

_SAMPLES_PER_MS = 8
_EVENT_PACKETS, _PAUSE = 3, 3
_NOISE = 13
"Comfort noise (RFC 3389)."
_SPEAKS = 50
"With silence suppression: so many packets of sound, then one that says that it is quiet."


class Sound:
    """Ports of its own at `host`. SDP says `port`; what is sent may come from another, for a fault."""

    def __init__(self, world: VirtualWorld, host: str, behaviour: Behaviour) -> None:
        self._world, self._host, self._behaviour = world, host, behaviour
        self._sockets = [world.bound((host, 0), lambda *_: None) for _ in range(2)]
        self.port = self._sockets[0].getsockname()[1]
        self._to: Place | None = None
        self._payload = 8
        self._digits: deque[tuple[str, int, bool] | None] = deque()
        self._sequence = self._timestamp = self._event_began = 0
        self._is_open, self.is_muted = True, False

    def close(self) -> None:
        """Nothing is sent any more."""
        self._is_open = False
        for sock in self._sockets:
            sock.close()

    def offer(self, direction: str = "sendrecv", version: int = 1) -> bytes:
        """What the PBX wants; sendonly and inactive put the call on hold."""
        behaviour = self._behaviour
        on_hold = direction in ("sendonly", "inactive") and behaviour.holds_with_zero_address
        said = "sendrecv" if on_hold else direction
        return self._written(list(behaviour.codecs), said, version, on_hold, behaviour.more_sdp)

    def answer(self, offered: bytes, direction: str = "sendrecv") -> bytes | None:
        """The first codec of its own that was offered. None where there is none, unless it answers with another one."""
        audio = sdp.audio(offered)
        if audio is None:
            return None
        behaviour = self._behaviour
        common = [codec for codec in behaviour.codecs if int(codec.split()[0]) in audio.payloads]
        if not common and behaviour.refuses_other_codecs:
            return None
        return self._written([*common, *behaviour.codecs][:1], direction, 1, False, "")

    def begin(self, described: bytes) -> None:
        """Talk from now on, to where the other side wants it, with the first codec that both have."""
        audio = sdp.audio(described)
        if audio is None:
            return
        own = [int(codec.split()[0]) for codec in self._behaviour.codecs]
        begins = self._to is None
        self._to = (audio.host or "", audio.port)
        self._payload = next((payload for payload in own if payload in audio.payloads), own[0])
        if begins and self._behaviour.sends_rtp:
            self._tick()

    def _written(self, codecs: list[str], direction: str, version: int, on_hold: bool, more: str) -> bytes:
        host, behaviour = self._host, self._behaviour
        types = [*codecs, *filter(None, [behaviour.events])]
        lines = [
            "v=0",
            f"o=pbx 1 {version} IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {'0.0.0.0' if on_hold else host}",
            "t=0 0",
            f"m=audio {self.port} {behaviour.profile} {' '.join(each.split()[0] for each in types)}",
            *(f"a=rtpmap:{each}" for each in types),
            f"a=ptime:{behaviour.packet_ms}",
            f"a={direction}",
            *more.split("|"),
        ]
        return "".join(f"{line}\r\n" for line in lines if line).encode()

    def press(self, digits: str) -> None:
        """As events, one after the other."""
        for digit in digits:
            self._digits += [(digit, number, False) for number in range(1, _EVENT_PACKETS + 1)]
            self._digits += [(digit, _EVENT_PACKETS, True)] * self._behaviour.event_ends
            self._digits += [None] * _PAUSE

    def _tick(self) -> None:
        if not self._is_open or self._to is None:
            return
        packet_ms = self._behaviour.packet_ms
        self._world.after(packet_ms / 1000, self._tick)
        samples = packet_ms * _SAMPLES_PER_MS
        self._timestamp += samples
        if self.is_muted:
            return
        self._sequence += 1
        payload, timestamp, content = self._payload, self._timestamp, b"\xd5" * samples
        event = self._digits.popleft() if self._digits else None
        if event is not None and self._behaviour.events:
            digit, number, ends = event
            self._event_began = self._timestamp if number == 1 else self._event_began
            payload = int(self._behaviour.events.split()[0])
            timestamp, content = self._event_began, rtp.event(digit, number * samples, ends=ends)
        elif self._behaviour.suppresses_silence and self._sequence % _SPEAKS == 0:
            payload, content = _NOISE, b"\x40"
        sock = self._sockets[self._behaviour.rtp_from_other_port]
        sock.sendto(rtp.packet(payload, self._sequence, timestamp, 1, content), self._to)
