"""SIP messages: bytes to fields and fields to bytes (RFC 3261, RFC 3581). No socket, no clock, no randomness.

Reading is lenient and hides nothing: header fields keep their order and the name as it was written, `raw` keeps the
bytes. Trunks and the boxes in front of them send what the grammar forbids, and a reader that refuses it would report a
fault that calls do not have. Only what cannot be decided is refused, and then with `WireError`: if `parse`
or any property here raises anything else, that is a bug. Reading takes time linear in the input.

Text is decoded as UTF-8, and what is not UTF-8 as Latin-1, one character for each byte. Control characters stay in the
strings: whoever prints them cleans them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from gosip_check.wire.sip_fields import (
    BLANK,
    Address,
    CSeq,
    Via,
    WireError,
    canonical,
    contact_items,
    is_number,
    number,
    read_address,
    read_cseq,
    read_via,
    shown,
    split_list,
)

__all__ = [
    "Address",
    "CSeq",
    "Header",
    "Message",
    "Request",
    "Response",
    "Via",
    "WireError",
    "check_start_line",
    "content_length",
    "options_request",
    "parse",
    "response",
    "split_list",
]

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")


@dataclass(frozen=True)
class Header:
    """One header field, `name` as written, `value` unfolded. A line without a colon is the value of the name ""."""

    name: str
    value: str


@dataclass(frozen=True)
class Message:
    """What requests and responses share. `raw` is the whole datagram, or the message's own bytes in a stream."""

    fields: tuple[Header, ...]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        """The first value under that name, whatever its case, long or compact; None where there is none."""
        wanted = canonical(name)
        return next((field.value for field in self.fields if canonical(field.name) == wanted), None)

    def headers(self, name: str) -> list[str]:
        """Every value under that name, top to bottom, not split at commas."""
        wanted = canonical(name)
        return [field.value for field in self.fields if canonical(field.name) == wanted]

    @property
    def vias(self) -> list[Via]:
        """Every Via value, topmost first, never empty: a message without one raises WireError."""
        vias = [read_via(item) for value in self.headers("Via") for item in split_list(value, ",")]
        if not vias:
            raise WireError("no Via header field, or an empty one")
        return vias

    @property
    def from_(self) -> Address:
        return read_address(self._required("From"))

    @property
    def to(self) -> Address:
        return read_address(self._required("To"))

    @property
    def contacts(self) -> list[Address]:
        """Every Contact value; an empty list where there is none, which RFC 3261 allows in most messages."""
        return [read_address(item) for value in self.headers("Contact") for item in contact_items(value)]

    @property
    def cseq(self) -> CSeq:
        return read_cseq(self._required("CSeq"))

    @property
    def call_id(self) -> str:
        return self._required("Call-ID")

    def _required(self, name: str) -> str:
        value = self.header(name)
        if not value:
            raise WireError(f"no {name} header field" if value is None else f"the {name} header field is empty")
        return value


@dataclass(frozen=True)
class Request(Message):
    """`uri` is the Request-URI exactly as sent, also where it is none (RFC 4475 has one in angle brackets)."""

    method: str
    uri: str


@dataclass(frozen=True)
class Response(Message):
    """`reason` may be empty: it is for people, and some servers leave it and its space out."""

    status: int
    reason: str


def parse(datagram: bytes) -> Request | Response:
    """One UDP datagram as a message. Raises WireError and nothing else.

    A body shorter than Content-Length says is an error; octets behind it are left out of `body` (RFC 3261 18.3).
    Without Content-Length the body reaches to the end. A missing empty line after the header fields is forgiven.
    """
    start = len(datagram) - len(datagram.lstrip(b"\r\n"))
    if start == len(datagram):
        raise WireError("no message: empty, or only line breaks (a keep-alive)")
    head = _read_head(datagram, start)
    fields = _decoded(head.lines[1:])
    body = datagram[head.end :]
    length = _content_length(fields)
    if length is not None and length > len(body):
        raise WireError(f"Content-Length is {length} but only {len(body)} octets follow (RFC 3261 18.3)")
    return _message(head.lines[0], fields, body[:length], datagram)


def check_start_line(line: bytes) -> None:
    """WireError where the first line of a message, without its line end, is not SIP's."""
    _start_line(line)


