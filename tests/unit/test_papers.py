"""The papers of the project say what is so: the version, and the commands of a contributor."""

import re
from pathlib import Path

from gosip_check import __version__

TOP = Path(__file__).parents[2]


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(
        r"^## (\S+) - (unreleased|\d{4}-\d\d-\d\d)$", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert versions[0][0] == __version__
    assert versions[-1] == ("0.1.0", "2026-11-23")
    assert all(when != "unreleased" for _, when in versions[1:])


def test_what_a_contributor_is_to_type_is_there() -> None:
    commands = re.findall(r"^\| `(.+?)` \|", (TOP / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert len(commands) == 5
    for place in re.findall(r"\S+/\S+", " ".join(commands)):
        assert place.startswith(".venv/") or (TOP / place).exists(), place
