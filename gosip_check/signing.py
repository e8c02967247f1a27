"""Signs a report and verifies one: Ed25519 or HMAC-SHA-256. No cryptography of its own.

What is signed is the JSON document as it stands in the file, without its signature, in one canonical spelling; so
spaces and the order of names do not matter, and every value does. Which kind of key a file holds decides the
algorithm, never the document. No message here repeats a byte of a key.
"""

import hashlib
import hmac
import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gosip_check.records import Report, Signature

_WHAT_FOR = b"gosip-check/report-signature/1\n"
"Stands before the document, so that a signature made for anything else never fits a report."

_FEWEST_DIGITS = 32
_SHARED = re.compile(rb"(?:[0-9A-Fa-f]{2}){%d,}" % (_FEWEST_DIGITS // 2))
_LARGEST_KEY_FILE = 16 * 1024


class SigningError(Exception):
    """A key that cannot be used, or a signature that cannot be checked. The text is a sentence without any secret."""


class Key:
    """A key read from a file: an Ed25519 key in PEM, else one that both sides share (HMAC).

    A shared key is a line of 32 hexadecimal digits or more, as `openssl rand -hex 32` gives; everything else is
    refused, because a public key has many spellings, and everybody may know it. One of them stays: the bare 32 octets
    of an Ed25519 key in hexadecimal look like any secret. What must stay secret is read from a private file only.
    """

    def __init__(self, path: Path, *, signs: bool) -> None:
        """`signs`: wanted for signing, so an Ed25519 key must be the private one. Raises SigningError."""
        self._private: Ed25519PrivateKey | None = None
        self._public: Ed25519PublicKey | None = None
        self._shared = b""
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST_KEY_FILE + 1).strip()
                others_may_read = bool(os.fstat(file.fileno()).st_mode & 0o077)
        except OSError as error:
            raise SigningError(f"{path}: cannot be read: {error.strerror}.") from error
        if len(content) > _LARGEST_KEY_FILE:
            raise SigningError(f"{path}: is too large to be a key.")
        if b"-----BEGIN" in content:
            self._load_pem(content, path, signs)
        elif _SHARED.fullmatch(content) and not _is_spelled_otherwise(content):
            self._shared = content
        else:
            raise SigningError(
                f"{path}: is no key that can be used here. Ed25519 stands in PEM (openssl pkey). A shared key is a "
                f"line of {_FEWEST_DIGITS} hexadecimal digits or more: openssl rand -hex 32."
            )
        if others_may_read and (self._shared or self._private is not None):
            raise SigningError(f"{path}: others can read this secret key; chmod 600 would be right.")

    def _load_pem(self, content: bytes, path: Path, signs: bool) -> None:
        key: Any = None
        try:
            if b"PRIVATE KEY" in content:
                key = load_pem_private_key(content, password=None)
            else:
                key = load_pem_public_key(content)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # their words may repeat parts of the file
            key = None
        if signs and not isinstance(key, Ed25519PrivateKey):
            raise SigningError(
                f"{path}: is no private Ed25519 key, or has a pass phrase: openssl genpkey -algorithm ed25519."
            )
        if not signs and not isinstance(key, Ed25519PublicKey):
            raise SigningError(f"{path}: is no public Ed25519 key; openssl pkey -in PRIVATE -pubout makes it.")
        if isinstance(key, Ed25519PrivateKey):
            self._private, self._public = key, key.public_key()
        else:
            self._public = key

    @property
    def name(self) -> str:
        """The first 16 hexadecimal digits of the public key's SHA-256; empty for a shared key."""
        if self._public is None:
            return ""
        return hashlib.sha256(self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    def sign(self, report: Report) -> Report:
        """The report with its signature."""
        signed = _canonical(json.loads(msgspec.json.encode(msgspec.structs.replace(report, signature=None))))
        if self._private is not None:
            signature = Signature(algorithm="ed25519", key=self.name, value=self._private.sign(signed).hex())
        else:
            signature = Signature(algorithm="hmac-sha256", key="", value=self._hmac(signed))
        return msgspec.structs.replace(report, signature=signature)

    def verify(self, document: dict[str, Any], signature: Signature | None) -> str | None:
        """None when `signature` is this key's over `document`, the JSON as it stands in the file; else why not."""
        if signature is None:
            return "The report is not signed."
        wanted = "hmac-sha256" if self._public is None else "ed25519"
        if signature.algorithm != wanted:
            return f"The report is signed with {signature.algorithm}, and the key is one for {wanted}."
        signed = _canonical(document)
        if self._public is None:
            right = hmac.compare_digest(self._hmac(signed).encode(), signature.value.encode())
            return None if right else "The signature does not fit: the report was changed, or signed with another key."
        if signature.key != self.name:
            return f"The report is signed with another key ({signature.key[:16]}, not {self.name})."
        try:
            self._public.verify(bytes.fromhex(signature.value), signed)
        except (InvalidSignature, ValueError):
            return "The signature does not fit: the report was changed after it was signed."
        return None

    def _hmac(self, signed: bytes) -> str:
        return hmac.new(self._shared, signed, hashlib.sha256).hexdigest()


def _is_spelled_otherwise(digits: bytes) -> bool:
    """Hexadecimal digits of DER (RFC 8410 4) or of a line of text, in which a public key may stand."""
    octets = bytes.fromhex(digits.decode())
    is_der = octets[0] == 0x30 and octets[1] in (len(octets) - 2, 0x81, 0x82)
    return is_der or all(32 <= octet < 127 or octet in b"\r\n\t" for octet in octets)


def _canonical(document: dict[str, Any]) -> bytes:
    """Names in order, no spaces, ASCII. Signature left out."""
    rest = {name: value for name, value in document.items() if name != "signature"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return _WHAT_FOR + text.encode()
