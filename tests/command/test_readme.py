"""README: short, its picture and its links true, and every command in it run, on a machine that reaches nobody."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gosip_check.report.to_svg import to_svg
from tests.readme import ELSEWHERE, README, commands, to_run
from tests.screens import kept

TOP = README.parent
INSTALL = "python3 -m venv "
MOST_LINES, MOST_BEFORE_INSTALL = 150, 20

ENDS_IN = {
    "gosip-check": (2, "Exit codes:"),  # nobody is there to be asked
    "gosip-check demo --fault list": (0, "sip-alg"),
    "gosip-check form fill form.toml": (1, "not filled in yet"),
    "gosip-check run --form form.toml --channels 10 --json report.json": (3, "Saved: report.json"),
    "gosip-check report text last --for provider": (0, "Please whitelist: not known yet"),
    "gosip-check explain alg.absent": (0, "How to prove it by hand"),
    "gosip-check register --user 35621000000": (2, "There is no terminal to ask for the password"),
    "gosip-check run --far-end-link phone=wlan0": (2, "wlan0"),
    "gosip-check reflector --allow 203.0.113.0/24": (0, "STAMP on UDP 862"),
    "gosip-check run --again --reflector rx.example.net": (2, "Internet-1 has no network now"),
    "gosip-check pbx rehearse --user 35621669015 --numbers 21669015,21669016 --json rehearsal.json": (2, "--address"),
    "gosip-check pbx trace trunk.pcap --json pbx.json": (3, "Saved: pbx.json"),
    "gosip-check recommend --phones 40 --lines 6 --report pbx.json": (0, "Order: 10 channels"),
    "gosip-check report html report.json": (0, "Wrote report.html."),
    "gosip-check report text report.json --for technician": (0, "Plug in the cable"),
    "gosip-check report bundle report.json pbx.json order.json": (3, "Wrote order.json."),
    "gosip-check report check order.json": (0, "holds together"),
    "gosip-check report list": (0, "NOT DECIDED"),
    "gosip-check schedule install --every 15m": (2, "there is nobody to ask here"),
    "gosip-check history show": (2, "there is no history yet"),
}
"Command of README -> how it ends where there is no network and no terminal, and what it says."


def test_it_is_short_and_begins_with_what_it_is_for() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= MOST_LINES
    install = next(number for number, line in enumerate(lines) if line.startswith(INSTALL))
    assert install < MOST_BEFORE_INSTALL
    assert any(line.endswith("(summary.svg)") for line in lines[:install])


def test_the_picture_is_what_the_tool_shows_of_a_router_with_a_sip_alg() -> None:
    """`.venv/bin/python -m tests.command.test_readme` draws it again."""
    shown, drawn = _words((TOP / "summary.svg").read_text()), _words(to_svg(kept("sip-alg")))
    assert shown == drawn
    assert "SIP ALG is on in 192.168.1.1" in shown


def _words(picture: str) -> str:
    """Frame and colours are rich's, and others in each of its versions."""
    text = " ".join(ElementTree.fromstring(picture).itertext()).split("}")[-1]
    return " ".join(text.replace("\u00a0", " ").split())


@pytest.mark.parametrize("page", [README, *sorted((TOP / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for place, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text()):
        target = page.parent / place if place else page
        assert target.exists(), place
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^a-z0-9 -]", "", name.lower()).replace(" ", "-") for name in headings]


def test_every_command_is_run_and_ends_as_it_must(tmp_path: Path) -> None:
    """In a network of its own that has loopback alone."""
    own = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"])]
    if subprocess.run([*own, "true"], capture_output=True, check=False, timeout=30).returncode != 0:
        pytest.skip("needs a network namespace")
    run = 'ip link set lo up && exec "$0" -m tests.readme "$1"'
    done = subprocess.run(
        [*own, "sh", "-c", run, sys.executable, tmp_path],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(TOP), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ended = {command: (code, said) for command, code, said in map(json.loads, done.stdout.splitlines())}
    assert list(ended) == to_run()
    assert {command: code for command, (code, _) in ended.items()} == {c: code for c, (code, _) in ENDS_IN.items()}
    for command, (_, text) in ENDS_IN.items():
        assert text in " ".join(ended[command][1].split()), command


def test_what_is_run_elsewhere_is_run_there() -> None:
    found = commands(README.read_text())
    for command, (file, text) in ELSEWHERE.items():
        assert command in found
        assert text in (TOP / file).read_text(), command


if __name__ == "__main__":
    (TOP / "summary.svg").write_text(to_svg(kept("sip-alg")))
