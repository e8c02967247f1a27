"""Which of the speakers in a trace is the PBX, and which message went which way. Asks where it cannot be told.

The PBX is who registers at the trunk's domain; else the only one that talks SIP with the trunk's networks; else
whoever the person names. Legs of phones, or of a second trunk, are left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from gosip_check.heard import Heard, Lookup, Message, Place, Stream, stream_of
from gosip_check.trace.found import Found
from gosip_check.trace.packets import address
from gosip_check.trace.reading import Trace, TraceError
from gosip_check.wire import sdp
from gosip_check.wire.rtp import Counted
from gosip_check.wire.sip import Request, Response, WireError, parse

ENCRYPTED = "The signalling is encrypted (TLS): take the trace in the PBX, or in the gateway before it."
_NO_RTP = "No RTP is in this file: only SIP was captured or written down."
_HOST = re.compile(r"@([0-9A-Za-z.:\[\]-]{1,255})")
_FIRST_HOST = re.compile(rb"sips?:(?:[^@\s;>]{0,255}@)?([0-9A-Za-z.:\[\]-]{1,255})", re.IGNORECASE)


@dataclass(frozen=True)
class Trunk:
    """By what the provider's end is known."""

    domain: str
    networks: Sequence[str]


@dataclass(frozen=True)
class Account:
    """What the person says of the account. numbers: in national form. Nothing of it is found in the trace."""

    user: str | None = None
    numbers: Sequence[str] = ()
    show_numbers: bool = False


def heard_in(trace: Trace, trunk: Trunk, pbx: str | None = None, account: Account | None = None) -> Heard:
    """What PBX and trunk said. Raises TraceError with the candidates where the PBX cannot be told."""
    if not trace.messages and not trace.encrypted:
        why = " ".join(trace.gaps) or "Is this the right file, and was the PBX calling meanwhile?"
        raise TraceError(f"No SIP message was found. {why}")
    account = account or Account()
    far = _trunk_addresses(trace, trunk)
    near = pbx or _pbx_address(trace.messages, far, trunk)
    if near is not None and not far:
        far = _peers(trace.messages, near)
    calls = _calls_of_the_trunk(trace.messages, trunk)
    messages = [message for found in trace.messages if (message := _message(found, near, far, calls, trunk))]
    if pbx is not None and trace.messages and not messages:
        raise TraceError(f"{pbx} does not talk to the trunk here. {_candidates(trace.messages, far)}")
    if not messages and trace.messages:
        raise TraceError(f"No message to or from the trunk was found. {_candidates(trace.messages, far)}")
    near = near or next((m.source[0] for m in messages if m.direction == "up" and m.source), None)
    streams = _streams(trace.streams, messages, near)
    gaps = list(trace.gaps)
    if not messages:
        gaps.append(ENCRYPTED)
    elif not trace.is_capture:
        gaps.append(_NO_RTP)
    return Heard(
        way="trace",
        messages=messages,
        lookups=_lookups(trace, near),
        streams=streams,
        sites=sorted({message.site for message in messages if message.site}),
        user=account.user,
        numbers=account.numbers,
        show_numbers=account.show_numbers,
        is_inside=None if near is None else is_private(near),
        gaps=gaps,
        has_media=trace.is_capture and (bool(streams) or trace.others > 0),
        has_dns=bool(trace.questions),
        ends_s=trace.last_s if trace.last_s is not None else messages[-1].time_s if messages else None,
        subject=f"the PBX at {near}" if near else "the PBX that wrote this log",
    )


def is_private(host: str) -> bool:
    """RFC 1918, RFC 6598, link-local and their kind. False for a name."""
    try:
        return not ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def _in(host: str | None, networks: Sequence[str]) -> bool:
    try:
        return host is not None and any(ip_address(host.strip("[]")) in ip_network(each) for each in networks)
    except ValueError:
        return False


def _registers(found: Found, trunk: Trunk) -> bool:
    """A REGISTER for the trunk's domain. The first line alone is looked at; a proxy or an address may stand in it."""
    if not found.sip.lstrip().startswith(b"REGISTER "):
        return False
    hosts = {match[1].decode("latin-1").partition(":")[0].lower() for match in _FIRST_HOST.finditer(found.sip[:4000])}
    return trunk.domain.lower() in hosts


def _trunk_addresses(trace: Trace, trunk: Trunk) -> set[str]:
    """Every address of the far end: inside the provider's networks, registered at for its domain, or named by DNS."""
    domain = trunk.domain.lower()
    far = {
        data
        for question in trace.questions
        for name, kind, data in question.answers or ()
        if kind in ("A", "AAAA") and (name == domain or name.endswith(f".{domain}"))
    }
    for found in trace.messages:
        for place in (found.source, found.destination):
            if place is not None and _in(place[0], trunk.networks):
                far.add(place[0])
        if found.destination is not None and found.is_sent is not False and _registers(found, trunk):
            far.add(found.destination[0])
    return far


