"""The values of SIP header fields: Via, addresses, CSeq, lists, parameters, numbers (RFC 3261 20 and 25). Text only.

Lenient like sip.py, which knows the messages around these values. Time is linear in the text. Only WireError escapes.
"""

from dataclasses import dataclass

MAX_CSEQ = 2**32 - 1
"""CSeq must be expressible as a 32-bit unsigned integer (RFC 3261 8.1.1.5)."""

BLANK = " \t\r\n"

# The compact forms in the registry of header fields that RFC 3261 section 27.3 set up.
_LONG_FORM = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}


class WireError(ValueError):
    """Bytes from the network that cannot be read. The text says what is wrong with them."""


@dataclass(frozen=True)
class Via:
    """One Via value (RFC 3261 20.42). `transport` is in capitals; IPv6 hosts stand without brackets."""

    transport: str
    host: str
    port: int | None
    params: dict[str, str | None]

    @property
    def branch(self) -> str | None:
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The address the request came from, as the server saw it; without the brackets some put around IPv6."""
        address = self.params.get("received")
        return address.strip("[]") if address else None

    @property
    def rport(self) -> int | None:
        """The port the request came from, as the server saw it (RFC 3581). None where absent or without a value."""
        port = self.params.get("rport")
        return number(port, "rport", 65535) if port else None


@dataclass(frozen=True)
class Address:
    """The value of From, To or Contact (RFC 3261 20.10). `uri` is "*" in `Contact: *`; `params` are the field's own."""

    display: str
    uri: str
    params: dict[str, str | None]

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")


@dataclass(frozen=True)
class CSeq:
    number: int
    method: str


def canonical(name: str) -> str:
    """The name of a header field in small letters and its long form: what to compare."""
    return _LONG_FORM.get(name.lower(), name.lower())


def split_list(text: str, separator: str) -> list[str]:
    """Split at a one-character separator, but not inside "quotes" or <angle brackets>; trims, and drops empty items.

    A quote or bracket that is never closed reaches to the end of the text.
    """
    items = []
    start = 0
    quoted = escaped = bracketed = False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character == "<":
            bracketed = True
        elif character == ">":
            bracketed = False
        elif character == separator and not bracketed:
            items.append(text[start:position])
            start = position + 1
    items.append(text[start:])
    return [trimmed for item in items if (trimmed := item.strip(BLANK))]


def read_cseq(text: str) -> CSeq:
    words = _words(text)
    if len(words) != 2:
        raise WireError(f"CSeq {shown(text)} is not a number and a method")
    return CSeq(number(words[0], "CSeq", MAX_CSEQ), words[1])


def read_via(text: str) -> Via:
    """One Via value. Blanks around slashes and colons are in the grammar; RFC 4475 has them."""
    head, *params = split_list(text, ";") or [""]
    protocol, _, rest = head.partition("/")
    version, _, rest = rest.partition("/")
    transport, *sent_by = _words(rest) or [""]
    if (protocol.strip(BLANK).upper(), version.strip(BLANK)) != ("SIP", "2.0") or not sent_by:
        raise WireError(f"Via {shown(text)} is not SIP/2.0/transport and host")
    host, port = _host_and_port("".join(sent_by))
    return Via(transport.upper(), host, port, _params(params))


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Host and port of a sent-by. Several colons without brackets are an IPv6 address that has none, and no port."""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise WireError(f"host {shown(text)} has brackets that do not match")
        port = rest[1:]
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if not host:
        raise WireError(f"no host in {shown(text)}")
    return host, number(port, "port", 65535) if port else None


def read_address(text: str) -> Address:
    """A name-addr or an addr-spec. Without angle brackets, what follows ";" belongs to the field (RFC 3261 20)."""
    opening = _opening_bracket(text)
    if opening < 0:
        uri, *params = split_list(text, ";") or [""]
        display = ""
    else:
        display = _unquoted(text[:opening].strip(BLANK))
        uri, closed, rest = text[opening + 1 :].partition(">")
        if not closed:
            raise WireError(f"address {shown(text)} has '<' without '>'")
        params = split_list(rest, ";")
        uri = uri.strip(BLANK)
    if uri != "*" and ":" not in uri:
        raise WireError(f"address {shown(text)} holds no URI")
    return Address(display, uri, _params(params))


def _opening_bracket(text: str) -> int:
    """Where the first "<" outside quotes is, or -1. A quote that is never closed is taken for an ordinary character."""
    quoted = escaped = False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character == "<":
            return position
    return text.find("<") if quoted else -1


def contact_items(value: str) -> list[str]:
    """Contact values; a display name with a comma and no quotes (forbidden, and sent) is put together again."""
    items = []
    begun: list[str] = []
    for item in split_list(value, ","):
        begun.append(item)
        if ":" in item or item == "*":
            items.append(", ".join(begun))
            begun = []
    return items + begun


def _params(items: list[str]) -> dict[str, str | None]:
    """Names in small letters, values without quotes, None where there is no "="; the first of equal names counts."""
    params: dict[str, str | None] = {}
    for item in items:
        name, equals, value = item.partition("=")
        params.setdefault(name.strip(BLANK).lower(), _unquoted(value.strip(BLANK)) if equals else None)
    return params


def _unquoted(text: str) -> str:
    """A quoted-string without quotes and escapes; anything else as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    characters = []
    escaped = False
    for character in text[1:-1]:
        escaped = character == "\\" and not escaped
        if not escaped:
            characters.append(character)
    return "".join(characters)


def _words(text: str) -> list[str]:
    return [word for word in text.replace("\t", " ").split(" ") if word]


def number(text: str, what: str, largest: int) -> int:
    # The length is looked at first: int() of a long row of digits is slow, and of a very long one an error.
    digits = text.lstrip("0") or text[:1]
    if not is_number(digits):
        raise WireError(f"{what} {shown(text)} is not a number")
    if len(digits) > len(str(largest)) or int(digits) > largest:
        raise WireError(f"{what} {shown(text)} is larger than {largest}")
    return int(digits)


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
