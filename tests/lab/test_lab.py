"""Is the lab what it claims to be? Asked with tools nobody here wrote: dig, sipsak, nmap, openssl and the kernel."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from .namespaces import Cable, rooms
from .site import CABLES, LYING_RESOLVER, RESOLVER, Lab, site
from .states import OUTSIDE, SITES, STATES

REPOSITORY = Path(__file__).parents[2]

SRV = "dig +short +time=1 +tries=1 SRV _sip._udp.trunk.gotel.com.mt"
SRV_STATUS = "dig +time=1 +tries=1 SRV _sip._udp.trunk.gotel.com.mt"
A = "dig +short +time=1 +tries=1 zt.trunk.gotel.com.mt"
OPTIONS_1 = "sipsak -D 1 -vv -s sip:217.22.184.27:5060"
OPTIONS_2 = "sipsak -D 1 -vv -s sip:217.22.185.27:5060"
PLAIN_5061 = "sipsak -E tcp -D 1 -vv -s sip:217.22.184.27:5061"
NMAP = "nmap -n -Pn --reason --max-retries 1 --host-timeout 5"
NMAP_5060 = f"{NMAP} -sU -p 5060 217.22.184.27"
NMAP_5061 = f"{NMAP} -sS -p 5061 217.22.184.27"

SILENCE = r"giving up, no final response"
TWO_RECORDS = r"45 50 5060 zt\.trunk\.gotel\.com\.mt\.\n55 50 5060 st\.trunk\.gotel\.com\.mt\.\n$"

# state -> (command in `lan`, what it must print)
PROOFS: dict[str, list[tuple[str, str]]] = {
    "ready": [
        (SRV, "^" + TWO_RECORDS),
        (f"{SRV} @192.168.1.1", "^" + TWO_RECORDS),
        (f"{SRV} @{RESOLVER}", "^" + TWO_RECORDS),
        (
            SRV.replace("_udp.trunk", "_tcp.trunke"),
            r"^45 50 5061 zt\.trunke\.gotel\.com\.mt\.\n55 50 5061 st\.trunke\.",
        ),
        (A, r"^217\.22\.184\.27\n$"),
        (A.replace("zt.trunk", "st.trunke"), r"^217\.22\.185\.27\n$"),
        (OPTIONS_1, r"SIP/2\.0 200 OK"),
        (OPTIONS_2, r"SIP/2\.0 200 OK"),
        (NMAP_5061, r"5061/tcp open .* syn-ack"),
        (PLAIN_5061, r"nothing received"),
    ],
    "load-sharing": [(SRV, r"^45 50 5060 .*\n45 50 5060 .*\n$")],
    "plain-sip-on-5061": [
        (PLAIN_5061, r"SIP/2\.0 200 OK"),
        (PLAIN_5061.replace(SITES[0], SITES[1]), r"SIP/2\.0 200 OK"),
    ],
    "options-403": [(OPTIONS_1, r"SIP/2\.0 403 Forbidden"), (OPTIONS_2, r"SIP/2\.0 403 Forbidden")],
    "options-404": [(OPTIONS_1, r"SIP/2\.0 404 Not Found"), (OPTIONS_2, r"SIP/2\.0 404 Not Found")],
    "options-405": [(OPTIONS_1, r"SIP/2\.0 405 Method Not Allowed"), (OPTIONS_2, r"SIP/2\.0 405 Method Not Allowed")],
    "site-2-cut": [
        (OPTIONS_1, r"200 OK"),
        (OPTIONS_2, SILENCE),
        (NMAP_5061.replace(SITES[0], SITES[1]), r"5061/tcp filtered .* no-response"),
    ],
    "site-2-silent": [
        (OPTIONS_1, r"200 OK"),
        (OPTIONS_2, SILENCE),
        (NMAP_5061.replace(SITES[0], SITES[1]), r"5061/tcp open .* syn-ack"),
    ],
    "all-silent": [(OPTIONS_1, SILENCE), (OPTIONS_2, SILENCE), (NMAP_5061, r"5061/tcp open .* syn-ack")],
    "drop-5060": [(OPTIONS_1, SILENCE), (OPTIONS_2, SILENCE), (NMAP_5061, r"5061/tcp open .* syn-ack")],
    "drop-5061": [(NMAP_5061, r"5061/tcp filtered .* no-response"), (OPTIONS_1, r"200 OK")],
    "reject-5060": [(NMAP_5060, r"5060/udp filtered .* admin-prohibited from 192\.168\.1\.1 ")],
    "reject-5061": [(NMAP_5061, r"5061/tcp filtered .* admin-prohibited from 192\.168\.1\.1 "), (OPTIONS_1, r"200 OK")],
    # the reset cannot have come from the server, which is two hops further away
    "reset-5061": [(NMAP_5061, r"5061/tcp closed .* reset ttl 64"), (OPTIONS_1, r"200 OK")],
    "one-site": [(SRV, r"^45 50 5060 zt\.trunk\.gotel\.com\.mt\.\n$")],
    "nxdomain": [
        (SRV_STATUS, r"status: NXDOMAIN"),
        (A.replace("zt.trunk", "trunk"), r"^217\.22\.184\.27\n$"),
    ],
    "no-addresses": [(SRV, "^" + TWO_RECORDS), (SRV_STATUS.replace("SRV _sip._udp", "A zt"), r"status: NXDOMAIN")],
    "aliases": [(A, r"^217\.22\.184\.27\nreal\.gotel\.com\.mt\.\n$")],
    "long-ttl": [(SRV.replace("+short", "+noall +answer"), r"\s86400\s+IN\s+SRV")],
    "targets-outside-networks": [(A, r"^192\.31\.196\.60\n$"), (OPTIONS_1.replace(SITES[0], OUTSIDE), "200 OK")],
    "dns-hijacked": [
        (A, r"^10\.1\.2\.3\n$"),
        (f"{A} @{RESOLVER}", r"^10\.1\.2\.3\n$"),
        (A.replace("zt.trunk", "st.trunk"), r"^203\.0\.113\.7\n$"),
    ],
    "dns-forwarder-poisoned": [
        (f"{A} @192.168.1.1", r"^10\.1\.2\.3\n$"),
        (f"{A} @{RESOLVER}", r"^217\.22\.184\.27\n$"),
    ],
    "dns-second-poisoned": [(f"{A} @192.168.1.1", r"^217\.22\.184\.27\n$"), (f"{A} @{RESOLVER}", r"^10\.1\.2\.3\n$")],
    "dns-inventing": [(A.replace("zt.trunk", "made-up.trunk"), r"^203\.0\.113\.80\n$"), (SRV, TWO_RECORDS)],
    "dns-refused": [(SRV_STATUS, r"status: REFUSED"), (f"{SRV_STATUS} @{RESOLVER}", r"status: REFUSED")],
    "dns-dead": [(SRV, r"192\.168\.1\.1#53: timed out[\s\S]*217\.22\.184\.53#53: timed out"), (OPTIONS_1, "200 OK")],
    "no-network": [(SRV, r"network unreachable"), (OPTIONS_1, r"(?i)network is unreachable")],
}


def test_every_state_has_its_proof() -> None:
    assert set(PROOFS) == set(STATES)


@pytest.mark.parametrize("state", PROOFS)
def test_state_is_what_it_says(lab: Lab, state: str) -> None:
    lab.enter(state)
    for command, expected in PROOFS[state]:
        said = lab.run("lan", command.split(), check=False)
        output = said.stdout + said.stderr
        if command.startswith("dig +short"):
            output = "".join(sorted(output.splitlines(keepends=True)))  # a server may list records in any order
        assert re.search(expected, output), f"{command}\n{output}"


def test_entering_a_state_undoes_the_one_before(lab: Lab) -> None:
    lab.enter("ready")
    clean = {room: lab.run(room, ["nft", "list", "ruleset"]).stdout for room in lab.rooms.names}
    lab.cut("isp", site=1)
    lab.kamailio.answer(405)
    lab.nft("cpe", "table ip mine {\n}")
    lab.enter("no-network")
    lab.enter("ready")
    assert {room: lab.run(room, ["nft", "list", "ruleset"]).stdout for room in lab.rooms.names} == clean
    assert "200 OK" in lab.run("lan", OPTIONS_1.split()).stdout


def test_cut_drops_one_site_only(lab: Lab) -> None:
    lab.enter("ready")
    lab.cut("isp", site=1)
    assert re.search(SILENCE, lab.run("lan", OPTIONS_1.split(), check=False).stdout)
    assert "200 OK" in lab.run("lan", OPTIONS_2.split()).stdout


@pytest.mark.parametrize("address", SITES)
def test_tls_on_5061_is_kamailio_with_the_certificate(lab: Lab, address: str) -> None:
    lab.enter("ready")
    request = (
        f"OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK1;rport\r\n"
        "From: <sip:lab@example.net>;tag=1\r\nTo: <sip:lab@example.net>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    # Kamailio keeps the connection, so the client is told to hang up.
    client = ["timeout", "2", "openssl", "s_client", "-quiet", "-connect", f"{address}:5061"]
    said = lab.run("lan", client, stdin=request, check=False)
    assert "SIP/2.0 200 OK" in said.stdout
    assert "CN = trunke.gotel.com.mt" in said.stderr


@pytest.mark.parametrize("address", SITES)
def test_register_is_challenged_and_never_accepted(lab: Lab, address: str) -> None:
    lab.enter("ready")
    said = lab.run("lan", ["sipsak", "-U", "-D", "1", "-vv", "-s", f"sip:35621000000@{address}:5060"], check=False)
    assert said.returncode == 2
    assert 'WWW-Authenticate: Digest realm="trunk.gotel.com.mt"' in said.stderr
    assert "authorization failed" in said.stderr


def test_nat_rewrites_the_source(lab: Lab) -> None:
    """The server tells where the request came from (RFC 3261 18.2.1): the public address of `cpe`, not the laptop's."""
    lab.enter("ready")
    assert "received=192.88.99.2" in lab.run("lan", OPTIONS_1.split()).stdout
    assert "received=217.22.184.27" in lab.run("go", OPTIONS_1.split()).stdout


