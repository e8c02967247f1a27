"""`explain` against a file for every id, so that nobody changes a sentence without reading it.

Where a change is meant: `GOSIP_WRITE_GOLDEN=1 python -m pytest tests/unit/test_explain.py`, and read the difference.
"""

import os

import pytest

from gosip_check.checklist import load_file, shipped
from gosip_check.remedies import remedies, remedies_for
from tests.saved import DATA, here

GOLDEN = DATA / "explain"
IDS = [
    *dict.fromkeys(requirement.id for path in shipped().values() for requirement in load_file(path).requirements),
    *(remedy.id for remedy in remedies()),
]


@pytest.mark.parametrize("id_", IDS)
def test_every_id_is_explained(id_: str) -> None:
    code, text = here("explain", id_)
    file = GOLDEN / f"{id_}.txt"
    if "GOSIP_WRITE_GOLDEN" in os.environ:
        file.write_text(text)
    assert code == 0
    assert text == file.read_text()
    assert all(len(line) < 80 for line in text.splitlines())


def test_there_is_no_file_of_an_id_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(IDS)


def test_without_an_id_all_are_listed() -> None:
    _, text = here("explain")
    listed = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert sorted(listed) == sorted(IDS)


def test_the_values_are_those_of_the_checklist_that_is_named() -> None:
    assert "_sip._udp.trunk.gotel.com.mt" in here("explain", "dns.srv-answers")[1]
    assert "_sip._tcp.trunke.gotel.com.mt" in here("explain", "dns.srv-answers", "--checklist", "go-gateway")[1]


def test_one_device_gets_its_own_steps_alone() -> None:
    for id_ in ("alg.absent", "alg.answers-unchanged"):
        text = here("explain", id_, "--device", "MikroTik hEX")[1]
        assert "service-port set sip disabled=yes" in text
        assert "FortiGate" not in text
    text = here("explain", "pbx.ppi", "--device", "Grandstream UCM6302")[1]
    assert "send_ppi" in text
    assert "FreePBX" not in text


@pytest.mark.parametrize("id_", sorted({id_ for remedy in remedies() for id_ in remedy.fixes}))
def test_each_device_that_has_steps_is_shown_alone(id_: str) -> None:
    devices = {remedy.device for remedy in remedies_for(id_)}
    for remedy in remedies_for(id_):
        text = here("explain", id_, "--device", remedy.id)[1].partition("Steps for each device")[2]
        assert {device for device in devices if f"\n  {device} (" in text} == {remedy.device}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("alg.absend",), "There is no requirement or remedy 'alg.absend'; did you mean 'alg.absent'?"),
        (("openwart",), "did you mean 'openwrt'?"),
        (("\x1b[31m",), "'\\x1b[31m'"),
        (("alg.absent", "--device", "Casasoft"), "--device 'Casasoft': no steps are known for it. Known are MikroTik"),
        (("dns.ttl", "--device", "MikroTik"), "--device: dns.ttl has no steps for one device."),
        (("dns.ttl", "--checklist", "gone"), "There is no checklist 'gone'"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    code, text = here("explain", *arguments)
    assert code == 2
    assert sentence in text
    assert "\x1b" not in text


def test_an_old_checklist_has_less_to_say() -> None:
    code, text = here("explain", "dns.ttl", "--checklist", DATA / "go-native-first.toml")
    assert code == 0
    assert "When it is not so" in text
    assert "How to prove it by hand" not in text
