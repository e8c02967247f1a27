"""The provider's Customer Compliance Form as a TOML file: write an empty one, read one, say what is wrong with it.

Knows the fields and the telephone number; never decides whether a site is ready.
"""

from pathlib import Path

import msgspec
import phonenumbers

from gosip_check import tomlfile
from gosip_check.records import Form
from gosip_check.tomlfile import TomlError

REGION = "MT"
"A number without a country code is taken for a number in this country."

TEMPLATE = """\
# Customer Compliance Form. Fill in what is between the quotes; leave empty what does not apply.
# Check it with: gosip-check form check FILE

company_name = ""
contact = ""
contact_number = ""  # +356 2100 0000, or without the country code for a number in Malta
comments = ""

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

[internet_2]  # leave empty where there is one line only
service_identifier = ""
speed = ""
comments = ""
"""

_ASKED_FOR = ("company_name", "contact", "contact_number")


def load(path: Path) -> Form:
    """Raises TomlError for whatever keeps the file from being a form, a wrong telephone number included.

    The telephone number comes back in E.164, such as +35621000000.
    """
    form = tomlfile.convert(tomlfile.parse(tomlfile.read(path, "form"), str(path)), Form, str(path))
    if not form.contact_number.strip():
        return form
    try:
        return msgspec.structs.replace(form, contact_number=e164(form.contact_number))
    except ValueError as error:
        raise TomlError(f"{path}: contact_number: {error}") from error


def e164(text: str) -> str:
    """A telephone number in E.164. Raises ValueError with a sentence that says what is wrong with it."""
    written = text.strip().removeprefix("tel:")
    try:
        number = phonenumbers.parse(written, REGION)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"{text!r} is no telephone number; +356 2100 0000 would be right.") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"{text!r} has the wrong number of digits; +356 2100 0000 would be right.")
    if not phonenumbers.is_valid_number(number):
        country = phonenumbers.region_code_for_country_code(number.country_code or 0)
        raise ValueError(f"{text!r} is a number that {country} does not assign; check its digits.")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def not_filled_in(form: Form) -> list[str]:
    """The fields that the provider needs and that are empty."""
    missing = [name for name in _ASKED_FOR if not getattr(form, name).strip()]
    missing += [f"pbx.{name}" for name in ("vendor", "model", "release") if not getattr(form.pbx, name).strip()]
    if not form.router.vendor.strip() and not form.firewall.vendor.strip():
        missing.append("router.vendor or firewall.vendor")
    if not form.internet_1.service_identifier.strip():
        missing.append("internet_1.service_identifier")
    return missing
