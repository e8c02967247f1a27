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
        assert remedy.match
        assert remedy.steps
        assert remedy.date
        assert (remedy.source == "none") == (remedy.confidence == "unconfirmed")
        assert all(word == word.lower() for word in remedy.match)
        assert set(remedy.families) <= {str(family) for family in AlgFamily}
        assert ("(unconfirmed)" in remedy.words) == (remedy.confidence == "unconfirmed")


def test_every_remedy_has_a_name_of_its_own_and_fixes_what_there_is() -> None:
    requirements = [requirement.id for requirement in load("go-native").requirements]
    assert set(fixes()) <= set(requirements)
    assert len({remedy.id for remedy in remedies()} | set(requirements)) == len(remedies()) + len(requirements)


def test_every_family_has_devices() -> None:
    for family in AlgFamily:
        assert find([], family), family


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("MikroTik hEX S", "MikroTik RouterOS"),
        ("Fortinet FortiGate 60F", "FortiGate"),
        ("Cisco ASA 5506", "Cisco ASA or Firepower"),
        ("Cisco ISR 1111", "Cisco IOS or IOS-XE"),
        ("Ubiquiti EdgeRouter X", "Ubiquiti EdgeRouter"),
        ("Ubiquiti UDM Pro", "UniFi gateway"),
        ("Zyxel USG FLEX 100", "Zyxel USG, ATP or VPN"),
        ("HUAWEI HG8245", "Huawei HG or ONT"),
    ],
)
def test_a_device_on_the_form_is_found(name: str, device: str) -> None:
    assert [remedy.device for remedy in find([name, " "], "netfilter")] == [device]


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
