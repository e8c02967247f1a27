"""Under which headings a report's verdicts are read, and how they are counted. Decides nothing."""

from collections.abc import Mapping

from gosip_check.records import Level, Outcome, Readiness, Report, Verdict

_GROUPS = {
    "dns": "DNS",
    "firewall": "Firewall",
    "alg": "SIP ALG",
    "nat": "NAT",
    "media": "Voice quality",
    "gateway": "Gateway",
    "account": "Account",
    "redundancy": "Redundancy",
    "edge": "Edge device",
    "health": "Server delay",
    "host": "This machine",
    "link": "Internet line",
    "pbx": "PBX",
}


def heading(group: str) -> str:
    """What a group of requirements is called."""
    return _GROUPS.get(group, group)


ROUTER = "whoever looks after the router"
_WHO = {
    "dns": ROUTER,
    "firewall": ROUTER,
    "alg": ROUTER,
    "nat": ROUTER,
    "gateway": ROUTER,
    "edge": ROUTER,
    "media": "the internet provider, with whoever looks after the router",
    "account": "the provider of the trunk",
    "pbx": "whoever looks after the PBX",
}
"Group of a requirement -> who can change it; else the installer."


def who_of(requirement: str) -> str:
    """Who can fix what a requirement, by its id, found."""
    return _WHO.get(requirement.partition(".")[0], "the installer")


LEVELS = {Level.MUST: "required", Level.SHOULD: "advised", Level.INFO: "for information"}
"How much a requirement weighs, as people read it."


def groups(report: Report, link: str) -> dict[str, list[Verdict]]:
    """The verdicts of a line by the heading of their group, in their order."""
    by_heading: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        if verdict.link == link:
            by_heading.setdefault(heading(verdict.group), []).append(verdict)
    return by_heading


def needs_hint(verdict: Verdict) -> bool:
    """Only what was missed can be fixed; what is unknown says itself what would help."""
    return verdict.outcome in (Outcome.FAIL, Outcome.WARN)


_WORDS = {Readiness.READY: "READY", Readiness.NOT_READY: "NOT READY", Readiness.INCONCLUSIVE: "NOT DECIDED"}


def outcome_words(report: Report) -> str:
    """The outcome as a person reads it, such as `NOT READY`; JSON keeps `inconclusive`."""
    return _WORDS[report.outcome]


def taken_over(report: Report) -> str:
    """How much was measured for an earlier report, and how old the oldest of it is; empty where nothing was."""
    taken = [measurement for measurement in report.measurements if measurement.taken_from is not None]
    if not taken:
        return ""
    oldest = min(measurement.started for measurement in taken)
    age_min = (report.started - oldest).total_seconds() / 60
    age = f"{age_min:.0f} min" if age_min < 100 else f"{age_min / 60:.0f} h"
    return (
        f"{len(taken)} of {len(report.measurements)} measurements are taken over from an earlier run; "
        f"the oldest was made {age} before."
    )


def listed(report: Report) -> str:
    """A report in one line of a list: when, what it says, of what, whose, and its id."""
    when = report.started.astimezone().strftime("%Y-%m-%d %H:%M")
    links = ", ".join(link.name for link in report.links)
    company = report.form.company_name if report.form else ""
    about = ", ".join(filter(None, [report.checklist.id, links, company]))
    return f"{when}  {outcome_words(report):12}  {about}  {report.id}"


def counted(counts: Mapping[Outcome, int]) -> str:
    """How many verdicts of each outcome: `20 pass, 1 fail`."""
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)
