"""The form fills itself: what was found is offered or marked, never slipped in; without a terminal nobody is asked."""

import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from gosip_check.cli.form import fill_in, write_form
from gosip_check.form import mac_vendors
from gosip_check.form.discover import product_of
from gosip_check.form.form import Finding, findings_of, load, to_toml, with_findings
from gosip_check.probes.host.interface import mac_of
from gosip_check.probes.nat import upnp
from gosip_check.probes.probe import Context
from gosip_check.records import Equipment, Form, Link, Report
from gosip_check.servers.endpoint import Endpoint, Peer
from tests.saved import demo, here, save
from tests.unit.records import measurement, report
from tests.unit.report.test_report import HOSTILE

LOOPBACK = IPv4Network("127.0.0.0/8")
DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<manufacturer>AVM Berlin</manufacturer><modelName>FRITZ!Box 7590</modelName><modelNumber>avm</modelNumber>
</device></root>"""


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def found(answer: bytes, location: str = "http://127.0.0.1:{port}/desc.xml") -> list[upnp.Device]:
    """What is found on loopback where a device gives `answer` for its description."""

    def split(buffer: bytes) -> tuple[bytes | None, bytes]:
        head, end, rest = buffer.partition(b"\r\n\r\n")
        return (head + end, rest) if end else (None, buffer)

    def handle(data: bytes, peer: Peer, transport: str) -> bytes | None:
        del peer
        if transport == "TCP":
            return answer
        assert data.startswith(b"M-SEARCH * HTTP/1.1\r\n")
        return f"HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: {location.format(port=device.port)}\r\n\r\n".encode()

    with Endpoint("127.0.0.1", handle, split) as device:
        place = (device.address, device.port)
        return upnp.devices(Context(Link(name="x")), LOOPBACK, "127.0.0.1", search=place)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upnp, "_WAIT_S", 0.4)
    monkeypatch.setattr(upnp, "_FETCH_S", 1.0)


@pytest.mark.waits
def test_a_router_tells_its_name() -> None:
    assert found(http(DESCRIPTION.encode())) == [upnp.Device("127.0.0.1", "AVM Berlin", "FRITZ!Box 7590", "avm")]


@pytest.mark.waits
def test_a_device_within_the_router_is_not_the_router() -> None:
    within = "<deviceList><device><modelName>WANDevice</modelName><modelNumber>2021</modelNumber></device></deviceList>"
    router = DESCRIPTION.replace("<modelNumber>avm</modelNumber>", within)
    assert found(http(router.encode())) == [upnp.Device("127.0.0.1", "AVM Berlin", "FRITZ!Box 7590", "")]


@pytest.mark.waits
@pytest.mark.parametrize(
    "answer",
    [
        http(b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + DESCRIPTION.encode()),
        http(DESCRIPTION.replace("version", "x").encode()),
        http(DESCRIPTION.encode() + b" " * 70_000),
        http(DESCRIPTION.encode(), "404 Not Found"),
        http(b"\x00\xff\xfe"),
        b"",
        http(b"<root/>"),
    ],
    ids=["doctype", "broken", "large", "404", "bytes", "nothing", "empty"],
)
def test_a_description_that_cannot_be_trusted_tells_nothing(answer: bytes) -> None:
    assert found(answer) == []


@pytest.mark.waits
@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.1/x",
        "http://127.0.0.2:{port}/x",
        "https://127.0.0.1:{port}/x",
        "file:///etc/passwd",
        "http://[::1",
        "x",
    ],
)
def test_a_device_sends_us_nowhere_else(location: str) -> None:
    """The guard of these tests would refuse another address too, and loudly."""
    assert found(http(DESCRIPTION.encode()), location) == []


WAN = """<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType><controlURL>{control}</controlURL>
</service></serviceList></device></deviceList></device></root>"""
SOAP = """<s:Envelope xmlns:s="x"><s:Body><u:R xmlns:u="y"><NewExternalIPAddress>{}</NewExternalIPAddress></u:R>
</s:Body></s:Envelope>"""


def outside(answer: bytes, control: str = "/control") -> str | None:
    """The address outside that a router on loopback names, whose answer to GetExternalIPAddress is `answer`."""

    def split(buffer: bytes) -> tuple[bytes | None, bytes]:
        head, end, rest = buffer.partition(b"\r\n\r\n")
        return (head + end, rest) if end else (None, buffer)

    def handle(data: bytes, peer: Peer, transport: str) -> bytes | None:
        del peer
        if transport != "TCP":
            return f"HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: http://127.0.0.1:{device.port}/desc.xml\r\n\r\n".encode()
        if data.startswith(b"GET "):
            return http(WAN.format(control=control).encode())
        return answer if data.startswith(b"POST /control ") and b"#GetExternalIPAddress" in data else None

    with Endpoint("127.0.0.1", handle, split) as device:
        place = (device.address, device.port)
        return upnp.external_address(Context(Link(name="x")), LOOPBACK, "127.0.0.1", search=place)


@pytest.mark.waits
def test_a_router_tells_its_address_outside() -> None:
    assert outside(http(SOAP.format(" 192.0.2.9 ").encode())) == "192.0.2.9"


@pytest.mark.waits
@pytest.mark.parametrize(
    ("answer", "control"),
    [
        (http(SOAP.format("").encode()), "/control"),
        (http(SOAP.format("fd00::1").encode()), "/control"),
        (http(b"<a>"), "/control"),
        (http(SOAP.format("192.0.2.9").encode(), "500 Internal Server Error"), "/control"),
        (http(SOAP.format("192.0.2.9").encode()), "http://192.0.2.1/control"),
        (http(SOAP.format("192.0.2.9").encode()), "http://[::1/control"),
    ],
    ids=["empty", "IPv6", "broken", "500", "elsewhere", "no URL"],
)
def test_an_address_outside_that_is_none_is_not_believed(answer: bytes, control: str) -> None:
    assert outside(answer, control) is None


PRODUCTS = {
    "Asterisk PBX 18.10.0~dfsg": ("Asterisk PBX", "18.10.0"),
    "3CXPhoneSystem 18.0.9.20 (18.0.9.20)": ("3CXPhoneSystem", "18.0.9.20"),
    "FPBX-16.0.40.7(18.16.0)": ("FPBX", "16.0.40.7"),
    "kamailio (5.6.3 (x86_64/linux))": ("kamailio", "5.6.3"),
    "FreeSWITCH-mod_sofia/1.10.9-release": ("FreeSWITCH-mod_sofia", "1.10.9"),
    "MyPBX": ("MyPBX", ""),
    "": ("", ""),
}


@pytest.mark.parametrize(("server", "product"), PRODUCTS.items())
def test_a_pbx_tells_its_name_and_release(server: str, product: tuple[str, str]) -> None:
    assert product_of(server) == product


def test_the_table_of_makers_is_the_one_that_nmap_has() -> None:
    theirs = Path("/usr/share/nmap/nmap-mac-prefixes")
    if not theirs.exists():
        pytest.skip("needs the MAC prefixes that come with nmap")
    makers = dict(line.split(" ", 1) for line in theirs.read_text(errors="replace").splitlines() if line[:1] != "#")
    for prefix, maker in mac_vendors._MAKERS.items():
        word = {"MikroTik": "routerboard"}.get(maker, maker.split()[-1]).lower()
        assert word in makers[prefix].lower()
    assert mac_vendors.maker_of("48:a9:8a:00:00:01") in ("MikroTik", None)
    assert mac_vendors.maker_of("00:1d:aa:01:02:03") == "DrayTek"
    for odd in ("02:1d:aa:01:02:03", "", "x", "00:1d:aa", "ff:ff:ff:ff:ff:ff"):
        assert mac_vendors.maker_of(odd) is None


def test_a_neighbour_by_its_address(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    table.write_text(
        "IP address HW type Flags HW address Mask Device\n"
        "192.168.1.1 0x1 0x2 00:1d:aa:01:02:03 * eth0\n192.168.1.9 0x1 0x0 00:00:00:00:00:00 * eth0\n"
    )
    assert mac_of("192.168.1.1", table=table) == "00:1d:aa:01:02:03"
    assert mac_of("192.168.1.9", table=table) is None
    assert mac_of("192.168.1.1", table=tmp_path / "none") is None


FINDINGS = [
    Finding("router.vendor", "DrayTek", "UPnP"),
    Finding("router.vendor", "other", "MAC"),
    Finding("pbx.model", " ", "x"),
]


def test_what_was_found_is_marked_and_overwrites_nothing() -> None:
    form = with_findings(Form(), FINDINGS)
    assert (form.router.vendor, form.discovered) == ("DrayTek", ["router.vendor"])
    own = Form(router=Equipment(vendor="Cisco"))
    assert with_findings(own, FINDINGS) == own


@pytest.mark.parametrize("text", [*HOSTILE.values(), 'q"\\', "\x7f"], ids=[*HOSTILE, "quotes", "DEL"])
def test_a_form_is_written_as_it_is_read(text: str, tmp_path: Path) -> None:
    form = with_findings(Form(company_name=text, pbx=Equipment(vendor=text)), FINDINGS)
    path = tmp_path / "form.toml"
    path.write_text(to_toml(form), encoding="utf-8", newline="")
    assert load(path) == form


def test_lines_come_from_a_report() -> None:
    made = report(measurements=[measurement({"rate_up_kbps": 1000.0, "rate_down_kbps": 1000.0})])
    found = {finding.field: finding.value for finding in findings_of(made)}
    assert found["internet_1.interface"] == "eth0"
    assert found["internet_1.address"] == "192.0.2.2"
    assert found["internet_1.measured_speed"].startswith("at least 1/1 Mb/s")
    assert isinstance(made, Report)


def test_without_a_terminal_nobody_is_asked() -> None:
    form = fill_in(Form(), FINDINGS, asks=False)
    assert form.discovered == ["router.vendor"]


def test_comments_of_ones_own_are_kept_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, beside = tmp_path / "form.toml", tmp_path / "form.toml.bak"
    write_form(Form(company_name="ACME"), str(path))
    write_form(Form(company_name="ACME Ltd"), str(path))
    assert not beside.exists()
    own = path.read_text() + "# ask Maria on Monday\n"
    path.write_text(own)
    write_form(Form(company_name="ACME plc"), str(path))
    assert beside.read_text() == own
    assert load(path).company_name == "ACME plc"
    assert "form.toml.bak: the file as it was" in capsys.readouterr().err


def test_a_form_that_cannot_be_right_is_told(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_text('discovered = ["nonsense"]\n')
    assert "discovered: 'nonsense' is not a field" in here("form", "check", path)[1]
    document = demo()
    document["form"] = {"contact_number": "not a number", "discovered": ["nonsense"]}
    code, printed = here("report", "check", save(document, tmp_path))
    assert code == 1
    assert "'not a number' is not a telephone number" in printed
    assert "discovered: 'nonsense' is not a field" in printed


def test_a_wrong_pbx_is_not_repeated() -> None:
    code, printed = here("form", "fill", "f.toml", "--pbx", "sip:user:hunter2@pbx")
    assert code == 2
    assert "hunter2" not in printed
    assert "ADDRESS or ADDRESS:PORT would be right" in printed


@pytest.mark.parametrize("letter", ["\u202e", "\u009b", "\u00ad", "\u3164", "\u180e", "\U000e0041", "\u2028"])
def test_a_letter_that_nobody_sees_is_escaped_and_read_back(letter: str) -> None:
    form = Form(router=Equipment(vendor=f"Acme{letter}router"))
    text = to_toml(form)
    assert letter not in text
    assert tomllib.loads(text)["router"]["vendor"] == form.router.vendor
