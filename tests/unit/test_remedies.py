"""The remedy table is complete, and the right rows reach the hint."""

import pytest
from msgspec.structs import replace

from gosip_check.checklist import load
from gosip_check.probes.alg.signature import AlgFamily
from gosip_check.records import Equipment, Form, Outcome
from gosip_check.remedies import AND_AGAIN, VOICE_FIRST, Remedy, find, remedies, steps_on, with_remedy
from tests.unit.records import measurement, verdict

OF_ALG = [remedy for remedy in remedies() if remedy.is_of_alg]
OF_VOICE = [remedy for remedy in remedies() if remedy.fixes == (VOICE_FIRST,)]
OF_PBX = [remedy for remedy in remedies() if remedy.is_of_pbx]


def test_about_thirty_devices_each_with_source_date_and_confidence() -> None:
    assert len(OF_ALG) >= 30
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
    for remedy in remedies():
        assert remedy.fixes
        assert set(remedy.fixes) <= set(requirements)
        assert len({id_.partition(".")[0] for id_ in remedy.fixes}) == 1
    assert len({remedy.id for remedy in remedies()} | set(requirements)) == len(remedies()) + len(requirements)


def test_every_family_has_devices() -> None:
    for family in AlgFamily:
        assert find([], family, OF_ALG), family


_LEADS_TO = {
    "mikrotik-routeros": ["MikroTik hEX S", "MikroTik CCR2004", "RB4011", "hAP ax3"],
    "ubiquiti-edgerouter": ["Ubiquiti EdgeRouter X", "EdgeRouter 4", "Ubiquiti ER-X", "ERLite-3"],
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
    assert [remedy.id for remedy in find([name, " "], "netfilter", OF_ALG)] == [id_]


def test_every_remedy_is_reached() -> None:
    assert {remedy.id for remedy in OF_ALG} == set(_LEADS_TO)


_PBX_LEADS_TO = {
    "3CX": ["3CX V20", "3CX Phone System 18"],
    "Asterisk": ["Digium Asterisk 20", "Asterisk chan_pjsip"],
    "FreePBX": ["Sangoma FreePBX 16", "FreePBX 17 (Asterisk 20)", "PBXact 60"],
    "MikoPBX": ["MikoPBX 2024.1"],
    "FreeSWITCH or FusionPBX": ["FusionPBX 5", "SignalWire FreeSWITCH 1.10"],
    "Yeastar": ["Yeastar P560", "Yeastar S50"],
    "Grandstream UCM": ["Grandstream UCM6302", "UCM6104"],
    "Avaya IP Office": ["Avaya IP Office 500V2", "IP Office 11.1"],
    "Panasonic KX": ["Panasonic KX-NS700", "KX-TDE600", "Panasonic NS1000"],
    "Mitel MiVB": ["Mitel MiVoice Business", "Mitel 3300"],
    "Alcatel-Lucent OXO": ["Alcatel-Lucent OXO Connect", "Alcatel OmniPCX Office"],
    "Cisco CUBE": ["Cisco CUBE", "Cisco CUCM 14"],
    "Patton SmartNode": ["Patton SN4171", "SmartNode 4110"],
}
"PBX -> names as people write them on the form."


_NAMED = [(device, name) for device, names in _PBX_LEADS_TO.items() for name in names]


@pytest.mark.parametrize(("device", "name"), _NAMED)
def test_a_pbx_on_the_form_gets_all_of_its_rows_and_no_other(device: str, name: str) -> None:
    demanded = {id_ for remedy in OF_PBX for id_ in remedy.fixes}
    assert {remedy.id for id_ in demanded for remedy in steps_on(name, id_)} == {
        remedy.id for remedy in OF_PBX if remedy.device == device
    }


def test_every_pbx_is_reached() -> None:
    assert {remedy.device for remedy in OF_PBX} == set(_PBX_LEADS_TO)


@pytest.mark.parametrize("remedy", OF_PBX, ids=lambda remedy: remedy.id)
def test_a_row_of_a_pbx_stands_in_the_verdicts_that_it_fixes(remedy: Remedy) -> None:
    form = Form(pbx=Equipment(vendor="", model=_PBX_LEADS_TO[remedy.device][0]))
    for id_ in remedy.fixes:
        for outcome in ("fail", "warn"):
            fallen = replace(verdict(outcome), id=id_)
            with_steps = with_remedy(fallen, measurement({}), form)
            assert with_steps.steps == [fallen.hint, remedy.words]
            assert with_steps.hint == f"{fallen.hint} {remedy.words}"
        for outcome in ("pass", "unknown", "skipped"):
            fallen = replace(verdict(outcome), id=id_)
            assert with_remedy(fallen, measurement({}), form) == fallen
    assert with_remedy(replace(verdict("fail"), id=remedy.fixes[0]), measurement({}), Form()).steps == []


@pytest.mark.parametrize("remedy", OF_VOICE, ids=lambda remedy: remedy.id)
def test_a_router_that_lets_voice_wait_gets_the_makers_own_steps(remedy: Remedy) -> None:
    """And no other verdict does; nor does a device that nothing is known of, such as UniFi."""
    assert remedy.confidence in ("vendor", "several")
    own = Equipment(vendor="", model=_LEADS_TO[remedy.id.removesuffix("-voice-first")][0])
    fallen = replace(verdict("warn"), id=VOICE_FIRST)
    for form in (Form(router=own), Form(firewall=own), Form(router=own, firewall=own)):
        assert with_remedy(fallen, measurement({}), form).steps == [fallen.hint, remedy.words]
    assert with_remedy(replace(fallen, outcome=Outcome.UNKNOWN), measurement({}), Form(router=own)).steps == []
    for other in (Form(), Form(router=Equipment(vendor="Ubiquiti", model="UDM Pro"))):
        assert with_remedy(fallen, measurement({}), other) == fallen


def test_screenos_is_not_advised_to_drop_sip() -> None:
    assert "dropped" in find(["Juniper SSG5"], None, OF_ALG)[0].steps


def test_an_unknown_device_gets_the_steps_of_the_family() -> None:
    assert "MikroTik RouterOS" in [remedy.device for remedy in find(["Casasoft 12"], "netfilter", OF_ALG)]
    assert find(["Casasoft 12"], None, OF_ALG) == []


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
