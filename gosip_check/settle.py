"""The verdicts of one link, in the order of the checklist: the one loop for a run and for a saved report. Pure.

Decides only what is looked at at all (skipped, stopped, no network, a need that did not pass); `judge` judges the rest.
"""

import fnmatch
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gosip_check.judge import judge, stopped, verdict
from gosip_check.records import Form, Measurement, Outcome, Requirement, Verdict
from gosip_check.remedies import with_remedy


@dataclass(frozen=True)
class Circumstances:
    """What a link's verdicts depend on beside its measurements. skip: globs on ids, as `--skip` gave them.

    without_network: the link has no way to the provider. local: probes that need none.

    switched_off: probes that the run did not ask for -> the option that would.
    """

    link: str
    skip: Sequence[str]
    without_network: bool
    local: Container[str]
    form: Form | None
    switched_off: Mapping[str, str] = field(default_factory=dict)


def settle(
    requirements: Iterable[Requirement],
    verdicts: dict[str, Verdict],
    around: Circumstances,
    measurement_of: Callable[[Requirement], Measurement | None],
    unmeasured: Callable[[Requirement], Verdict | None],
) -> Iterator[Verdict]:
    """Judge all that can be judged, in the order of the checklist; `verdicts`, by id, grows as they fall.

    unmeasured: asked about what has no measurement; None leaves it, and what needs it, to a later call.
    """
    for requirement in requirements:
        if requirement.id in verdicts or not all(need in verdicts for need in requirement.needs):
            continue
        needed = [verdicts[need] for need in requirement.needs]
        reason = _reason_to_skip(requirement, around, needed)
        measurement = measurement_of(requirement)
        fallen: Verdict | None
        if reason is not None:
            fallen = verdict(requirement, around.link, Outcome.SKIPPED, reason)
        elif any(need.stopped for need in needed):
            fallen = stopped(requirement, around.link)
        elif measurement is not None:  # what was measured counts, also where the run was stopped meanwhile
            fallen = with_remedy(judge(requirement, measurement), measurement, around.form)
        else:
            fallen = unmeasured(requirement)
        if fallen is not None:
            verdicts[requirement.id] = fallen
            yield fallen


def _reason_to_skip(requirement: Requirement, around: Circumstances, needed: Sequence[Verdict]) -> str | None:
    """Why a requirement is not looked at, or None. What needs a stopped one is not skipped but as unknown as that."""
    for pattern in around.skip:
        if fnmatch.fnmatchcase(requirement.id, pattern):
            return f"Skipped on request (--skip {pattern})."
    if requirement.probe in around.switched_off:
        return f"Not looked at without {around.switched_off[requirement.probe]}."
    if around.without_network and requirement.probe not in around.local:
        return "There is no network towards the provider."
    for need in needed:
        if need.stopped:
            return None
        if need.outcome is not Outcome.PASS:
            return f"Not looked at, because {need.id} did not pass."
    return None
