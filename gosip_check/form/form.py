"""The provider's Customer Compliance Form as a TOML file: write one, read one, fill one in, say what is wrong with it.

Knows the fields and the telephone number; never decides whether a site is ready, and looks for nothing itself. What was
found at a site and confirmed by nobody is named in `discovered`.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import phonenumbers

from gosip_check import tomlfile
from gosip_check.form_fields import FIELDS
from gosip_check.records import Form, Report
from gosip_check.tomlfile import TomlError

REGION = "MT"
"A number without a country code is taken for a number in this country."

CHOICES = {
    "second_trunk.use": ("overflow", "load-sharing"),
    "second_trunk.link": ("Internet-1", "Internet-2"),
}
"Field -> the only words that it may hold."

TEMPLATE = """\
# Customer Compliance Form. Fill in what is between the quotes; leave empty what does not apply.
# Check it with: gosip-check form check FILE

company_name = ""
contact = ""
contact_number = ""  # +356 2100 0000, or without the country code for a number in Malta
comments = ""
discovered = []  # fields that gosip-check found and nobody has confirmed; take out what is right

[pbx]
vendor = ""
model = ""
release = ""

[router]
vendor = ""
model = ""
release = ""

[firewall]  # the same as the router where the router is the firewall
vendor = ""
model = ""
release = ""

[internet_1]
service_identifier = ""
speed = ""  # download/upload as ordered, such as 500/100 Mb/s
comments = ""
fixed_address = ""  # a public address that never changes, for the provider to whitelist; empty where it may change
interface = ""  # from here on as found at the site; gosip-check form fill FILE looks for it
address = ""
public_address = ""
measured_speed = ""

[internet_2]  # leave empty where there is one line only
service_identifier = ""
speed = ""
comments = ""
fixed_address = ""
interface = ""
address = ""
public_address = ""
measured_speed = ""

