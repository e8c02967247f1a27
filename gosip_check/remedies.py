"""How to switch a SIP ALG off on the device at hand: checklists/remedies.toml, and what of it belongs on a verdict.

Measures and judges nothing: it lengthens the hint of a verdict that has failed.
"""

import functools
import re
from typing import Literal

import msgspec

from gosip_check import tomlfile
from gosip_check.records import Form, Measurement, Outcome, Record, Verdict

AND_AGAIN = "Then clear the sessions or reboot, and check again."

_MOST_OF_A_FAMILY = 4


class Remedy(Record, frozen=True):
    """One device. match: words of vendor and model. families: AlgFamily values. The file says what the fields mean."""

    id: str
    device: str
    match: list[str]
    families: list[str]
    steps: str
    source: str
    date: str
    confidence: Literal["vendor", "several", "single", "unconfirmed"]

    def is_for(self, name: str) -> bool:
        """One of the words begins a word of the name."""
        return any(re.search(rf"(?<![a-z0-9]){re.escape(word)}", name.lower()) for word in self.match)

    @property
    def words(self) -> str:
        """One sentence with the steps, and how sure they are."""
        doubt = {"single": " (from a single source)", "unconfirmed": " (unconfirmed)"}.get(self.confidence, "")
        return f"On {self.device}{doubt}: {self.steps}."


class _File(Record, frozen=True):
    fixes: tuple[str, ...]
    remedy: tuple[Remedy, ...]


@functools.cache
def _file() -> _File:
    return tomlfile.load(tomlfile.data_folder() / "remedies.toml", _File, "list of remedies")


def remedies() -> tuple[Remedy, ...]:
    """All of them, in the order of the file."""
    return _file().remedy


def fixes() -> tuple[str, ...]:
    """The ids of the requirements that they are for."""
    return _file().fixes


def find(names: list[str], family: str | None) -> list[Remedy]:
    """Those for devices named so (vendor, model); else the best known of the family; else none."""
    named = [next((remedy for remedy in remedies() if remedy.is_for(name)), None) for name in names]
    known = [remedy.device for remedy in named if remedy]
    if known:
        return [remedy for remedy in remedies() if remedy.device in known]
    return [remedy for remedy in remedies() if family in remedy.families][:_MOST_OF_A_FAMILY]


def with_remedy(verdict: Verdict, measurement: Measurement, form: Form | None) -> Verdict:
    """Where an ALG was found, its hint also tells the steps for the devices on the form, or for the likely family."""
    facts = measurement.facts or {}
    if verdict.outcome is not Outcome.FAIL or facts.get("alg_found") is not True:
        return verdict
    devices = [form.router, form.firewall] if form else []
    names = [f"{device.vendor} {device.model}" for device in devices]
    found = find(names, facts.get("family"))
    steps = [remedy.words for remedy in found]
    is_named = any(remedy.is_for(name) for name in names for remedy in found)
    return msgspec.structs.replace(
        verdict,
        hint=" ".join([verdict.hint, *steps, AND_AGAIN]),
        steps=[*steps, AND_AGAIN] if is_named else [],
    )
