"""What became of what was wrong, from one report to a later one. Pure; decides nothing that the reports do not say."""

from collections.abc import Iterator

from rich.text import Text

from gosip_check.records import Level, Outcome, Record, Report, Verdict
from gosip_check.report.changes import PUBLIC_ADDRESS, VerdictChange, news, sentence_of
from gosip_check.report.reading import outcome_words
from gosip_check.report.text import visible
from gosip_check.report.to_changes import verdict_line

_LISTS = ("fixed", "worse", "still_open", "found", "decided", "not_looked_at")
_WRONG = (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN)
_WEIGHT = {Outcome.PASS: 0, Outcome.WARN: 1, Outcome.UNKNOWN: 2, Outcome.FAIL: 3}


class Standing(Record, frozen=True):
    """Every requirement that was or is wrong, in one of these lists. One that may stay unknown is wrong in neither.

    found: what is wrong, and was not looked at before. decided: what was unknown, and passes.
    """

    fixed: list[VerdictChange]
    worse: list[VerdictChange]
    still_open: list[VerdictChange]
    found: list[VerdictChange]
    decided: list[VerdictChange]
    not_looked_at: list[VerdictChange]
    addresses: list[VerdictChange]
    "Lines that are seen at another public address."
    outcomes: str

    @property
    def headline(self) -> str:
        """`fixed 2, worse 0, still open 1`, and what else there is."""
        counted = {
            "fixed": (self.fixed, True),
            "worse": (self.worse, True),
            "still open": (self.still_open, True),
            "found now": (self.found, False),
            "decided now": (self.decided, False),
            "not looked at any more": (self.not_looked_at, False),
        }
        parts = [f"{name} {len(changes)}" for name, (changes, always) in counted.items() if changes or always]
        return f"{', '.join(parts)} ({self.outcomes})"


def standing(before: Report, after: Report) -> Standing:
    """In the order of the later report."""
    was = {(verdict.id, verdict.link): verdict for verdict in before.verdicts}
    lists: dict[str, list[VerdictChange]] = {name: [] for name in _LISTS}
    for verdict in after.verdicts:
        old = was.get((verdict.id, verdict.link))
        name = _list_of(old, verdict)
        if name is not None:
            lists[name].append(_change(old, verdict))
    return Standing(
        **lists,
        addresses=[change for change in news(before, after) if change.id == PUBLIC_ADDRESS],
        outcomes=f"{outcome_words(before)} before, {outcome_words(after)} now",
    )


def standing_lines(now: Standing) -> Iterator[Text]:
    """The headline, then each requirement with the reason that counts today; of what is fixed, with what it was."""
    yield Text(now.headline, "bold")
    for change in now.fixed:
        yield verdict_line(change)
        yield Text(f"    it was: {visible(change.reason_before, 400)}", "dim")
    for change in [*now.worse, *now.found, *now.still_open]:
        yield verdict_line(change)
        yield Text(f"    {visible(change.reason_after, 400)}")
    for change in now.addresses:
        yield Text(visible(sentence_of(change)), "bold")


def _list_of(old: Verdict | None, new: Verdict) -> str | None:
    is_wrong = _is_wrong(new)
    if old is None or old.outcome is Outcome.SKIPPED:
        return "found" if is_wrong else None
    if new.outcome is Outcome.SKIPPED:
        return "not_looked_at"
    if is_wrong:
        return "worse" if _WEIGHT[new.outcome] > _WEIGHT[old.outcome] else "still_open"
    if not _is_wrong(old):
        return None
    if new.outcome is Outcome.UNKNOWN:
        return "still_open"
    return "decided" if old.outcome is Outcome.UNKNOWN else "fixed"


def _is_wrong(verdict: Verdict) -> bool:
    return verdict.outcome in _WRONG and (verdict.outcome is not Outcome.UNKNOWN or verdict.level is Level.MUST)


def _change(old: Verdict | None, new: Verdict) -> VerdictChange:
    return VerdictChange(
        id=new.id,
        link=new.link,
        title=new.title,
        before=old.outcome if old else None,
        after=new.outcome,
        reason_before=old.reason if old else "",
        reason_after=new.reason,
    )