def test_firewall_lets_nothing_in_unasked(lab: Lab) -> None:
    """Nothing listens on port 9: whoever gets through is refused, whoever does not hears nothing."""
    lab.enter("ready")
    knock = ["sipsak", "-D", "1", "-v", "-s", "sip:192.168.1.10:9"]
    assert "Connection refused" in lab.run("cpe", knock, check=False).stderr
    outside = lab.run("isp", knock, check=False)
    assert re.search(SILENCE, outside.stdout)
    assert "refused" not in outside.stderr


# Sends one datagram with a small TTL and prints what came back of it: the sender of the ICMP error and its quote.
_DIE_ON_THE_WAY = """
import select, socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(sys.argv[1]))
sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
sock.sendto(b"x" * 400, ("217.22.184.27", 9))
poll = select.poll()
poll.register(sock, 0)
assert poll.poll(3000), "no ICMP error"
quote, ancillary, _, _ = sock.recvmsg(2000, 512, socket.MSG_ERRQUEUE)
error = ancillary[0][2]
print(socket.inet_ntoa(error[20:24]), error[5], error[6], quote == b"x" * 400)
"""


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        (1, "192.168.1.1 11 0 True"),
        (2, "192.88.99.1 11 0 True"),
        (3, "217.22.184.27 3 3 True"),
    ],
)
def test_packets_die_hop_by_hop(lab: Lab, ttl: int, expected: str) -> None:
    """Time Exceeded from `cpe`, then from `isp` beyond the NAT, then port unreachable from the server itself."""
    lab.enter("ready")
    assert lab.run("lan", [sys.executable, "-c", _DIE_ON_THE_WAY, str(ttl)]).stdout.strip() == expected


