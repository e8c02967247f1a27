"""Is the link seen from outside at the fixed public address that the form names? Sends nothing: compares.

A provider whitelists addresses: a link that is seen at another one than it was asked to whitelist will not get through.
"""

from ipaddress import ip_address

from gosip_check.probes import probe
from gosip_check.probes.nat import translation
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind


class Options(probe.Options, frozen=True):
    """None: the form names the address, and the `nat` probe what was seen."""


class Facts(probe.Facts, frozen=True):
    """`seen` and `as_on_form` are None where no server said where our requests came from."""

    fixed_address: str
    seen: str | None
    as_on_form: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed(unsupported) where the form names no fixed address."""
    fixed = context.link.fixed_address
    if not fixed:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "The form names no fixed public address.")
    nat = context.facts_of(translation.Facts)
    seen = nat.public_address if nat else None
    if seen is None:
        same, sentence = None, f"No server said where our requests came from; the form names {fixed}."
    else:
        same = ip_address(seen) == ip_address(fixed)
        sentence = f"This line is seen as {seen}, and the form names {fixed} as its fixed address."
    return Facts(fixed_address=fixed, seen=seen, as_on_form=same, evidence={"as_on_form": sentence})


PROBE = Probe(
    "fixed_address",
    Options,
    Facts,
    measure,
    subject=lambda _: "the public address, beside the form",
    after=("nat",),
)
