"""What a SIP ALG did to a message, for a person: the lines before and after, in a diff's colours. Decides nothing."""

from collections.abc import Mapping

from rich.text import Text

from gosip_check.records import Measurement
from gosip_check.report.text import visible


def diff(measurement: Measurement) -> list[Text]:
    """Nothing where the measurement brought no changed lines."""
    facts = measurement.facts or {}
    changes = facts.get("changes")
    if not isinstance(changes, list) or not changes:
        return []
    title = f"What became of {facts.get('message') or 'our SIP'} on the way ({measurement.link})"
    lines = [Text(), Text(visible(title), "bold")]
    for change in changes:
        if not isinstance(change, Mapping):  # a saved report may have been edited by anybody
            continue
        if change.get("before") is not None:
            lines.append(Text(f"- {visible(str(change['before']))}", "red"))
        if change.get("after") is not None:
            lines.append(Text(f"+ {visible(str(change['after']))}", "green"))
    return lines
