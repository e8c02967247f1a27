"""What a PBX and a trunk said to each other: one list, whether a rehearsal or a capture brought it.

Reads SIP and puts requests and responses together; judges nothing, sends nothing, has no clock. Times are seconds since
1970; None where a text log has no times. Nothing of this is written into a report.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from gosip_check.records import Record
from gosip_check.wire.rtp import Counted
from gosip_check.wire.sip import Request, Response, WireError, parse

Place = tuple[str, int]
"Address and port."

Way = Literal["rehearsal", "trace"]
"How it was heard: the tool played the trunk, or it was captured beside a real one."

WAYS: dict[str, Way] = {"pbx rehearse": "rehearsal", "pbx trace": "trace"}
"The command of a report -> the way. Each row of a checklist says which ways can show it."


class Message(Record, frozen=True):
    """One SIP message. direction: up is from the PBX to the trunk. cut: the end of it is missing.

    source, destination: None where a log does not name it.
    """

    time_s: float | None
    direction: Literal["up", "down"]
    transport: Literal["UDP", "TCP", "TLS"]
    source: Place | None
    destination: Place | None
    sip: bytes
    cut: bool = False

    @property
    def trunk_place(self) -> Place | None:
        """The trunk's end."""
        return self.destination if self.direction == "up" else self.source

    @property
    def site(self) -> str | None:
        """The address of the trunk's end."""
        return self.trunk_place and self.trunk_place[0]


class Lookup(Record, frozen=True):
    """One DNS question of the PBX. answers: (name, kind, data as text) of each record; None: no answer was seen."""

    time_s: float
    name: str
    kind: str
    answers: list[tuple[str, str, str]] | None


class Digit(Record, frozen=True):
    """One RFC 4733 event. ends: how many packets said that it is over."""

    digit: str
    payload: int
    ends: int


class Stream(Record, frozen=True):
    """One RTP stream: counts, never content. payloads: payload type -> packets; lost: by sequence number."""

    direction: Literal["up", "down"]
    source: Place
    destination: Place
    ssrc: int
    first_s: float
    last_s: float
    packets: int
    lost: int
    jitter_mean_ms: float | None
    jitter_max_ms: float | None
    payloads: dict[int, int]
    packet_ms: float | None
    digits: list[Digit]


def stream_of(
    direction: Literal["up", "down"], source: Place, destination: Place, ssrc: int, counted: Counted
) -> Stream:
    """What was counted of a stream, with whose it is."""
    return Stream(
        direction=direction,
        source=source,
        destination=destination,
        ssrc=ssrc,
        first_s=counted.first_s,
        last_s=counted.last_s,
        packets=counted.packets,
        lost=counted.lost,
        jitter_mean_ms=counted.jitter_mean_ms,
        jitter_max_ms=counted.jitter_max_ms,
        payloads=dict(sorted(counted.payloads.items())),
        packet_ms=counted.packet_ms,
        digits=[Digit(digit, payload, ends) for digit, payload, ends in counted.digits()],
    )


class Step(Record, frozen=True):
    """What a rehearsal did, and from when to when, such as `a-silent`."""

    name: str
    began_s: float
    ended_s: float


@dataclass(frozen=True)
class Said:
    """One message, read. position: its place in the list, for what has no time."""

    message: Message
    sip: Request | Response
    position: int

    @property
    def time_s(self) -> float | None:
        return self.message.time_s

    def header(self, name: str) -> str | None:
        """None where it is not there, or stood where the message was cut: see `is_without`."""
        return self.sip.header(name)

    def is_without(self, name: str) -> bool:
        """It is certain that the message has no such header field."""
        return self.sip.header(name) is None and not self.message.cut


@dataclass
class Transaction:
    """A request, each time that it was sent, and the responses in their order (RFC 3261 17)."""

    request: Said
    method: str
    call_id: str
    cseq: int
    branch: str | None
    sent_s: list[float] = field(default_factory=list)
    responses: list[Said] = field(default_factory=list)

    @property
    def goes_up(self) -> bool:
        return self.request.message.direction == "up"

    @property
    def final(self) -> Said | None:
        """The response that ended it; None until it comes."""
        return next((each for each in self.responses if self.status_of(each) >= 200), None)

    @property
    def status(self) -> int | None:
        """The status of `final`."""
        return None if self.final is None else self.status_of(self.final)

    @property
    def starts_dialog(self) -> bool:
        """True where To has no tag: not inside a dialog."""
        return tag_of(self.request.header("To")) is None

    @staticmethod
    def status_of(said: Said) -> int:
        return said.sip.status if isinstance(said.sip, Response) else 0


