"""What a REGISTER asks for, what it was granted, and with what it answers a challenge. Reads one transaction."""

import re

from gosip_check.heard import Transaction
from gosip_check.probes.pbx.numbers import address_of
from gosip_check.wire.register import seconds
from gosip_check.wire.sip_fields import contact_items
from gosip_check.wire.sip_uri import equivalent

REFUSING = ("refuse-401-new", "refuse-401-same", "refuse-403")
"The steps of a rehearsal that refuse a right password. They come last."


def takes_back(each: Transaction) -> bool:
    """It ends a registration (RFC 3261 10.2.2)."""
    return asked_s(each) == 0


def asked_s(each: Transaction) -> int | None:
    """The time that a REGISTER asks for: of its Contact, else of its Expires (RFC 3261 10.2.1.1)."""
    for item in [item for value in each.request.sip.headers("Contact") for item in contact_items(value)]:
        address = address_of(item)
        if address is not None and "expires" in address.params:
            return seconds(address.params["expires"])
    return seconds(each.request.header("Expires"))


def granted_s(each: Transaction) -> int | None:
    """What a 200 grants to the Contact of its request; where it lists others too, by the URI."""
    if each.final is None or each.status != 200:
        return None
    asked = address_of(next(iter(each.request.sip.headers("Contact")), None))
    for item in [item for value in each.final.sip.headers("Contact") for item in contact_items(value)]:
        address = address_of(item)
        if address is not None and asked is not None and equivalent(address.uri, asked.uri):
            return seconds(address.params.get("expires")) or seconds(each.final.header("Expires"))
    return seconds(each.final.header("Expires")) or asked_s(each)


_CREDENTIAL = re.compile(r'([a-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))', re.IGNORECASE)


def credentials_of(each: Transaction) -> dict[str, str] | None:
    """The parameters of Authorization or Proxy-Authorization; None where there is none."""
    value = each.request.header("Authorization") or each.request.header("Proxy-Authorization")
    if value is None:
        return None
    return {name.lower(): quoted or plain for name, quoted, plain in _CREDENTIAL.findall(value)}
