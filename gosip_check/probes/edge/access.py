"""How to read a router or firewall by SNMP, from a file of its own: `--edge-snmp FILE`. Opens no connection.

host = "192.168.1.1"
version = "2c"              # or "3", with user and, as the device wants, auth_* and privacy_*
community = "..."
"""

import re
from typing import Literal

import msgspec

from gosip_check import tomlfile
from gosip_check.probes.secret import read_private


class EdgeAccess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """port: UDP. Keys are pass phrases; a version 3 user without auth_key is not authenticated."""

    host: str
    version: Literal["2c", "3"]
    port: int = 161
    community: str = ""
    user: str = ""
    auth_protocol: Literal["MD5", "SHA", "SHA-256", "SHA-512"] = "SHA"
    auth_key: str = ""
    privacy_protocol: Literal["DES", "AES"] = "AES"
    privacy_key: str = ""

    def __repr__(self) -> str:
        return f"EdgeAccess({self.host!r}, hidden)"


def read_access(file: str) -> EdgeAccess:
    """Raises ValueError with the end of a sentence, and never a part of the file."""
    content = read_private(file)
    try:
        access = msgspec.convert(tomlfile.parse(content, file), EdgeAccess)
    except msgspec.ValidationError as error:
        words = _what_is_wrong(error)
        raise ValueError(f"{words}; host, version and community or user would be right.") from None
    except tomlfile.TomlError:
        raise ValueError('is not TOML with lines such as host = "192.168.1.1".') from None
    if not access.host or not 1 <= access.port <= 65535:
        raise ValueError("host and port must be those of the device.")
    if (access.version == "2c" and not access.community) or (access.version == "3" and not access.user):
        raise ValueError("version 2c needs a community, version 3 a user.")
    if access.privacy_key and not access.auth_key:
        raise ValueError("a privacy_key needs an auth_key beside it.")
    return access


def _what_is_wrong(error: msgspec.ValidationError) -> str:
    """The error's own words may hold a value, or an unknown name, which may be a secret in the wrong place."""
    at_the_end = re.search(r"`(?:\$\.)?(\w+)`$", str(error))
    if at_the_end and at_the_end[1] in EdgeAccess.__struct_fields__:
        return f"{at_the_end[1]} is missing or cannot be that"
    return "holds a name that means nothing here"