@dataclass(frozen=True)
class Heard:
    """All that was heard. gaps: what cannot be known, and why. sites: the trunk's addresses, best first, where known;
    `address:port` where two sites share an address.

    numbers: the account's own, in national form. password: the rehearsal's own, made up for it; never the provider's.
    is_inside: the PBX was seen with an address of its own network; None: open. ends_s: when listening ended.
    pointed_by: how the PBX was led to the rehearsal. answers: question -> what the installer said.
    """

    way: Way
    messages: Sequence[Message]
    lookups: Sequence[Lookup] = ()
    streams: Sequence[Stream] = ()
    steps: Sequence[Step] = ()
    sites: Sequence[str] = ()
    user: str | None = None
    numbers: Sequence[str] = ()
    password: str | None = None
    show_numbers: bool = False
    is_inside: bool | None = None
    pointed_by: Literal["dns", "proxy", "address"] = "dns"
    answers: dict[str, bool] = field(default_factory=dict)
    gaps: Sequence[str] = ()
    has_media: bool = True
    "False where RTP could not be seen: a text log, or a capture that holds SIP ports only."
    has_dns: bool = True
    "The same of DNS."
    ends_s: float | None = None
    subject: str = "the PBX"

    @cached_property
    def said(self) -> list[Said]:
        """Every message that can be read, in order."""
        read = ((message, _read(message)) for message in self.messages)
        return [Said(message, sip, number) for number, (message, sip) in enumerate(read) if sip is not None]

    @cached_property
    def transactions(self) -> list[Transaction]:
        """In the order of their requests. A response whose request was not heard belongs to none."""
        return _transactions(self.said)

    def requests(self, method: str, direction: str = "up") -> list[Transaction]:
        """Those of a method in a direction, in order."""
        goes_up = direction == "up"
        return [each for each in self.transactions if each.method == method and each.goes_up is goes_up]

    def site_of(self, each: Transaction) -> str | None:
        """The trunk's end of its request, as `sites` has it."""
        message = each.request.message
        with_port = message.trunk_place and f"{message.trunk_place[0]}:{message.trunk_place[1]}"
        return with_port if with_port in self.sites else message.site

    @property
    def lasted_s(self) -> float:
        """Of a rehearsal, all steps together."""
        return sum(step.ended_s - step.began_s for step in self.steps)

    def steps_named(self, *names: str) -> list[Step]:
        return [step for step in self.steps if step.name in names]


def tag_of(value: str | None) -> str | None:
    """The tag of a From or To value, without reading the rest of it."""
    for part in (value or "").rpartition(">")[2].split(";"):
        name, _, text = part.partition("=")
        if name.strip().lower() == "tag":
            return text.strip()
    return None


def _read(message: Message) -> Request | Response | None:
    content = _whole_lines(message.sip) if message.cut else message.sip
    try:
        return parse(content)
    except WireError:
        return None


def _whole_lines(content: bytes) -> bytes:
    """What is certain of a message that was cut: its whole header lines, without the length of a body that is gone."""
    head, ended, _ = content.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n") if ended else head.split(b"\r\n")[:-1]
    kept = [line for line in lines if not line.lower().startswith((b"content-length:", b"l:"))]
    return b"\r\n".join([*kept, b"", b""])


def _transactions(said: Sequence[Said]) -> list[Transaction]:
    begun: dict[tuple[object, ...], Transaction] = {}
    waiting: defaultdict[tuple[object, ...], list[Transaction]] = defaultdict(list)
    for each in said:
        try:
            cseq, call_id = each.sip.cseq, each.sip.call_id
        except WireError:
            continue
        branch = _branch(each.sip)
        message = each.message
        if isinstance(each.sip, Request):
            key = (message.direction, message.destination, call_id, cseq.number, each.sip.method, branch)
            if key not in begun:
                begun[key] = Transaction(each, each.sip.method, call_id, cseq.number, branch)
                waiting[message.direction, call_id, cseq.number, each.sip.method].append(begun[key])
            if each.time_s is not None:
                begun[key].sent_s.append(each.time_s)
            continue
        asked_from = "up" if message.direction == "down" else "down"
        candidates = waiting[asked_from, call_id, cseq.number, cseq.method]
        fitting = [one for one in candidates if branch is None or one.branch in (None, branch)] or candidates
        if fitting:
            fitting[-1].responses.append(each)
    return list(begun.values())


def _branch(sip: Request | Response) -> str | None:
    try:
        return sip.vias[0].branch
    except WireError:
        return None
