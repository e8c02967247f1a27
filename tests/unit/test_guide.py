"""The list of what the provider's data sheets say: complete, and naming requirements that there are."""

import tomllib

import pytest

from gosip_check.checklist import data_folder, load, shipped

STATEMENTS = tomllib.loads((data_folder() / "guide.toml").read_text())["statement"]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement["says"])
def test_a_statement_is_checked_or_says_why_not(statement: dict[str, object]) -> None:
    assert set(statement) in ({"sheets", "says", "checked_by"}, {"sheets", "says", "not_checkable"})
    for value in statement.values():
        assert value


@pytest.mark.parametrize("name", ["go-native", "go-gateway"])
def test_every_requirement_that_is_named_exists(name: str) -> None:
    known = {requirement.id for requirement in load(name).requirements}
    named = {id_ for statement in STATEMENTS if name in statement["sheets"] for id_ in statement.get("checked_by", [])}
    assert named
    assert named <= known


@pytest.mark.parametrize(("name", "rows"), [("go-native", 16), ("go-gateway", 19)])
def test_every_row_of_the_sheet_is_there(name: str, rows: int) -> None:
    """Counted in the sheets; a row that says two things counts twice."""
    assert sum(name in statement["sheets"] for statement in STATEMENTS) == rows


def test_it_is_no_checklist() -> None:
    assert "guide" not in shipped()
    assert "orders" not in shipped()
