"""The provider's Customer Compliance Form as a TOML file: write an empty one, read one, say what is wrong with it.

Knows the fields and the telephone number; never decides whether a site is ready.
"""

import tomllib
from pathlib import Path

import msgspec
import phonenumbers

from gosip_check.records import Form

REGION = "MT"
"A number without a country code is taken for a number in this country."

LARGEST_FILE = 1024 * 1024

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
interface = ""  # from here on as found at the site; gosip-check form fill FILE looks for it
address = ""
public_address = ""
measured_speed = ""

[internet_2]  # leave empty where there is one line only
service_identifier = ""
speed = ""
comments = ""
interface = ""
address = ""
public_address = ""
measured_speed = ""
"""


class FormError(Exception):
    """A form that cannot be used. The text is a sentence for the person who filled it in."""


def load(path: Path) -> Form:
    """Raises FormError for whatever keeps the file from being a form, a wrong telephone number included.

    The telephone number comes back in E.164, such as +35621000000.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise FormError(f"{path}: cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE:
        raise FormError(f"{path}: is larger than {LARGEST_FILE // 1024} KiB, so it is not a form.")
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
        form = msgspec.convert(document, Form)
    except UnicodeDecodeError as error:
        raise FormError(f"{path}: is not UTF-8 text (byte {error.start}); TOML files are.") from error
    except tomllib.TOMLDecodeError as error:
        raise FormError(f"{path}: is not valid TOML: {error}.") from error
    except msgspec.ValidationError as error:
        words = str(error).replace("`", "").replace("$.", "")
        raise FormError(f"{path}: {words}. `gosip-check form new FILE` shows every field.") from error
    except RecursionError as error:
        raise FormError(f"{path}: is nested too deeply to be a form.") from error
    if not form.contact_number.strip():
        return form
    try:
        return msgspec.structs.replace(form, contact_number=e164(form.contact_number))
    except ValueError as error:
        raise FormError(f"{path}: contact_number: {error}") from error


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