# Sends datagrams that die at one TTL, as fast as it can, and prints how many were quoted and how long sending took.
_DIE_IN_A_BURST = """
import select, socket, sys, time
ttl, count = map(int, sys.argv[1:])
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
for sock in socks:
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
began_s = time.monotonic()
for sock in socks:
    sock.sendto(b"x", ("217.22.184.27", 9))
took_s = time.monotonic() - began_s
time.sleep(0.5)
quoted = 0
for sock in socks:
    try:
        sock.recvmsg(100, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        quoted += 1
    except BlockingIOError:
        pass
print(quoted, took_s)
"""


def _quoted(lab: Lab, ttl: int) -> tuple[int, float]:
    count, took_s = lab.run("lan", [sys.executable, "-c", _DIE_IN_A_BURST, str(ttl), "20"]).stdout.split()
    return int(count), float(took_s)


@pytest.mark.parametrize("ttl", [1, 2], ids=["cpe", "isp"])
def test_hops_ration_as_linux_does(fresh: Lab, ttl: int) -> None:
    """Six ICMP errors at once to each destination, and one more a second (icmp_ratelimit, XRLIM_BURST_FACTOR)."""
    fresh.enter("ready")
    quoted, took_s = _quoted(fresh, ttl)
    assert 6 <= quoted <= 6 + int(took_s)