def _pbx_address(messages: Sequence[Found], far: set[str], trunk: Trunk) -> str | None:
    """None where the file is a log that does not name its own address. Raises TraceError with the candidates."""
    captured = [found for found in messages if found.source is not None and found.destination is not None]
    if not captured:
        return None
    registering = {found.source[0] for found in captured if found.source and _registers(found, trunk)}
    candidates = registering - far or _who_talks_to(captured, far)
    if len(candidates) == 1:
        return candidates.pop()
    raise TraceError(f"Which side is the PBX? {_candidates(messages, far)}")


def _who_talks_to(captured: Sequence[Found], far: set[str]) -> set[str]:
    talking = set()
    for found in captured:
        assert found.source is not None
        assert found.destination is not None
        pair = {found.source[0], found.destination[0]}
        if pair & far:
            talking |= pair - far
    return talking


def _peers(messages: Sequence[Found], near: str) -> set[str]:
    """Whom the PBX talks to: those with public addresses, where there are any."""
    peers = _who_talks_to([found for found in messages if found.source and found.destination], {near})
    return {peer for peer in peers if not is_private(peer)} or peers


def _candidates(messages: Sequence[Found], far: set[str]) -> str:
    places = {place[0] for found in messages for place in (found.source, found.destination) if place} - far
    if not places:
        return "Name it with --pbx ADDRESS."
    return f"Name it with --pbx ADDRESS; there are {', '.join(sorted(places)[:20])}."


def _read(content: bytes) -> Request | Response | None:
    try:
        return parse(content)
    except WireError:
        return None


def _calls_of_the_trunk(messages: Sequence[Found], trunk: Trunk) -> set[str]:
    """Call-IDs of what names the trunk's domain or an address in its networks: for logs that name no addresses."""
    calls = set()
    for found in messages:
        sip = _read(found.sip) if found.source is None and found.destination is None else None
        if sip is None:
            continue
        values = [sip.uri] if isinstance(sip, Request) else []
        values += [sip.header(name) or "" for name in ("From", "To", "Via")]
        hosts = {host.partition(":")[0].lower() for value in values for host in _HOST.findall(value)}
        if trunk.domain.lower() in hosts or any(_in(host, trunk.networks) for host in hosts) or _asker_is(sip, trunk):
            calls.add(sip.header("Call-ID") or "")
    return calls


def _asker_is(sip: Request | Response, trunk: Trunk) -> bool:
    """The request was sent by the trunk, as its topmost Via says."""
    try:
        host = sip.vias[0].host
    except WireError:
        return False
    return host.lower() == trunk.domain.lower() or _in(host, trunk.networks)


def _message(found: Found, near: str | None, far: set[str], calls: set[str], trunk: Trunk) -> Message | None:
    """None for one that is not between PBX and trunk."""
    if found.source is not None and found.destination is not None:
        if found.source[0] == near and found.destination[0] in far:
            goes_up = True
        elif found.destination[0] == near and found.source[0] in far:
            goes_up = False
        else:
            return None
    elif found.source is None and found.destination is None:
        sip = _read(found.sip)
        if sip is None or (sip.header("Call-ID") or "") not in calls:
            return None
        asked_by_trunk = _asker_is(sip, trunk)
        goes_up = found.is_sent if found.is_sent is not None else asked_by_trunk is isinstance(sip, Response)
    else:
        peer = found.source or found.destination
        assert peer is not None
        if peer[0] not in far:
            return None
        goes_up = bool(found.is_sent)
    return Message(
        time_s=found.time_s,
        direction="up" if goes_up else "down",
        transport="TLS" if found.transport == "TLS" else "TCP" if found.transport == "TCP" else "UDP",
        source=found.source,
        destination=found.destination,
        sip=found.sip,
        cut=found.cut,
    )


def _lookups(trace: Trace, near: str | None) -> list[Lookup]:
    """What the PBX asked; what anybody asked, where the capture shows no question of its address (a DNS cache asks)."""
    own = [question for question in trace.questions if question.client == near]
    return [Lookup(each.time_s, each.name, each.kind, each.answers) for each in own or trace.questions]


def _streams(counted: dict[tuple[bytes, int], Counted], messages: Sequence[Message], near: str | None) -> list[Stream]:
    """Those that SDP announced, by address and port; a NAT may change the address, so the PBX's own counts too."""
    up, down = _announced(messages, "up"), _announced(messages, "down")
    up |= {(near, port) for _, port in up} if near else set()
    brought = []
    for (flow, ssrc), stream in counted.items():
        half = (len(flow) - 4) // 2
        source = (address(flow[:half]), int.from_bytes(flow[-4:-2], "big"))
        destination = (address(flow[half : 2 * half]), int.from_bytes(flow[-2:], "big"))
        if destination in down or source in up:
            brought.append(stream_of("up", source, destination, ssrc, stream))
        elif source in down or destination in up:
            brought.append(stream_of("down", source, destination, ssrc, stream))
    return brought


def _announced(messages: Sequence[Message], direction: str) -> set[Place]:
    """Where the senders of SDP in this direction want RTP."""
    places = set()
    for message in messages:
        if message.direction == direction and b"\nm=audio" in message.sip:
            media = sdp.audio(message.sip.partition(b"\r\n\r\n")[2])
            if media is not None and media.host is not None:
                places.add((media.host, media.port))
    return places
