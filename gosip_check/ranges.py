"""Which values a trunk, or the options of a probe, can have: one table by the name of the field. Sends nothing.

A checklist's requirement may choose any option, and a trunk fills those of the same name, so both are held against it.
"""

import re
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address, ip_network
from typing import Any

from gosip_check.probes.dns.resolvers import parse_resolver
from gosip_check.probes.far_end import host_and_port
from gosip_check.probes.far_link.pair import name_and_place
from gosip_check.probes.media.transfer import place_of

_LONGEST_NAME = 253
"RFC 1035 2.3.4."

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SERVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,60}[A-Za-z0-9])?")
"As a label of DNS, which an underscore will stand before."

_SUBTYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
"Of a media type, RFC 6838 4.2; without the % that nobody uses."

_LONGEST_TEXT = 200

MOST_ITEMS = 1000
"Of any list: each network costs time wherever addresses are looked up in them."

_PORTS = (1, 65535)
_SECONDS_OF_SIP = (1, 2**32 - 1)
"RFC 3261 20.19. A registration of 0 s would take one away."

_NUMBERS: dict[str, tuple[float, float]] = {
    "port": _PORTS,
    "ntp_port": _PORTS,
    "management_ports": _PORTS,
    "rtp_ports": _PORTS,
    "reregistration_s": _SECONDS_OF_SIP,
    "session_timer_s": _SECONDS_OF_SIP,
    "kbps_per_channel": (1, 1_000_000),
    "channels": (1, 2000),
    "duration_s": (0.1, 600),
    "idle_s": (0, 60),
    "listen_s": (0, 130),
    "requests": (1, 50),
    "national_digits": (0, 15),
}
"Field -> the smallest and the largest that it, or each of its items, may be."


def _network(text: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; such as 192.0.2.0/24 would be right.") from error


def _address(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address; such as 192.0.2.1 would be right.") from None


def _domain(text: str) -> None:
    if len(text) > _LONGEST_NAME or not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is not a domain; trunk.example.net would be right.")


def _host(text: str) -> None:
    if ":" in text:
        _address(text)
    else:
        _domain(text)


def _service(text: str) -> None:
    if not _SERVICE.fullmatch(text):
        raise ValueError(f"{text!r} is not a service; sip would be right.")


def _country_code(text: str) -> None:
    if text and not (text.isascii() and text.isdigit() and len(text) < 4 and text[0] != "0"):
        raise ValueError(f"{text!r} is not a country code; 356 would be right.")


def _codec(text: str) -> None:
    if not _SUBTYPE.fullmatch(text):
        raise ValueError(f"{text!r} is not a name as SDP has it; PCMA would be right.")


def _event(text: str) -> None:
    if not _SUBTYPE.fullmatch(text):
        raise ValueError(f"{text!r} is not a name as SDP has it; telephone-event would be right.")


def _date(text: str) -> None:
    try:
        is_date = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        raise ValueError(f"{text!r} is not a date; 2026-11-27 would be right.")


def _line(text: str) -> None:
    if len(text) > _LONGEST_TEXT or not text.isprintable():
        raise ValueError(f"must be one line of at most {_LONGEST_TEXT} letters, without control characters.")


_TEXTS: dict[str, Callable[[str], object]] = {
    "domain": _domain,
    "service": _service,
    "country_code": _country_code,
    "codec": _codec,
    "dtmf": _event,
    "own_networks_date": _date,
    "provider": _line,
    "guide": _line,
    "data_sheet": _line,
    "device": _line,
    "networks": _network,
    "own_networks": _network,
    "management_addresses": _address,
    "ntp_servers": _host,
    "dns_servers": parse_resolver,
    "reflector": host_and_port,
    "stun": host_and_port,
    "far_end_link": name_and_place,
    "download": place_of,
    "upload": place_of,
}
"Field -> what raises ValueError, with a sentence, where it, or one of its items, cannot be."


def wrong_value(record: Any) -> str | None:
    """What is wrong in a trunk or in the options of a probe: `port: must lie between 1 and 65535.`"""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        items = value if isinstance(value, list | tuple) else [] if value is None else [value]
        if len(items) > MOST_ITEMS:
            return f"{name}: has {len(items)} entries; {MOST_ITEMS} is the most."
        sentence = _wrong_item(name, items)
        if sentence is not None:
            return f"{name}: {sentence}"
    if getattr(record, "networks", None) == []:
        return "networks is empty; name at least one, such as 192.0.2.0/24."
    first, last = getattr(record, "rtp_ports", _PORTS)
    if first > last:
        return f"rtp_ports: {first}-{last} is not a range; [1024, 65535] would be right."
    service = f"_{getattr(record, 'service', '')}._{getattr(record, 'transport', '')}."
    if hasattr(record, "service") and len(service + record.domain) > _LONGEST_NAME:
        return (
            f"domain: {record.domain!r} is too long: with {service} before it, a name may have {_LONGEST_NAME} letters."
        )
    return None


def _wrong_item(name: str, items: Any) -> str | None:
    if name in _NUMBERS:
        low, high = _NUMBERS[name]
        inside = all(low <= number <= high for number in items)
        return None if inside else f"must lie between {low:g} and {high:.10g}."
    for item in items if name in _TEXTS else ():
        try:
            _TEXTS[name](item)
        except ValueError as error:
            return str(error)
    return None
