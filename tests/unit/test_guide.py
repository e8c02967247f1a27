"""The list of what the provider's guide says: complete, and naming requirements that there are."""

from collections import Counter
from pathlib import Path

import pytest

from gosip_check import tomlfile
from gosip_check.checklist import load, shipped

ROOT = Path(__file__).parents[2]
GUIDE = tomlfile.data_folder() / "guide.toml"
STATEMENTS = tomlfile.parse(tomlfile.read(GUIDE, "guide"), str(GUIDE))["statement"]
KNOWN = {name: {requirement.id for requirement in load(name).requirements} for name in ("go-native", "go-gateway")}

PARTS = {
    "data sheet": 22,
    "internet service": 3,
    "edge device": 3,
    "PBX": 2,
    "compliance form": 1,
    "registration": 9,
    "outgoing calls": 8,
    "incoming calls": 5,
    "gateways": 2,
    "O.T.T. service": 2,
    "fixed addresses": 1,
    "certified systems": 6,
    "redundancy": 5,
    "authentication": 2,
    "caller identity": 1,
    "account lock-out": 1,
    "penetration tests": 1,
    "fraud prevention": 1,
}
"Part of the guide -> statements, counted in it."


OUR_PBX = {"pbx.own-options", "pbx.ptime", "pbx.unregisters"}
"Rows of the PBX that the guide does not ask for."

OVER_UDP_ALONE = {"nat.keepalive-arrives", "nat.other-site-comes-in"}
"The gateway opens the TCP connection that its calls come in on."


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement["says"])
def test_a_statement_is_checked_planned_or_says_why_not(statement: dict[str, object]) -> None:
    answers = set(statement) - {"part", "sheets", "says", "note"}
    assert answers in ({"checked_by"}, {"planned"}, {"checked_by", "planned"}, {"not_checkable"})
    assert all(statement.values())
    assert "planned" not in answers or "note" in statement  # why it is left


@pytest.mark.parametrize("name", ["go-native", "go-gateway"])
def test_every_requirement_that_is_named_exists_and_none_that_is_planned_does(name: str) -> None:
    here = [statement for statement in STATEMENTS if name in statement["sheets"]]
    named = {id_ for statement in here for id_ in statement.get("checked_by", [])}
    assert named
    unknown = named - KNOWN[name]
    if name == "go-gateway":  # there the provider's own device registers, and no PBX
        unknown = {id_ for id_ in unknown if not (id_.startswith("pbx.") and id_ in KNOWN["go-native"])}
        unknown -= OVER_UDP_ALONE
    assert unknown == set()
    assert not {id_ for statement in here for id_ in statement.get("planned", [])} & KNOWN[name]


@pytest.mark.parametrize("name", ["go-native", "go-gateway"])
def test_every_requirement_stands_for_something_in_the_guide_or_is_ours(name: str) -> None:
    """What the guide does not ask for is our own advice, and is counted here so that a new one is thought about."""
    named = {id_ for statement in STATEMENTS for id_ in statement.get("checked_by", [])}
    ours = KNOWN[name] - named
    assert {id_ for id_ in ours if id_.startswith("pbx.")} <= OUR_PBX
    assert all(id_.split(".")[0] in ("dns", "host", "link", "media", "nat", "gateway", "pbx") for id_ in ours), ours


def test_every_part_of_the_guide_is_there() -> None:
    assert Counter(statement["part"] for statement in STATEMENTS) == PARTS


@pytest.mark.parametrize(("name", "rows"), [("go-native", 16), ("go-gateway", 19)])
def test_every_row_of_the_sheet_is_there(name: str, rows: int) -> None:
    """Counted in the sheets; a row that says two things counts twice."""
    sheet = [statement for statement in STATEMENTS if statement["part"] == "data sheet"]
    assert sum(name in statement["sheets"] for statement in sheet) == rows


def test_the_figures_in_the_papers_are_those_of_the_list() -> None:
    checked = [statement["checked_by"] for statement in STATEMENTS if "checked_by" in statement]
    in_part = sum("planned" in statement and "checked_by" in statement for statement in STATEMENTS)
    impossible = sum("not_checkable" in statement for statement in STATEMENTS)
    by_pbx = [ids for ids in checked if any(id_.startswith("pbx.") for id_ in ids)]
    alone = sum(all(id_.startswith("pbx.") for id_ in ids) for ids in by_pbx)
    assert (
        f"{len(STATEMENTS)} statements: {len(checked)} checked (of {in_part} a part is still planned), "
        f"{impossible} impossible from a site; {len(by_pbx)} by `pbx.*`, {alone} by it alone"
    ) in (ROOT / "docs" / "truth.md").read_text()


def test_it_is_no_checklist() -> None:
    assert "guide" not in shipped()
    assert "orders" not in shipped()
