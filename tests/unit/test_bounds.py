"""Every library that the tool needs has a version at which it may change: what is installed later still works then."""

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BROKE_WITH_A_MINOR_VERSION = {"click", "msgspec", "prometheus_client", "pysnmp", "typst"}


def test_every_dependency_is_bounded_above_and_tightly_where_it_broke_before() -> None:
    extras = {name: rows for name, rows in PROJECT["optional-dependencies"].items() if name != "test"}
    rows = [*PROJECT["dependencies"], *(row for each in extras.values() for row in each)]
    bounds = {re.split("[<>=]", row)[0]: row.rpartition("<")[2] for row in rows}
    assert {name for name, bound in bounds.items() if not re.fullmatch(r"\d+(\.\d+)?", bound)} == set()
    assert {name for name, bound in bounds.items() if "." in bound} == BROKE_WITH_A_MINOR_VERSION