def content_length(head: bytes) -> int | None:
    """Octets of body that a head announces; None where it does not say. Raises WireError."""
    return _content_length(_decoded(_read_head(head, 0).lines[1:]))


def options_request(
    *,
    uri: str,
    transport: str,
    host: str,
    port: int,
    branch: str,
    call_id: str,
    from_tag: str,
    user_agent: str,
    cseq: int = 1,
    via_host: str | None = None,
    rport: bool = True,
    max_forwards: int = 70,
    extra: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """An OPTIONS request (RFC 3261 11.1). ValueError where a value would break the message: that is our fault.

    host, port: the socket's own, in Via, Contact and From. A Via port that is not the socket's port makes Linux's SIP
    helper send the answer elsewhere. via_host: another host for Via alone.
    rport: ask for the answer at the port that the request comes from (RFC 3581 4), not at the one in Via.
    Via and Contact come first, so that they lie within the few octets that an ICMP error quotes.
    """
    if transport not in ("UDP", "TCP", "TLS"):
        raise ValueError(f"transport is {transport!r}, not UDP, TCP or TLS")
    if not 0 < port <= 65535:
        raise ValueError(f"port is {port}, not 1 to 65535")
    refuse_unsafe(uri, host, via_host or host, branch, call_id, from_tag)
    here = f"sip:probe@{_bracketed(host)}:{port}"
    contact = here if transport == "UDP" else f"{here};transport={transport.lower()}"
    return written(
        f"OPTIONS {uri} SIP/2.0",
        [
            ("Via", f"SIP/2.0/{transport} {_bracketed(via_host or host)}:{port};branch={branch}{';rport' * rport}"),
            ("Contact", f"<{contact}>"),
            ("From", f"<{here}>;tag={from_tag}"),
            ("To", f"<{uri}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} OPTIONS"),
            ("Max-Forwards", str(max_forwards)),
            ("User-Agent", user_agent),
            ("Accept", "application/sdp"),
            *extra,
        ],
        body,
    )


def response(
    request: Request,
    status: int,
    reason: str,
    *,
    to_tag: str,
    received: tuple[str, int] | None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """The response to `request` (RFC 3261 8.2.6): Via, From, To, Call-ID and CSeq copied octet by octet from its `raw`.

    received: where the request came from; the top Via then gets `received` and `rport` (RFC 3261 18.2.1, RFC 3581 4).
    None leaves it alone. to_tag: added to a To without a tag, except in a 100. What the request does not have of the
    five, the response does not have either. ValueError where an argument would break the message; WireError where the
    top Via or the To must be changed and cannot be read.
    """
    if not 100 <= status <= 699:
        raise ValueError(f"status is {status}, not 100 to 699")
    refuse_unsafe(to_tag, received[0] if received else "-")
    copied: dict[str, list[str]] = {"Via": [], "From": [], "To": [], "Call-ID": [], "CSeq": []}
    start = len(request.raw) - len(request.raw.lstrip(b"\r\n"))
    for raw_name, raw_value in _unfolded(_read_head(request.raw, start).lines[1:]):
        for name, values in copied.items():
            if canonical(_text(raw_name)) == name.lower() and (name == "Via" or not values):
                values.append(raw_value.decode("latin-1"))
    if copied["Via"] and received:
        copied["Via"][0] = _stamped(copied["Via"][0], *received)
    if copied["To"] and status != 100 and request.to.tag is None:
        copied["To"][0] += f";tag={to_tag}"
    copies = [(name, value.encode("latin-1")) for name, values in copied.items() for value in values]
    return written(f"SIP/2.0 {status} {reason}", headers, body, copies)


@dataclass(frozen=True)
class _Head:
    """Start line and header lines without their line ends; `end` is where the body starts."""

    lines: list[bytes]
    end: int
    complete: bool


def _read_head(data: bytes, start: int) -> _Head:
    lines: list[bytes] = []
    while (line_end := data.find(b"\n", start)) >= 0:
        line = data[start:line_end].rstrip(b"\r")
        start = line_end + 1
        if not line:
            return _Head(lines, start, complete=True)
        lines.append(line)
    last = data[start:].rstrip(b"\r")
    return _Head([*lines, last] if last else lines, len(data), complete=False)


def _unfolded(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """(name, value) of each header field; lines that start with a blank continue the field before (RFC 3261 7.3.1)."""
    unfolded: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and unfolded:
            unfolded[-1].append(line.strip(b" \t"))
        else:
            unfolded.append([line])
    fields = []
    for parts in unfolded:
        name, colon, value = b" ".join(parts).partition(b":")
        fields.append((name.rstrip(b" \t"), value.strip(b" \t")) if colon else (b"", name.strip(b" \t")))
    return fields


def _decoded(lines: list[bytes]) -> tuple[Header, ...]:
    return tuple(Header(_text(name), _text(value)) for name, value in _unfolded(lines))


def _message(start_line: bytes, fields: tuple[Header, ...], body: bytes, raw: bytes) -> Request | Response:
    first, second = _start_line(start_line)
    if isinstance(first, int):
        return Response(fields, body, raw, first, second)
    return Request(fields, body, raw, first, second)


def _start_line(line: bytes) -> tuple[int, str] | tuple[str, str]:
    """(status, reason) or (method, Request-URI). Blanks around and between the parts are forgiven."""
    text = _text(line).replace("\t", " ").strip(BLANK)
    if text[:4].upper() == "SIP/":
        version, _, rest = text.partition(" ")
        code, _, reason = rest.lstrip(BLANK).partition(" ")
        if version.upper() != "SIP/2.0":
            raise WireError(f"version {shown(version)} is not SIP/2.0")
        if len(code) != 3 or not is_number(code) or not "100" <= code <= "699":
            raise WireError(f"status {shown(code)} is not a number from 100 to 699")
        return int(code), reason.strip(BLANK)
    method, _, rest = text.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if version[:4].upper() != "SIP/" or not uri.strip(BLANK):
        raise WireError(f"the first line {shown(text)} is neither a SIP request nor a response")
    if version.upper() != "SIP/2.0":
        raise WireError(f"version {shown(version)} is not SIP/2.0")
    if not _TOKEN.issuperset(method):
        raise WireError(f"method {shown(method)} is not a token")
    return method, uri.strip(BLANK)


def _content_length(fields: tuple[Header, ...]) -> int | None:
    lengths = {
        number(field.value, "Content-Length", 2**31 - 1)
        for field in fields
        if canonical(field.name) == "content-length"
    }
    if len(lengths) > 1:
        raise WireError("several Content-Length header fields that differ: the end of the message is unknown")
    return lengths.pop() if lengths else None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def written(
    start_line: str, headers: Iterable[tuple[str, str]], body: bytes, copies: Iterable[tuple[str, bytes]] = ()
) -> bytes:
    """Start line, copied and given header fields, Content-Length, body.

    ValueError where a given line would be two. Copies are the other side's own octets, cut out of one line each.
    """
    given = [start_line]
    for name, value in headers:
        if not name or not _TOKEN.issuperset(name):
            raise ValueError(f"header field name {name!r} is not a token")
        if canonical(name) == "content-length":
            raise ValueError("Content-Length is counted, not given")
        given.append(f"{name}: {value}")
    for line in given:
        if any(character in line for character in "\r\n\0"):
            raise ValueError(f"{line!r} holds a line break or a NUL")
    first, *lines = (line.encode() for line in given)
    copied = (name.encode() + b": " + value for name, value in copies)
    return b"\r\n".join([first, *copied, *lines, f"Content-Length: {len(body)}".encode(), b"", body])


def refuse_unsafe(*words: str) -> None:
    """ValueError for a word that would end the part of a message it stands in."""
    for word in words:
        if not word or not word.isprintable() or any(character in ' <>"' for character in word):
            raise ValueError(f"{word!r} cannot stand in a SIP message")


def _stamped(vias: str, address: str, port: int) -> str:
    """A Via field value whose first value tells where the request came from (RFC 3261 18.2.1, RFC 3581 4)."""
    top, *others = split_list(vias, ",") or [""]
    via = read_via(top)
    wants_port = "rport" in via.params and via.params["rport"] is None
    stamped = [f"rport={port}" if wants_port and part.lower() == "rport" else part for part in split_list(top, ";")]
    if wants_port or not _same_host(via.host, address):
        stamped = [part for part in stamped if part.partition("=")[0].rstrip(BLANK).lower() != "received"]
        stamped.append(f"received={address}")
    return ", ".join([";".join(stamped), *others])


def _same_host(host: str, address: str) -> bool:
    try:
        return ip_address(host) == ip_address(address)
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
