"""How to set the device at hand: checklists/remedies.toml, and what of it belongs on a verdict.

A router's or firewall's SIP ALG and its queue for voice, and what a PBX says. Measures and judges nothing: it lengthens
the hint of a verdict.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from gosip_check import tomlfile
from gosip_check.records import Equipment, Form, Measurement, Outcome, Record, Verdict

VOICE_FIRST = "qos.voice-first"
AND_AGAIN = "Then clear the sessions or reboot, and check again."

_MOST_OF_A_FAMILY = 4


Confidence = Literal["vendor", "several", "single", "unconfirmed"]


class Remedy(Record, frozen=True):
    """Steps on one device. match: names of models. families: AlgFamily values. fixes: ids of requirements.

    The file says what the fields mean.
    """

    id: str
    device: str
    match: list[str]
    families: list[str]
    steps: str
    source: str
    date: str
    confidence: Confidence
    makers: list[str] = []
    firmware: bool = False
    fixes: tuple[str, ...] = ()

    def fit(self, name: str) -> tuple[bool, int, int]:
        """How specific it is for a device named so: the greatest is the best; `NO_FIT` is none at all."""
        model, maker = _longest(self.match, name), _longest(self.makers, name)
        return self.firmware and model > 0, model, maker

    @property
    def is_of_pbx(self) -> bool:
        return all(id_.startswith("pbx.") for id_ in self.fixes)

    @property
    def is_of_alg(self) -> bool:
        return all(id_.startswith("alg.") for id_ in self.fixes)

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


class _Steps(Record, frozen=True):
    steps: str
    source: str
    date: str
    confidence: Confidence


class _Device(Record, frozen=True, rename={"voice_first": "voice-first"}):
    id: str
    device: str
    match: list[str]
    families: list[str]
    steps: str
    source: str
    date: str
    confidence: Confidence
    makers: list[str] = []
    firmware: bool = False
    voice_first: _Steps | None = None

    def remedies(self, fixes: tuple[str, ...]) -> Iterator[Remedy]:
        """fixes: what its own steps fix."""
        of_alg = Remedy(
            id=self.id,
            device=self.device,
            match=self.match,
            families=self.families,
            steps=self.steps,
            source=self.source,
            date=self.date,
            confidence=self.confidence,
            makers=self.makers,
            firmware=self.firmware,
            fixes=fixes,
        )
        yield of_alg
        if self.voice_first is not None:
            own = msgspec.structs.asdict(self.voice_first)
            yield msgspec.structs.replace(of_alg, id=f"{self.id}-voice-first", families=[], fixes=(VOICE_FIRST,), **own)


class _Setting(Record, frozen=True):
    name: str
    fixes: tuple[str, ...]
    steps: str
    source: str
    date: str
    confidence: Confidence


class _Pbx(Record, frozen=True):
    id: str
    device: str
    match: list[str]
    setting: tuple[_Setting, ...]
    makers: list[str] = []
    firmware: bool = False

    @property
    def remedies(self) -> Iterator[Remedy]:
        for each in self.setting:
            yield Remedy(
                id=f"{self.id}-{each.name}",
                device=self.device,
                match=self.match,
                families=[],
                steps=each.steps,
                source=each.source,
                date=each.date,
                confidence=each.confidence,
                makers=self.makers,
                firmware=self.firmware,
                fixes=each.fixes,
            )


class _File(Record, frozen=True):
    fixes: tuple[str, ...]
    remedy: tuple[_Device, ...]
    pbx: tuple[_Pbx, ...]


@functools.cache
def remedies() -> tuple[Remedy, ...]:
    """All of them, in the order of the file: those of each router or firewall, then those of each PBX."""
    file = tomlfile.load(tomlfile.data_folder() / "remedies.toml", _File, "list of remedies")
    of_devices = (remedy for device in file.remedy for remedy in device.remedies(file.fixes))
    return (*of_devices, *(remedy for pbx in file.pbx for remedy in pbx.remedies))


def remedies_for(id_: str) -> list[Remedy]:
    """Those that fix what this requirement demands."""
    return [remedy for remedy in remedies() if id_ in remedy.fixes]


def find(names: list[str], family: str | None, rows: Sequence[Remedy]) -> list[Remedy]:
    """Of some rows, those for devices named so (vendor, model); else the best known of the family; else none."""
    known = [remedy for name in names for remedy in best_for(name, rows)]
    if known:
        return [remedy for remedy in rows if remedy in known]
    return [remedy for remedy in rows if family in remedy.families][:_MOST_OF_A_FAMILY]


def best_for(name: str, rows: Sequence[Remedy]) -> list[Remedy]:
    """The most specific of them for a device named so; a PBX may have several."""
    best = max((remedy.fit(name) for remedy in rows), default=NO_FIT)
    return [] if best == NO_FIT else [remedy for remedy in rows if remedy.fit(name) == best]


def steps_on(name: str, id_: str) -> list[Remedy]:
    """Those that fix what a requirement demands, on the device named so.

    The device is looked for among all of its kind: what its system is set by elsewhere is not for it.
    """
    rows = [remedy for remedy in remedies() if remedy.is_of_pbx == id_.startswith("pbx.")]
    return [remedy for remedy in best_for(name, rows) if id_ in remedy.fixes]


def with_remedy(verdict: Verdict, measurement: Measurement, form: Form | None) -> Verdict:
    """Its hint also tells the steps for the devices on the form: for an ALG those of router and firewall, or of the
    likely family; for voice that waits those of router and firewall; for a PBX its own.
    """
    facts = measurement.facts or {}
    if verdict.outcome is Outcome.FAIL and facts.get("alg_found") is True:
        return _with_alg_off(verdict, facts.get("family"), form)
    if form is None or verdict.outcome not in (Outcome.FAIL, Outcome.WARN):
        return verdict
    if verdict.id == VOICE_FIRST:
        return _with_settings(verdict, [form.router, form.firewall])
    return _with_settings(verdict, [form.pbx]) if verdict.id.startswith("pbx.") else verdict


def _with_alg_off(verdict: Verdict, family: str | None, form: Form | None) -> Verdict:
    rows = [remedy for remedy in remedies() if remedy.is_of_alg]
    devices = [form.router, form.firewall] if form else []
    names = [f"{device.vendor} {device.model}" for device in devices]
    steps = [remedy.words for remedy in find(names, family, rows)]
    is_named = any(best_for(name, rows) for name in names)
    return msgspec.structs.replace(
        verdict,
        hint=" ".join([verdict.hint, *steps, AND_AGAIN]),
        steps=[*steps, AND_AGAIN] if is_named else [],
    )


def _with_settings(verdict: Verdict, devices: Sequence[Equipment]) -> Verdict:
    """What is to be reached stands before the devices' own steps: these may be a part of it."""
    found = [remedy for each in devices for remedy in steps_on(f"{each.vendor} {each.model}", verdict.id)]
    steps = [verdict.hint, *dict.fromkeys(remedy.words for remedy in found)]
    return msgspec.structs.replace(verdict, hint=" ".join(steps), steps=steps) if found else verdict
