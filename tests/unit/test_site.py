"""The id of a site: what is one, and that the report and the history carry it."""

import msgspec
import pytest

from gosip_check.health.history import site_of
from gosip_check.records import Report
from tests.saved import demo, here


@pytest.mark.parametrize("text", ["a b", "-x", "ä", "x" * 65, "a/b", "a\n"])
def test_what_is_no_id_is_refused(text: str) -> None:
    code, printed = here("health", "--demo", "ready", "--no-history", f"--site={text}")
    assert (code, "use at most 64 letters" in printed) == (2, True)


def test_runs_of_one_site_follow_each_other() -> None:
    report = msgspec.convert(demo(), Report)
    first, second = (msgspec.structs.replace(report, site=site) for site in ("MT-1", "MT-2"))
    assert len({site_of(each) for each in (report, first, second)}) == 3
