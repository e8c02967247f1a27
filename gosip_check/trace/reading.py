"""Files to what was said in them: SIP messages, DNS questions, RTP counts, and sentences on what is missing.

Captures and text logs may be mixed. Who of the speakers is the PBX is found out in `sides`, from this alone.
"""

import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gosip_check.trace import logs, packets
from gosip_check.trace.captures import Packet, is_capture, open_file
from gosip_check.trace.captures import packets as packets_of
from gosip_check.trace.found import Found
from gosip_check.trace.framing import begins_like_sip, starts_like_sip
from gosip_check.trace.names import Question, Questions
from gosip_check.trace.packets import TCP, UDP, Datagram, Fragments, address, ip_at, ports, udp_payload
from gosip_check.trace.tcp import Segments
from gosip_check.wire.rtp import Counted, Streams

MOST_MESSAGES = 50_000
"SIP messages that are kept: some hours of a busy trunk, and 100 MB of memory at most."
_LARGEST_LOG = 64 * 1024 * 1024
_SAME_PACKET_S = 0.05
"The same octets between the same ports sooner than this are one packet, seen twice. T1 of SIP is 0.5 s."
_RECENT = 512

FILTERED = (
    "Large messages are not whole in this capture: it was filtered by port, which loses every fragment but the first. "
    "Capture again with the filter: udp or (ip[6:2] & 0x3fff != 0)."
)
CUT = "SIP messages are cut in this capture: capture again with whole packets (tcpdump -s 0)."


class TraceError(Exception):
    """A file that cannot be read, or holds nothing to judge. The text is a sentence for the person who named it."""


@dataclass
class Trace:
    """All that was found in some files. flows of `streams`: source and destination address, then both ports, packed."""

    messages: list[Found] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    streams: dict[tuple[bytes, int], Counted] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    is_capture: bool = False
    "At least one file can hold DNS and RTP."
    encrypted: int = 0
    "TLS connections."
    others: int = 0
    "Packets that are neither SIP, DNS nor RTP: a capture that holds some was not filtered by port."
    first_s: float | None = None
    last_s: float | None = None

    def say(self, sentence: str) -> None:
        """Once each."""
        if sentence not in self.gaps:
            self.gaps.append(sentence)


def read(paths: Sequence[Path]) -> Trace:
    """Every file, one after the other; messages in the order of their times. Raises TraceError."""
    trace = Trace()
    for path in paths:
        try:
            with open_file(path) as file:
                head = file.read(4)
                file.seek(0)
                if is_capture(head):
                    trace.is_capture = True
                    if not _Capture(trace).read(packets_of(file, trace.say)):
                        trace.say(f"{path.name} holds no packet.")
                elif not head:
                    trace.say(f"{path.name} is empty.")
                else:
                    content = file.read(_LARGEST_LOG + 1)
                    if len(content) > _LARGEST_LOG:
                        trace.say(f"{path.name}: only its first {_LARGEST_LOG // 1024 // 1024} MiB were read.")
                    in_it = logs.messages(content[:_LARGEST_LOG], MOST_MESSAGES)
                    if not in_it and b"\0" in content[:4096]:
                        trace.say(f"{path.name} is neither a capture nor a text log.")
                    trace.messages += in_it
        except (OSError, EOFError, zlib.error) as error:
            raise TraceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if all(message.time_s is not None for message in trace.messages):
        trace.messages.sort(key=lambda message: message.time_s or 0.0)
    return trace


