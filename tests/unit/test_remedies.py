"""The remedy table is complete, and the right rows reach the hint."""

import pytest

from gosip_check.checklist import load
from gosip_check.probes.alg.signature import AlgFamily
from gosip_check.records import Equipment, Form
from gosip_check.remedies import AND_AGAIN, find, fixes, remedies, with_remedy
from tests.unit.records import measurement, verdict


def test_about_thirty_devices_each_with_source_date_and_confidence() -> None:
    assert len(remedies()) >= 30
    for remedy in remedies():
        assert remedy.match or remedy.makers
        assert remedy.steps
        assert remedy.date
        assert (remedy.source == "none") == (remedy.confidence == "unconfirmed")
        assert all(word == word.lower() for word in [*remedy.match, *remedy.makers])
        assert set(remedy.families) <= {str(family) for family in AlgFamily}
        assert ("(unconfirmed)" in remedy.words) == (remedy.confidence == "unconfirmed")


def test_every_remedy_has_a_name_of_its_own_and_fixes_what_there_is() -> None:
    requirements = [requirement.id for requirement in load("go-native").requirements]
    assert set(fixes()) <= set(requirements)
    assert len({remedy.id for remedy in remedies()} | set(requirements)) == len(remedies()) + len(requirements)


def test_every_family_has_devices() -> None:
    for family in AlgFamily:
        assert find([], family), family


_LEADS_TO = {
    "mikrotik-routeros": ["MikroTik hEX S", "MikroTik CCR2004", "RB4011"],
    "ubiquiti-edgerouter": ["Ubiquiti EdgeRouter X", "EdgeRouter 4", "Ubiquiti ER-X"],
    "unifi-gateway": ["Ubiquiti UDM Pro", "Ubiquiti USG", "UniFi Dream Machine", "UCG Ultra"],
    "openwrt": ["GL.iNet MT3000", "Teltonika RUTX11", "TP-Link Archer C7 OpenWrt", "Linksys WRT3200ACM OpenWrt"],
    "freshtomato": ["Netgear R7000 FreshTomato", "ASUS RT-AC68U Tomato"],
    "linux-router": ["Debian 12", "VyOS 1.4"],
    "fortigate": ["Fortinet FortiGate 60F", "FortiWiFi 40F", "Fortinet 100F"],
    "juniper-srx": ["Juniper SRX300", "SRX 340"],
    "juniper-screenos": ["Juniper SSG5", "SSG 140", "Juniper NetScreen 5GT"],
    "cisco-asa": ["Cisco ASA 5506", "ASA5505", "Cisco Firepower 1010"],
    "cisco-ios": ["Cisco ISR 1111", "Cisco 881"],
    "cisco-rv": ["Cisco RV340", "RV160"],
    "cisco-meraki-mx": ["Cisco Meraki MX67", "Meraki MX84"],
    "sonicwall": ["SonicWall TZ370"],
    "draytek-vigor": ["DrayTek Vigor 2865", "Vigor 2927"],
    "zyxel-usg-flex-h": ["Zyxel USG FLEX 100H", "USG FLEX 200HP", "Zyxel USG FLEX H"],
    "zyxel-usg": ["Zyxel USG FLEX 100", "USG FLEX 200", "Zyxel ATP200", "ZyWALL 110", "USG FLEX 500"],
    "zyxel-vmg": ["Zyxel VMG8825", "Zyxel P-660HN"],
    "sophos-xg": ["Sophos XGS 107", "Sophos XG 125"],
    "watchguard": ["WatchGuard Firebox T45", "Firebox M290"],
    "pfsense": ["Netgate 1100", "pfSense 2.7"],
    "opnsense": ["OPNsense 24.7"],
    "huawei-hg": ["HUAWEI HG8245", "Huawei EchoLife EG8145"],
    "zte-f6xx": ["ZTE F660", "ZXHN H298A"],
    "tp-link": ["TP-Link Archer AX50", "Archer C6"],
    "netgear-router": ["Netgear R7000", "Nighthawk RAX50"],
    "asus": ["ASUS RT-AX58U"],
    "linksys": ["Linksys EA6500"],
    "technicolor-cga": ["Technicolor CGA4131"],
    "comtrend": ["Comtrend CT-5361T"],
    "tenda-ont": ["Tenda HG9"],
    "keenetic": ["Keenetic Hero"],
    "proxicast": ["Proxicast LAN-Cell 3"],
    "check-point": ["Check Point 1570", "Checkpoint 3100"],
    "palo-alto": ["Palo Alto PA-440", "PA-220"],
    "fritzbox": ["AVM FRITZ!Box 7590", "FRITZ!Box 7530", "Fritzbox 7490"],
    "d-link": ["D-Link DIR-842", "DSL-2750B"],
    "sagemcom": ["Sagemcom F@st 5366", "Sagemcom 3890"],
    "peplink": ["Peplink Balance 20X", "Pepwave MAX BR1"],
    "stormshield": ["Stormshield SN210", "SN310"],
}
"Remedy -> names of real models, as people write them with and without the maker."


@pytest.mark.parametrize(("id_", "name"), [(id_, name) for id_, names in _LEADS_TO.items() for name in names])
def test_a_device_on_the_form_is_found(id_: str, name: str) -> None:
    assert [remedy.id for remedy in find([name, " "], "netfilter")] == [id_]


def test_every_remedy_is_reached() -> None:
    assert {remedy.id for remedy in remedies()} == set(_LEADS_TO)


def test_screenos_is_not_advised_to_drop_sip() -> None:
    assert "dropped" in find(["Juniper SSG5"], None)[0].steps


def test_an_unknown_device_gets_the_steps_of_the_family() -> None:
    assert "MikroTik RouterOS" in [remedy.device for remedy in find(["Casasoft 12"], "netfilter")]
    assert find(["Casasoft 12"], None) == []


def test_only_a_failed_verdict_with_an_alg_gets_a_remedy() -> None:
    found = measurement({"alg_found": True, "family": "call-id"})
    form = Form(router=Equipment(vendor="DrayTek", model="Vigor 2765"))
    told = with_remedy(verdict("fail"), found, form).hint
    assert "DrayTek" in told
    assert "FortiGate" not in told
    assert told.endswith(AND_AGAIN)
    assert "FortiGate" in with_remedy(verdict("fail"), found, None).hint
    for outcome, facts in (("pass", {"alg_found": False}), ("unknown", {"alg_found": None}), ("fail", {"ok": False})):
        assert with_remedy(verdict(outcome), measurement(facts), form).hint == verdict(outcome).hint
