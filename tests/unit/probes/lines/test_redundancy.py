"""Are the lines as fast as ordered? How much of the speed is asked for is the checklist's to say."""

from typing import Any

import pytest

from gosip_check.probes.lines import redundancy
from gosip_check.probes.lines.redundancy import Facts, Options
from gosip_check.probes.probe import Context, LinkResult
from gosip_check.records import Link


def compared(speed: str, media: dict[str, Any], ordered_share_pct: float = 80.0) -> Facts:
    """Two lines alike, with `speed` on the form."""
    links = [LinkResult(Link(name=name), True, {"media": media}, speed) for name in ("Internet-1", "Internet-2")]
    asked = Options(networks=["192.0.2.0/24"], reregistration_s=300, ordered_share_pct=ordered_share_pct)
    return redundancy.measure(asked, Context(links[0].link, links=links))


def carrying(up_kbps: float, down_kbps: float, capacity: int | None = 1) -> dict[str, Any]:
    return {"rate_up_kbps": up_kbps, "rate_down_kbps": down_kbps, "capacity_channels": capacity}


@pytest.mark.parametrize(
    ("media", "asked_pct", "as_ordered", "shown"),
    [
        (carrying(1800, 9000), 80, True, "90 % of it in the worse direction, where 80 % is asked for"),
        (carrying(1800, 9000), 95, False, "90 % of it in the worse direction, where 95 % is asked for"),
        (carrying(1999, 7999), 80, False, "79.9 % of it in the worse direction, where 80 % is asked for"),
        (carrying(1800, 9000, capacity=None), 95, None, "--find-capacity looks for more"),
        (carrying(100, 100, capacity=19), 90, False, "19 % of it"),
    ],
)
def test_how_much_of_the_order_is_asked_for_is_an_option(
    media: dict[str, Any], asked_pct: float, as_ordered: bool | None, shown: str
) -> None:
    facts = compared("10/2", media, ordered_share_pct=asked_pct)
    assert facts.as_fast_as_ordered is as_ordered
    assert shown in facts.evidence["as_fast_as_ordered"]


def test_a_line_ordered_without_upload_is_compared_by_its_download() -> None:
    assert compared("10/0", carrying(0, 9000)).as_fast_as_ordered is True