[second_trunk]  # leave empty where one trunk is ordered
use = ""  # overflow (when the first one is full) or load-sharing (calls over both, by priority and weight)
channels = ""  # of the second trunk; gosip-check recommend --trunks 2 says how many
link = ""  # the line it goes over: Internet-1 or Internet-2
comments = ""
"""


def load(path: Path) -> Form:
    """Raises TomlError for whatever keeps the file from being a form, a wrong telephone number included.

    The telephone number comes back in E.164, such as +35621000000.
    """
    form = tomlfile.load(path, Form, "form")
    wrong = faults(form)
    if wrong:
        raise TomlError(f"{path}: {wrong[0]}")
    return msgspec.structs.replace(form, contact_number=checked("contact_number", form.contact_number))


def faults(form: Form) -> list[str]:
    """What is written in a form and cannot be right, a sentence each."""
    wrong = []
    for field in FIELDS:
        try:
            checked(field, value_of(form, field))
        except ValueError as error:
            wrong.append(f"{field}: {error}")
    unknown = [name for name in form.discovered if name not in FIELDS]
    return wrong + [f"discovered: {name!r} is not a field; use one such as router.vendor." for name in unknown]


def checked(field: str, text: str) -> str:
    """What a field may hold, in its one spelling. Raises ValueError with a sentence; empty text is always right."""
    text = text.strip()
    if not text:
        return ""
    match field.rpartition(".")[2]:
        case "contact_number":
            return e164(text)
        case "fixed_address":
            try:
                return str(ip_address(text))
            except ValueError:
                raise ValueError(f"{text!r} is not an IP address; write one such as 203.0.113.7.") from None
    known = CHOICES.get(field)
    if known and text not in known:
        raise ValueError(f"{text!r} is not {' or '.join(known)}.")
    if field == "second_trunk.channels" and not re.fullmatch("[1-9][0-9]{0,4}", text):
        raise ValueError(f"{text!r} is not a number of channels.")
    return text


def e164(text: str) -> str:
    """A telephone number in E.164. Raises ValueError with a sentence that says what is wrong with it.

    The library drops an extension, takes letters for the digits of their keys, and ends at a slash. Nothing of that
    may pass in silence, so every digit that was typed must be one of the number.
    """
    written = unicodedata.normalize("NFKC", text).strip().removeprefix("tel:")
    try:
        number = phonenumbers.parse(written, REGION)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"{text!r} is not a telephone number; write one such as +356 2100 0000.") from error
    letters = "".join(character for character in written if character.isalpha())
    if letters:
        raise ValueError(f"{text!r} holds letters ({letters}); write digits only, and an extension in the comments.")
    typed = "".join(str(unicodedata.digit(character)) for character in written if character.isdigit())
    national = phonenumbers.national_significant_number(number)
    full = f"{number.country_code}{national}"
    trunk_zero = f"{number.country_code}0{national}" if "(0)" in written else full
    if typed not in (full, f"00{full}", national, trunk_zero):
        raise ValueError(
            f"{text!r} holds more than one telephone number (+{full}); write that alone, the rest in the comments."
        )
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"{text!r} has the wrong number of digits; write one such as +356 2100 0000.")
    if not phonenumbers.is_valid_number(number):
        country = phonenumbers.region_code_for_country_code(number.country_code or 0)
        raise ValueError(f"{text!r} is a number that {country} does not assign; check its digits.")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@dataclass(frozen=True)
class Finding:
    """A value for a field, such as `router.vendor`, and where it was found."""

    field: str
    value: str
    where: str


def value_of(form: Form, field: str) -> str:
    """What stands in a field."""
    value: Any = form
    for name in field.split("."):
        value = getattr(value, name)
    return str(value)


def with_value(form: Form, field: str, value: str, *, discovered: bool) -> Form:
    """The form with a field filled in. discovered: nobody has confirmed it."""
    names = [name for name in form.discovered if name != field] + ([field] if discovered else [])
    group, _, name = field.rpartition(".")
    changed: dict[str, Any] = {name: value}
    if group:
        changed = {group: msgspec.structs.replace(getattr(form, group), **changed)}
    return msgspec.structs.replace(form, discovered=names, **changed)


def with_findings(form: Form, findings: Iterable[Finding]) -> Form:
    """The form with what was found in the fields that are empty, each of them marked as discovered."""
    for finding in findings:
        if finding.value.strip() and not value_of(form, finding.field).strip():
            form = with_value(form, finding.field, finding.value.strip(), discovered=True)
    return form


def findings_of(report: Report) -> list[Finding]:
    """What a run has seen of the lines: interface, addresses, and the rates that were measured."""
    found = []
    for number, link in enumerate(report.links[:2], 1):
        line, where = f"internet_{number}", f"report {report.id}"
        found += [
            Finding(f"{line}.interface", link.interface or "", where),
            Finding(f"{line}.address", link.source or "", where),
            Finding(f"{line}.public_address", link.public_address or "", where),
        ]
        for measurement in report.measurements:
            facts = measurement.facts or {}
            down, up = facts.get("rate_down_kbps"), facts.get("rate_up_kbps")
            if measurement.link == link.name and isinstance(down, int | float) and isinstance(up, int | float):
                words = f"at least {down / 1000:.3g}/{up / 1000:.3g} Mb/s (down/up, the load of the test)"
                found.append(Finding(f"{line}.measured_speed", words, where))
    return [finding for finding in found if finding.value]


def to_toml(form: Form) -> str:
    """The form as the template writes it, comments and all. A comment of one's own in an older file is not kept."""
    lines, group = [], ""
    for line in TEMPLATE.splitlines():
        header = re.match(r"\[(\w+)\]", line)
        field = re.match(r"(\w+) = (\"\"|\[\])", line)
        if header:
            group = f"{header[1]}."
        if field and field[2] == "[]":
            line = line.replace("[]", f"[{', '.join(map(_quoted, form.discovered))}]", 1)
        elif field:
            line = line.replace('""', _quoted(value_of(form, group + field[1])), 1)
        lines.append(line)
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """A TOML basic string, in which what a terminal obeys or nobody sees is escaped: devices of the site wrote it."""
    text = text.encode("utf-8", errors="replace").decode("utf-8")  # a lone surrogate, which no file can hold
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


_FILLERS = "\u115f\u1160\u3164\uffa0"
"Letters by their category, which nobody sees."


def _escaped(letter: str) -> str:
    if letter.isprintable() and letter not in _FILLERS:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