class _Capture:
    """One capture while it is read."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._fragments, self._streams = Fragments(), Streams()
        self._segments, self._questions = Segments(), Questions()
        self._recent: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()

    def read(self, captured: Iterator[Packet]) -> bool:
        """False where there is no packet. Most are RTP over plain Ethernet and IPv4: these take the short way."""
        add, trace = self._streams.add, self._trace
        first_s = last_s = None
        unknown_links = set()
        for time_s, link_type, data, original in captured:
            if first_s is None:
                first_s = time_s
            last_s = time_s
            if (
                link_type == 1
                and len(data) >= 54
                and data[12:15] == b"\x08\x00\x45"
                and data[23] == UDP
                and not (data[20] & 0x3F or data[21])
                and data[42] >> 6 == 2
                and len(data) == original
            ):
                add(time_s, data[26:38], data, 42, 34 + (data[38] << 8 | data[39]))
                continue
            at = ip_at(link_type, data)
            if at is None:
                trace.others += 1
                if link_type not in packets.LINK_TYPES:
                    unknown_links.add(link_type)
                continue
            datagram = self._fragments.datagram(time_s, data, at, original)
            if datagram is not None:
                self._datagram(datagram)
        for datagram in self._fragments.given_up():
            self._given_up(datagram)
        for link_type in sorted(unknown_links):
            trace.say(f"Packets of link type {link_type} were not read: this tool does not know it.")
        if self._streams.is_full:
            trace.say("More RTP streams than are counted at a time; the later ones were left out.")
        trace.streams |= self._streams.counted
        trace.questions += self._questions.asked
        trace.encrypted += len(self._segments.encrypted)
        if first_s is not None and last_s is not None:
            trace.first_s = first_s if trace.first_s is None else min(first_s, trace.first_s)
            trace.last_s = last_s if trace.last_s is None else max(last_s, trace.last_s)
        return first_s is not None

    def _datagram(self, datagram: Datagram) -> None:
        both = ports(datagram.payload)
        if both is None:
            return
        if datagram.protocol == TCP:
            packed = datagram.payload[:2], datagram.payload[2:4]
            source, destination = datagram.source + packed[0], datagram.destination + packed[1]
            for content, is_cut in self._segments.messages(source, destination, datagram.payload):
                self._message(datagram, both, "TCP", content, is_cut)
            return
        if datagram.protocol != UDP:
            return
        content, is_cut = udp_payload(datagram)
        if 53 in both:
            self._questions.add(datagram.time_s, address(datagram.source), address(datagram.destination), content)
        elif starts_like_sip(content.lstrip(b"\r\n")) or (is_cut and begins_like_sip(content)):
            if is_cut:
                self._trace.say(CUT)
            self._message(datagram, both, "UDP", content, is_cut)
        elif len(content) >= 12 and content[0] >> 6 == 2:
            flow = datagram.source + datagram.destination + datagram.payload[:4]
            self._streams.add(datagram.time_s, flow, content, 0, len(content))
        elif not 5060 <= both[0] < 5100 and not 5060 <= both[1] < 5100:
            self._trace.others += 1

    def _given_up(self, datagram: Datagram) -> None:
        """The first fragment of a message whose others are not there."""
        both = ports(datagram.payload)
        if datagram.protocol == UDP and both is not None and begins_like_sip(datagram.payload[8:]):
            self._trace.say(FILTERED)
            self._message(datagram, both, "UDP", datagram.payload[8:], is_cut=True)

    def _message(self, datagram: Datagram, both: tuple[int, int], transport: str, content: bytes, is_cut: bool) -> None:
        trace = self._trace
        if len(trace.messages) >= MOST_MESSAGES:
            trace.say(f"More than {MOST_MESSAGES} SIP messages; the later ones were left out.")
            return
        if self._is_seen_twice(datagram, content):
            return
        trace.messages.append(
            Found(
                datagram.time_s,
                transport,
                (address(datagram.source), both[0]),
                (address(datagram.destination), both[1]),
                content,
                is_cut,
            )
        )

    def _is_seen_twice(self, datagram: Datagram, content: bytes) -> bool:
        """A port mirror, or `-i any`, shows a packet at two places."""
        key = (datagram.source + datagram.destination, content)
        before_s = self._recent.pop(key, None)
        self._recent[key] = datagram.time_s
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return before_s is not None and abs(datagram.time_s - before_s) < _SAME_PACKET_S