@pytest.mark.parametrize("ttl", [1, 2], ids=["cpe", "isp"])
def test_generous_hops_quote_whatever_dies_in_them(generous: Lab, ttl: int) -> None:
    generous.enter("ready")
    assert _quoted(generous, ttl)[0] == 20


def test_the_kernels_of_a_site_are_left_as_they_come(fresh: Lab) -> None:
    """Every ICMP setting of every room is that of a namespace that nobody touched."""
    settings = ["sysctl", "--all", "--pattern", r"^net\.ipv4\.icmp_"]
    untouched = subprocess.run(["unshare", "--net", *settings], capture_output=True, text=True, check=True).stdout
    assert "net.ipv4.icmp_ratelimit = 1000" in untouched
    for room in fresh.rooms.names:
        assert fresh.run(room, settings).stdout == untouched, room


def test_a_longer_chain_can_hold_a_second_nat() -> None:
    """A carrier between the site and the provider, with a NAT of its own: the server sees the carrier's address."""
    carrier = Cable("isp", "100.64.0.2", "carrier", "100.64.0.1")
    with site([*CABLES[:2], carrier, Cable("carrier", "192.31.196.1", "go", "192.31.196.2")]) as longer:
        second_nat = "type nat hook postrouting priority 100\n oifname to-go masquerade\n"
        longer.nft("carrier", f"table ip second {{\n chain leaving {{\n {second_nat} }}\n}}")
        assert "received=192.31.196.1" in longer.run("lan", OPTIONS_1.split()).stdout
        far = longer.run("lan", [sys.executable, "-c", _DIE_ON_THE_WAY, "3"]).stdout
        assert far.strip() == "100.64.0.1 11 0 True"


def test_there_is_no_way_out(lab: Lab) -> None:
    """Every interface of every room is a loopback or a cable to a neighbour, and none of them ends outside."""
    for place, room in enumerate(lab.rooms.names):
        neighbours = lab.rooms.names[max(0, place - 1) : place] + lab.rooms.names[place + 1 : place + 2]
        listed = lab.run(room, ["ip", "-o", "link"]).stdout
        found = set(re.findall(r"^\d+: ([^:@]+)", listed, re.MULTILINE))
        assert found - {f"to-{name}" for name in neighbours} == {"lo"}
    own = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert " to-" not in own


def test_the_lying_resolver_refuses_unless_told_to_lie(lab: Lab) -> None:
    lab.enter("ready")
    assert "status: REFUSED" in lab.run("isp", [*SRV_STATUS.split(), f"@{LYING_RESOLVER}"]).stdout


def _left_of(process: int) -> list[str]:
    folders = (Path("/run/netns"), Path("/etc/netns"), Path(tempfile.gettempdir()))
    return [str(path) for folder in folders for path in folder.glob(f"gosip-{process}-*")]


def _processes(lab: Lab) -> list[int]:
    return [number for room in lab.rooms.names for number in lab.rooms.pids(room)]


def _living(numbers: list[int]) -> list[int]:
    """Those that still run. Who was orphaned and ended is a zombie until the machine's process 1 notices."""
    found = []
    for number in numbers:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(number)
    return found


def test_nothing_is_left_behind_after_a_failure() -> None:
    before = _left_of(os.getpid())
    inside: list[int] = []
    with pytest.raises(ZeroDivisionError):
        _fail_in_a_site(inside)
    assert len(inside) > 3
    assert _left_of(os.getpid()) == before
    assert _living(inside) == []


def _fail_in_a_site(inside: list[int]) -> None:
    with site() as own:
        inside += _processes(own)
        _ = 1 / 0


_STAY = """
import signal
from tests.lab.site import site
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started with it ignored
with site() as lab:
    print(*[pid for room in lab.rooms.names for pid in lab.rooms.pids(room)], flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind_after_a_signal(ending: signal.Signals) -> None:
    """Ctrl-C tears the site down. A killed run cannot; then the next run does."""
    with subprocess.Popen([sys.executable, "-c", _STAY], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        servers = [int(word) for word in other.stdout.readline().split()]
        assert len(servers) > 3
        assert _left_of(other.pid) != []
        other.send_signal(ending)
        if ending == signal.SIGKILL:
            # Ended, but still in the list of processes: until it is gone from there, no other run sweeps what it left.
            os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
            assert _left_of(other.pid) != []
        other.wait(20)
    if ending == signal.SIGKILL:
        with rooms(CABLES[:1], {}, {}):
            pass
    assert _left_of(other.pid) == []
    assert _living(servers) == []
