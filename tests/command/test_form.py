"""`form fill` at a terminal and without one; what it looks for in a network is looked for where nobody is."""

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from gosip_check.form.form import load, to_toml
from gosip_check.records import Form
from tests.saved import TOOL, demo, here, save


def at_a_terminal(script: str, answers: dict[str, str]) -> str:
    """Run a Python script at a terminal; each prompt (the end of its text) gets its answer, once."""
    number, child = pty.openpty()
    with subprocess.Popen(
        [TOOL[0], "-c", script], stdin=child, stdout=child, stderr=child, env={**os.environ, "TERM": "dumb"}
    ) as process:
        os.close(child)
        seen, place, left = "", 0, list(answers.items())
        with contextlib.suppress(OSError):  # Linux ends a terminal whose other side has gone with EIO
            while select.select([number], [], [], 60)[0]:
                chunk = os.read(number, 65536).decode(errors="replace")
                seen += chunk
                while left and left[0][0] in seen[place:]:
                    place += seen[place:].index(left[0][0]) + len(left[0][0])
                    os.write(number, f"{left.pop(0)[1]}\n".encode())
        process.wait(timeout=60)
    os.close(number)
    assert left == [], seen
    return seen


def test_at_a_terminal_it_asks_and_offers_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    script = (
        "from gosip_check.cli.form import fill_in, write_form\n"
        "from gosip_check.form.form import Finding\nfrom gosip_check.records import Form\n"
        "found = [Finding('router.vendor', 'DrayTek\\x1b[31m', 'UPnP'), Finding('router.model', 'Vigor', 'UPnP')]\n"
        f"write_form(fill_in(Form(), found, asks=True), {str(path)!r})\n"
    )
    seen = at_a_terminal(
        script,
        {
            "Company: ": "ACME", "Contact person: ": "Ġanni", "Telephone number: ": "123",
            "2100 0000.": "21669015", "PBX vendor: ": "3CX", "PBX model: ": "-", "PBX release: ": "20",
            "Router vendor (found: UPnP) [DrayTek\\x1b[31m]: ": "",
            "Router model (found: UPnP) [Vigor]: ": "Vigor 2927",
            "Router release: ": "", "Firewall vendor [DrayTek\\x1b[31m]: ": "", "Firewall model [Vigor 2927]: ": "",
            "Firewall release: ": "", "Internet-1 service identifier: ": "X1",
            "Internet-1 speed as ordered: ": "500/100",
            "Internet-1 fixed public address (empty where it may change): ": "192.0.2",
            "203.0.113.7.": "192.0.2.9",
            "Internet-2 service identifier: ": "",
            "Second trunk (overflow, load-sharing, or empty where there is one trunk): ": "overflow",
            "Channels of the second trunk: ": "10",
            "Line of the second trunk (Internet-1 or Internet-2): ": "Internet-1",
        },
    )  # fmt: skip
    form = load(path)
    assert form.contact_number == "+35621669015"
    assert (form.router.model, form.firewall.vendor) == ("Vigor 2927", "DrayTek\\x1b[31m")
    assert (form.internet_1.fixed_address, form.second_trunk.channels) == ("192.0.2.9", "10")
    assert form.discovered == []
    assert form.not_filled_in == ["pbx.model"]
    assert "\x1b[31m" not in seen


ASKS = (
    "import sys\nfrom gosip_check.cli.form import fill_in, write_form\nfrom gosip_check.records import Form\n"
    "write_form(fill_in(Form(), [], asks=True), sys.argv[1])\n"
)


def test_who_stops_keeps_what_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # it may be ignored here
    with subprocess.Popen(
        [TOOL[0], "-c", heeds + ASKS, path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"ACME\n")
        process.stdin.flush()
        seen = b""
        while b"Contact person" not in seen and (more := os.read(process.stderr.fileno(), 4096)):
            seen += more
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert b"Stopped: what was answered until here is kept." in rest
    assert load(path) == Form(company_name="ACME")


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_what_is_no_text_is_asked_for_again(locale: str, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    for utf8 in ("0", "1"):
        done = subprocess.run(
            [TOOL[0], "-X", f"utf8={utf8}", "-c", ASKS, path], input=b"AC\xffME\nACME\n", capture_output=True,
            timeout=60, env={**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": ""},
        )  # fmt: skip
        assert b"That holds a byte that is no text" in done.stderr
        assert load(path).company_name == "ACME"
    path.write_text(to_toml(Form(company_name="AC\udcffME")), encoding="utf-8")
    assert load(path).company_name == "AC?ME"


def in_a_namespace_of_its_own(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run gosip-check where there is no network but a loopback that is down, so that nothing can leave."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare, to look around where there is nobody")
    command = [unshare, "--net", *TOOL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def test_fill_as_a_command(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_text('company_name = "ACME"\n')
    document = demo()
    refused = in_a_namespace_of_its_own("form", "fill", path, "--report", save(document, tmp_path))
    assert refused.returncode == 2
    assert "was made by the demo; its addresses and speeds are those of no site" in refused.stderr
    saved = save({**document, "command": "run"}, tmp_path)
    done = in_a_namespace_of_its_own("form", "fill", path, "--report", saved)
    assert done.returncode == 1
    assert "Found automatically, please confirm: Internet-1 interface, Internet-1 address" in done.stdout
    form = load(path)
    assert form.company_name == "ACME"
    assert form.internet_1.address == "127.0.0.1"
    checked = here("form", "check", path)
    assert checked[0] == 1
    made = json.loads(subprocess.run(
        [*TOOL, "demo", "--form", path, "--json", "-", "--quiet"], capture_output=True, timeout=60).stdout)  # fmt: skip
    assert "internet_1.address" in made["form"]["discovered"]
    missing = here("report", "check", save(made, tmp_path))[1]
    assert re.search("Not filled in on its form: Contact person, Telephone number, PBX vendor", missing)
