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
    """One device. match: names of models. families: AlgFamily values. The file says what the fields mean."""

    id: str
    device: str
    match: list[str]
    families: list[str]
    steps: str
    source: str
    date: str
    confidence: Literal["vendor", "several", "single", "unconfirmed"]
    makers: list[str] = []
    firmware: bool = False

    def fit(self, name: str) -> tuple[bool, int, int]:
        """How specific it is for a device named so: the greatest is the best; `NO_FIT` is none at all."""
        model, maker = _longest(self.match, name), _longest(self.makers, name)
        return self.firmware and model > 0, model, maker

    @property
    def words(self) -> str:
        """One sentence with the steps, and how sure they are."""
        doubt = {"single": " (from a single source)", "unconfirmed": " (unconfirmed)"}.get(self.confidence, "")
        return f"On {self.device}{doubt}: {self.steps}."


NO_FIT = (False, 0, 0)


def _longest(names: list[str], text: str) -> int:
    """The letters of the longest of these names that begins a word of the text; 0 where none does."""
    text = text.lower()
    return max((len(name) for name in names if re.search(rf"(?<![a-z0-9]){re.escape(name)}", text)), default=0)


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
    known = [remedy for name in names if (remedy := best_for(name))]
    if known:
        return [remedy for remedy in remedies() if remedy in known]
    return [remedy for remedy in remedies() if family in remedy.families][:_MOST_OF_A_FAMILY]


def best_for(name: str) -> Remedy | None:
    """The most specific one for a device named so."""
    best = max(remedies(), key=lambda remedy: remedy.fit(name))
    return None if best.fit(name) == NO_FIT else best


def with_remedy(verdict: Verdict, measurement: Measurement, form: Form | None) -> Verdict:
    """Where an ALG was found, its hint also tells the steps for the devices on the form, or for the likely family."""
    facts = measurement.facts or {}
    if verdict.outcome is not Outcome.FAIL or facts.get("alg_found") is not True:
        return verdict
    devices = [form.router, form.firewall] if form else []
    names = [f"{device.vendor} {device.model}" for device in devices]
    found = find(names, facts.get("family"))
    steps = [remedy.words for remedy in found]
    is_named = any(best_for(name) is not None for name in names)
    return msgspec.structs.replace(
        verdict,
        hint=" ".join([verdict.hint, *steps, AND_AGAIN]),
        steps=[*steps, AND_AGAIN] if is_named else [],
    )
