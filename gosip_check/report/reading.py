"""In which order a report's verdicts are read, under which headings, and the line that closes them. Decides nothing."""

from collections.abc import Mapping

from gosip_check.records import Level, Outcome, Readiness, Report, Verdict
from gosip_check.report.text import visible

_GROUPS = {
    "dns": "DNS",
    "firewall": "Firewall",
    "alg": "SIP ALG",
    "nat": "NAT",
    "media": "Bandwidth and voice quality",
    "gateway": "Gateway",
    "account": "Account",
    "redundancy": "Redundancy",
    "edge": "Edge device",
    "health": "How fast the servers answer",
    "host": "This machine",
    "link": "Internet line",
}

_LOGIN_REFUSED = "do not try the account again before the provider has checked it; three failures in a row lock it"
_CLOSING = {
    Readiness.READY: ("READY", "everything that must be so is so"),
    Readiness.NOT_READY: ("NOT READY", "fix what failed, then run the check again"),
    Readiness.INCONCLUSIVE: ("INCONCLUSIVE", "something that decides could not be found out"),
}


def heading(group: str) -> str:
    """What a group of requirements is called."""
    return _GROUPS.get(group, group)


def groups(report: Report, link: str) -> dict[str, list[Verdict]]:
    """The verdicts of a line by the heading of their group, in their order."""
    by_heading: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        if verdict.link == link:
            by_heading.setdefault(heading(verdict.group), []).append(verdict)
    return by_heading


def wanting(report: Report) -> list[Verdict]:
    """What a reader has to know first: what failed, musts that stayed unknown, what is worth a look."""
    failed = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.FAIL]
    undecided = [v for v in report.verdicts if v.outcome is Outcome.UNKNOWN and v.level is Level.MUST]
    return [*failed, *undecided, *(verdict for verdict in report.verdicts if verdict.outcome is Outcome.WARN)]


def needs_hint(verdict: Verdict) -> bool:
    """Only what was missed can be fixed; what is unknown says itself what would help."""
    return verdict.outcome in (Outcome.FAIL, Outcome.WARN)


def outcome_words(report: Report) -> str:
    """The outcome as a person reads it, such as `NOT READY`."""
    return _CLOSING[report.outcome][0]


def closing(report: Report) -> str:
    """What it comes to, what it covers where that is not a whole site, and what that means; without a full stop."""
    scope = [f"{visible(report.part)} only"] if report.part else []
    scope += ["a demo, no site"] if report.is_demo else []
    in_brackets = f" ({'; '.join(scope)})" if scope else ""
    # After a refused login nobody is sent to run it again.
    refused = any(v.group == "account" and v.facts.get("registered") is False for v in report.verdicts)
    return f"{outcome_words(report)}{in_brackets}: {_LOGIN_REFUSED if refused else _CLOSING[report.outcome][1]}"


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
