"""In which order a report's verdicts are read, and under which headings. Decides nothing."""

from gosip_check.records import Level, Outcome, Report, Verdict

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


def heading(group: str) -> str:
    """What a group of requirements is called."""
    return _GROUPS.get(group, group)


def groups(report: Report, link: str) -> dict[str, list[Verdict]]:
    """The verdicts of a line by the heading of their group, in their order."""
    found: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        if verdict.link == link:
            found.setdefault(heading(verdict.group), []).append(verdict)
    return found


def wanting(report: Report) -> list[Verdict]:
    """What a reader has to know first: what failed, musts that could not be told, what is worth a look."""
    failed = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.FAIL]
    open_ = [v for v in report.verdicts if v.outcome is Outcome.UNKNOWN and v.level is Level.MUST]
    return [*failed, *open_, *(verdict for verdict in report.verdicts if verdict.outcome is Outcome.WARN)]


def meaning(report: Report, otherwise: str) -> str:
    """What the outcome means. After a refused login nobody is sent to run it again; else in the words of a format."""
    refused = any(v.group == "account" and v.facts.get("registered") is False for v in report.verdicts)
    return _LOGIN_REFUSED if refused else otherwise


def needs_hint(verdict: Verdict) -> bool:
    """Only what was missed can be mended; what is unknown says itself what would help."""
    return verdict.outcome in (Outcome.FAIL, Outcome.WARN)
