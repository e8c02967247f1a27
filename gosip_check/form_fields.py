"""What the fields of the Customer Compliance Form are called: names as people read them. Knows no file and no value."""

from collections.abc import Iterable

FIELDS = {
    "company_name": "Company",
    "contact": "Contact person",
    "contact_number": "Telephone number",
    "pbx.vendor": "PBX vendor",
    "pbx.model": "PBX model",
    "pbx.release": "PBX release",
    "router.vendor": "Router vendor",
    "router.model": "Router model",
    "router.release": "Router release",
    "firewall.vendor": "Firewall vendor",
    "firewall.model": "Firewall model",
    "firewall.release": "Firewall release",
    "internet_1.service_identifier": "Internet-1 service identifier",
    "internet_1.speed": "Internet-1 speed as ordered",
    "internet_1.fixed_address": "Internet-1 fixed public address (empty where it may change)",
    "internet_1.interface": "Internet-1 interface",
    "internet_1.address": "Internet-1 address",
    "internet_1.public_address": "Internet-1 public address",
    "internet_1.measured_speed": "Internet-1 measured speed",
    "internet_2.service_identifier": "Internet-2 service identifier",
    "internet_2.speed": "Internet-2 speed as ordered",
    "internet_2.fixed_address": "Internet-2 fixed public address (empty where it may change)",
    "internet_2.interface": "Internet-2 interface",
    "internet_2.address": "Internet-2 address",
    "internet_2.public_address": "Internet-2 public address",
    "internet_2.measured_speed": "Internet-2 measured speed",
    "second_trunk.use": "Second trunk (overflow, load-sharing, or empty where there is one trunk)",
    "second_trunk.channels": "Channels of the second trunk",
    "second_trunk.link": "Line of the second trunk (Internet-1 or Internet-2)",
}
"Field -> what a person is asked for, in the order of the paper form."


def names_of(fields: Iterable[str]) -> str:
    """Fields in one sentence, such as `Router vendor or firewall vendor, PBX model`; one that is unknown as it is."""
    return ", ".join(" or ".join(_short(name) for name in field.split(" or ")) for field in fields)


def _short(field: str) -> str:
    return FIELDS.get(field, field).partition(" (")[0]
