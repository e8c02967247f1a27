"""What an installer sees in each state of a site: saves the reports that tests/unit/report/test_last_screen.py renders.

    python -m tests.lab.screens [NAME ...]    asks the lab, keeps the reports in tests/data/screens, prints the table
    python -m tests.lab.screens --table       prints the table of the reports that are kept

A site of its own for each state. Most have a far end in the provider's room: what is wrong is the state, not its
absence. Needs root. About ten minutes.
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.screens import SCREENS, print_table

from .edges import kernel_alg
from .kamailio import USER
from .machine import machine
from .media_rooms import narrow, reflector
from .rulesets import forward
from .second_line import SECOND, both_lead_out, two_lines
from .site import GENEROUS, Lab, site
from .states import SITES
from .tool import gosip_check

CHANNELS, SECONDS = 5, 4
FORM = """
company_name = "Example Ltd"
contact = "Maria Borg"
contact_number = "+35621000000"
[pbx]
vendor = "ACME"
model = "PBX 1"
release = "2.0"
[router]
vendor = "MikroTik"
model = "RB4011"
[internet_1]
service_identifier = "A1"
speed = "100/20 Mb/s"
"""
_RUN = ("run", "--channels", str(CHANNELS), "--duration", str(SECONDS))
_WITH_FAR_END = (*_RUN, "--reflector", SITES[0])


def _rules(text: str, room: str = "cpe") -> Callable[[Lab], None]:
    return lambda lab: lab.nft(room, text)


def _narrow(lab: Lab) -> None:
    narrow(lab.rooms, "cpe", "to-isp", 0.6 * CHANNELS * 100)


def _nothing(lab: Lab) -> None:
    del lab


STATES: Mapping[str, tuple[str, Callable[[Lab], None]]] = {
    "ready": ("ready", _nothing),
    "sip-alg": ("ready", _rules(kernel_alg())),
    "blocked-5060": ("drop-5060", _nothing),
    "unknown-line": ("all-silent", _nothing),
    "half-the-range": ("ready", _rules(forward('iifname "to-lan" udp dport 32768-65535 drop'))),
    "narrow": ("ready", _narrow),
    "lossy": ("ready", _rules(forward("meta l4proto udp udp dport 862 numgen random mod 100 < 5 drop"))),
    "no-dns": ("dns-dead", _nothing),
    "wrong-srv": ("dns-hijacked", _nothing),
    "cable-out": ("no-network", _nothing),
    "ready-alone": ("ready", _nothing),
    "narrow-alone": ("ready", _narrow),
    "lossy-alone": ("ready", _rules(forward("meta l4proto { icmp, udp } numgen random mod 100 < 5 drop"))),
    "no-echo-alone": ("ready", _rules(forward("icmp type echo-request drop"))),
}
"Name -> the state of states.py, and what is done besides. Those alone have no far end, and hops that ration."


def _run(lab: Lab, argv: list[str], folder: Path) -> bytes:
    private = ["env", f"XDG_STATE_HOME={folder / 'state'}"]
    outputs = ["--json", str(folder / "report.json"), "--quiet"]
    ended = lab.run("lan", [*private, *argv, *outputs], check=False, timeout_s=240)
    if ended.returncode not in (0, 1, 3):
        raise RuntimeError(f"exit code {ended.returncode}: {ended.stderr}")
    return (folder / "report.json").read_bytes()


def _one_line(name: str, folder: Path) -> bytes:
    state, more = STATES[name]
    with site(hops=GENEROUS) as lab, reflector(lab.rooms, "go", folder / "log", "--bind", SITES[0], "--no-sip"):
        lab.enter(state)
        more(lab)
        (folder / "form.toml").write_text(FORM)
        return _run(lab, gosip_check(*_WITH_FAR_END, "--form", str(folder / "form.toml")), folder)


def _alone(name: str, folder: Path) -> bytes:
    state, more = STATES[name]
    with site() as lab:
        lab.enter(state)
        more(lab)
        (folder / "form.toml").write_text(FORM)
        return _run(lab, gosip_check(*_RUN, "--form", str(folder / "form.toml")), folder)


def _two_lines(name: str, folder: Path) -> bytes:
    del name
    with two_lines() as lab, reflector(lab.rooms, "go", folder / "log", "--bind", SITES[0], "--no-sip"):
        lab.enter("ready")
        both_lead_out(lab)
        lab.nft("isp", forward('iifname "second" meta l4proto { tcp, udp } th dport { 5060, 5061 } reject'))
        lab.nft("cpe", kernel_alg())
        links = ["--link", "Internet-1=to-cpe", "--link", f"Internet-2={SECOND}"]
        return _run(lab, gosip_check(*_WITH_FAR_END, *links), folder)


def _wrong_password(name: str, folder: Path) -> bytes:
    del name
    with site(hops=GENEROUS) as lab, machine() as desk:
        lab.enter("ready")
        file = desk.private("password", "wr0ng-pl4nted-Pa55word\n")
        tool = desk.tool("register", "--user", USER, "--password-file", str(file))
        return _run(lab, tool, folder)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gosip-screens-") as name:
        yield Path(name)


def _keep(name: str) -> None:
    asks = {"two-lines": _two_lines, "wrong-password": _wrong_password}
    ask = asks.get(name, _alone if name.endswith("-alone") else _one_line)
    with _folder() as folder:
        document = json.loads(ask(name, folder))
    document["host"]["name"] = "laptop"
    SCREENS.mkdir(exist_ok=True)
    packed = gzip.compress(json.dumps(document).encode(), mtime=0)
    (SCREENS / f"{name}.json.gz").write_bytes(packed)
    print(f"{name}: {document['outcome']}, {document['elapsed_s']:.0f} s", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.screens", description=__doc__)
    names = [*STATES, "two-lines", "wrong-password"]
    parser.add_argument("names", nargs="*", choices=[*names, []])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(_keep, arguments.names or names))
    print_table()


if __name__ == "__main__":
    main()
