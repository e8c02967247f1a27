"""Checklists: the shipped ones load, and every way of being wrong gets its own sentence."""

import re
from pathlib import Path

import pytest

from gosip_check.checklist import EXPLAINING, load, load_file, parse, shipped
from gosip_check.tomlfile import LARGEST_FILE, TomlError

HEAD = """
[checklist]
id = "x"
title = "X"
version = "1"
source = "a guide"
date = "2026-01-01"
"""
TRUNK = """
[trunk]
domain = "trunk.example.net"
service = "sip"
transport = "udp"
port = 5060
networks = ["192.0.2.0/24"]
rtp_ports = [1024, 65535]
codec = "PCMA"
dtmf = "telephone-event"
reregistration_s = 300
kbps_per_channel = 100
"""
GOOD = """
[[requirement]]
id = "dns.srv-answers"
title = "DNS knows the trunk"
level = "must"
probe = "srv"
expect = [{ fact = "srv_found", operator = "is", value = true }]
hint = "ask another resolver"
source = "a guide"
"""


def requirement(**changes: str) -> str:
    """GOOD with some lines replaced; a value of "" takes the line away."""
    lines = [line for line in GOOD.splitlines() if line.split(" = ")[0] not in changes]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in changes.items() if value)])


WRONG = {
    "no TOML": (
        "[checklist",
        "w.toml: is not valid TOML: Expected ']' at the end of a table declaration (at end of document).",
    ),
    "unknown table": (HEAD + TRUNK + GOOD + "[trunks]\n", "w.toml: there is no key 'trunks'; did you mean 'trunk'?"),
    "no head": (TRUNK + GOOD, "w.toml: has no table [checklist]."),
    "no trunk": (HEAD + GOOD, "w.toml: has no table [trunk]."),
    "no requirements": (HEAD + TRUNK, "w.toml: has no requirements; each one starts with a line [[requirement]]."),
    "head typo": (
        HEAD.replace("title", "titel") + TRUNK + GOOD,
        "w.toml: [checklist]: there is no key 'titel'; did you mean 'title'?",
    ),
    "head lacks": (HEAD.replace('title = "X"', "") + TRUNK + GOOD, "w.toml: [checklist]: title is missing."),
    "trunk type": (
        HEAD + TRUNK.replace("5060", '"5060"') + GOOD,
        "w.toml: [trunk]: port: expected int, got str.",
    ),
    "trunk transport": (
        HEAD + TRUNK.replace('"udp"', '"sctp"') + GOOD,
        "w.toml: [trunk]: transport: invalid enum value 'sctp'; one of udp, tcp would be right.",
    ),
    "trunk port": (
        HEAD + TRUNK.replace("5060", "506000") + GOOD,
        "w.toml: [trunk]: port: must lie between 1 and 65535.",
    ),
    "trunk network": (
        HEAD + TRUNK.replace("192.0.2.0/24", "192.0.2.1/24") + GOOD,
        "w.toml: [trunk]: networks: 192.0.2.1/24 has host bits set; such as 192.0.2.0/24 would be right.",
    ),
    "trunk with too many networks": (
        HEAD + TRUNK.replace('["192.0.2.0/24"]', str(["192.0.2.0/24"] * 70_000)) + GOOD,
        "w.toml: [trunk]: networks: has 70000 entries; 1000 is the most.",
    ),
    "trunk codec": (
        HEAD + TRUNK.replace("PCMA", "A law") + GOOD,
        "w.toml: [trunk]: codec: 'A law' is not a name as SDP has it; PCMA would be right.",
    ),
    "trunk dtmf": (
        HEAD + TRUNK.replace("telephone-event", "") + GOOD,
        "w.toml: [trunk]: dtmf: '' is not a name as SDP has it; telephone-event would be right.",
    ),
    "trunk date": (
        HEAD + TRUNK + 'own_networks_date = "23.11.2026"\n' + GOOD,
        "w.toml: [trunk]: own_networks_date: '23.11.2026' is not a date; 2026-11-27 would be right.",
    ),
    "trunk guide": (
        HEAD + TRUNK + 'guide = "a\\u001bb"\n' + GOOD,
        "w.toml: [trunk]: guide: must be one line of at most 200 letters, without control characters.",
    ),
    "trunk no network": (
        HEAD + TRUNK.replace('["192.0.2.0/24"]', "[]") + GOOD,
        "w.toml: [trunk]: networks is empty; name at least one, such as 192.0.2.0/24.",
    ),
    "trunk range": (
        HEAD + TRUNK.replace("[1024, 65535]", "[2000, 1000]") + GOOD,
        "w.toml: [trunk]: rtp_ports: 2000-1000 is not a range; [1024, 65535] would be right.",
    ),
    "trunk domain": (
        HEAD + TRUNK.replace("trunk.example.net", "sip:trunk") + GOOD,
        "w.toml: [trunk]: domain: 'sip:trunk' is not a domain; trunk.example.net would be right.",
    ),
    "trunk domain with an empty label": (
        HEAD + TRUNK.replace("trunk.example.net", "a..b") + GOOD,
        "w.toml: [trunk]: domain: 'a..b' is not a domain; trunk.example.net would be right.",
    ),
    "trunk domain with a long label": (
        HEAD + TRUNK.replace("trunk.example.net", f"{'x' * 64}.b") + GOOD,
        f"w.toml: [trunk]: domain: '{'x' * 64}.b' is not a domain; trunk.example.net would be right.",
    ),
    "trunk domain too long": (
        HEAD + TRUNK.replace("trunk.example.net", ".".join(["x" * 63] * 4)) + GOOD,
        f"w.toml: [trunk]: domain: '{'.'.join(['x' * 63] * 4)}' is not a domain; trunk.example.net would be right.",
    ),
    "id form": (
        HEAD + TRUNK + requirement(id='"DNS"'),
        "w.toml: requirement 'DNS': the id must be group.name in lower case, such as 'dns.ttl'.",
    ),
    "id missing": (HEAD + TRUNK + requirement(id=""), "w.toml: requirement 1: id is missing."),
    "id twice": (
        HEAD + TRUNK + GOOD + GOOD,
        "w.toml: requirement 'dns.srv-answers': appears twice; every id must be its own.",
    ),
    "level": (
        HEAD + TRUNK + requirement(level='"shall"'),
        "w.toml: requirement 'dns.srv-answers': level: invalid enum value 'shall'; "
        "one of must, should, info would be right.",
    ),
    "a hint for a fact that is no yes or no": (
        HEAD + TRUNK + GOOD + 'hint_if = { site_count = "ask" }\n',
        "w.toml: requirement 'dns.srv-answers': hint_if: site_count is neither true nor false.",
    ),
    "no hint": (
        HEAD + TRUNK + requirement(hint='" "'),
        "w.toml: requirement 'dns.srv-answers': hint is empty; an installer needs it.",
    ),
    "unknown key": (
        HEAD + TRUNK + GOOD + 'hints = ""\n',
        "w.toml: requirement 'dns.srv-answers': there is no key 'hints'; did you mean 'hint'?",
    ),
    "probe typo": (
        HEAD + TRUNK + requirement(probe='"svr"'),
        "w.toml: requirement 'dns.srv-answers': there is no probe 'svr'; did you mean 'srv'? There are ",
    ),
    "need unknown": (
        HEAD + TRUNK + requirement(needs='["dns.srv"]'),
        "w.toml: requirement 'dns.srv-answers': needs 'dns.srv', which is no earlier requirement.",
    ),
    "need itself": (
        HEAD + TRUNK + requirement(needs='["dns.srv-answers"]'),
        "w.toml: requirement 'dns.srv-answers': needs 'dns.srv-answers', which is no earlier requirement.",
    ),
    "option typo": (
        HEAD + TRUNK + requirement(options='{ domian = "x" }'),
        "w.toml: requirement 'dns.srv-answers': options: there is no key 'domian'; did you mean 'domain'?",
    ),
    "option type": (
        HEAD + TRUNK + requirement(options="{ domain = 5 }"),
        "w.toml: requirement 'dns.srv-answers': options: domain: expected str, got int; put it in quotes.",
    ),
    "expects nothing": (
        HEAD + TRUNK + requirement(expect="[]"),
        "w.toml: requirement 'dns.srv-answers': expects nothing, so it could never fail.",
    ),
    "fact typo": (
        HEAD + TRUNK + requirement(expect='[{ fact = "srv_fund", operator = "is", value = true }]'),
        "w.toml: requirement 'dns.srv-answers': probe 'srv' has no fact 'srv_fund'; did you mean 'srv_found'?",
    ),
    "fact of a fact": (
        HEAD + TRUNK + requirement(expect='[{ fact = "srv_found.x", operator = "is", value = true }]'),
        "w.toml: requirement 'dns.srv-answers': probe 'srv' has no fact 'srv_found.x'.",
    ),
    "evidence is no fact": (
        HEAD + TRUNK + requirement(expect='[{ fact = "evidence", operator = "is", value = true }]'),
        "w.toml: requirement 'dns.srv-answers': probe 'srv' has no fact 'evidence'.",
    ),
    "operator": (
        HEAD + TRUNK + requirement(expect='[{ fact = "srv_found", operator = "equals", value = true }]'),
        "w.toml: requirement 'dns.srv-answers': expect[0].operator: invalid enum value 'equals'; "
        "one of is, one_of, min, max, includes would be right.",
    ),
    "value type": (
        HEAD + TRUNK + requirement(expect='[{ fact = "srv_found", operator = "is", value = "yes" }]'),
        "w.toml: requirement 'dns.srv-answers': srv_found is: expected bool, got str.",
    ),
    "max of a bool": (
        HEAD + TRUNK + requirement(expect='[{ fact = "srv_found", operator = "max", value = 1 }]'),
        "w.toml: requirement 'dns.srv-answers': srv_found max: srv_found is not a number; use 'is'.",
    ),
    "max of text": (
        HEAD + TRUNK + requirement(expect='[{ fact = "ttl_max_s", operator = "max", value = "1 h" }]'),
        "w.toml: requirement 'dns.srv-answers': ttl_max_s max: expected int | float, got str.",
    ),
    "one of nothing": (
        HEAD + TRUNK + requirement(expect='[{ fact = "arrangement", operator = "one_of", value = [] }]'),
        "w.toml: requirement 'dns.srv-answers': arrangement one_of: takes a list of values, such as [1, 2].",
    ),
    "one of wrong": (
        HEAD + TRUNK + requirement(expect='[{ fact = "arrangement", operator = "one_of", value = ["both"] }]'),
        "w.toml: requirement 'dns.srv-answers': arrangement one_of: invalid enum value 'both'.",
    ),
    "includes in no list": (
        HEAD + TRUNK + requirement(expect='[{ fact = "srv_found", operator = "includes", value = true }]'),
        "w.toml: requirement 'dns.srv-answers': srv_found includes: srv_found is not a list; use 'is'.",
    ),
    "includes wrong": (
        HEAD + TRUNK + requirement(expect='[{ fact = "fallback_addresses", operator = "includes", value = 5 }]'),
        "w.toml: requirement 'dns.srv-answers': fallback_addresses includes: expected str, got int; put it in quotes.",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_a_sentence(content: str, sentence: str) -> None:
    with pytest.raises(TomlError) as caught:
        parse(content.encode(), "w.toml")
    if sentence.endswith("There are "):
        assert str(caught.value).startswith(sentence)
    else:
        assert str(caught.value) == sentence


def test_the_right_file_beside_the_wrong_ones_is_right() -> None:
    checklist = parse((HEAD + TRUNK + GOOD).encode(), "w.toml")
    assert [r.id for r in checklist.requirements] == ["dns.srv-answers"]
    assert checklist.trunk.rtp_ports == (1024, 65535)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(TomlError) as caught:
        parse(b'[checklist]\nid = "\xff"', "w.toml")
    assert str(caught.value) == "w.toml: is not UTF-8 text (byte 18); save it as UTF-8."


def test_a_file_nested_too_deeply() -> None:
    with pytest.raises(TomlError, match=r"nested too deeply|is not valid TOML"):
        parse(b"a = " + b"[" * 100_000, "w.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TomlError, match=r"gone\.toml: cannot be read: No such file or directory\.$"):
        load_file(tmp_path / "gone.toml")
    with pytest.raises(TomlError, match=r"cannot be read: Is a directory\.$"):
        load_file(tmp_path)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(TomlError, match=r"large\.toml: is larger than 1024 KiB, so it is not a checklist\.$"):
        load_file(large)


def test_an_unknown_id_names_the_known_ones() -> None:
    with pytest.raises(TomlError) as caught:
        load("go-nativ")
    assert str(caught.value) == (
        f"There is no checklist 'go-nativ'; did you mean 'go-native'? Shipped are {', '.join(shipped())}. "
        "Name a file of your own by its path, such as ./mine.toml."
    )


REQUIRED_IDS = {
    "dns.srv-answers",
    "dns.targets-resolve",
    "dns.targets-in-networks",
    "dns.ports",
    "dns.two-sites",
    "dns.no-alias",
    "dns.resolvers-agree",
    "dns.no-rewriting",
    "dns.ttl",
    "firewall.signalling",
    "firewall.signalling-every-target",
    "host.cpu",
    "host.memory",
    "host.clock",
    "link.wired",
}


@pytest.mark.parametrize("name", ["go-native", "go-gateway"])
def test_the_shipped_checklists_have_the_ids_that_others_rely_on(name: str) -> None:
    checklist = load(name)
    assert checklist.identity.id == name
    assert set(shipped()) >= {"go-native", "go-gateway"}
    assert {r.id for r in checklist.requirements} >= REQUIRED_IDS


def test_the_two_products_as_the_guide_has_them() -> None:
    native, gateway = load("go-native").trunk, load("go-gateway").trunk
    assert (native.domain, native.transport, native.port) == ("trunk.gotel.com.mt", "udp", 5060)
    assert (gateway.domain, gateway.transport, gateway.port) == ("trunke.gotel.com.mt", "tcp", 5061)
    assert native.session_timer_s == 900
    assert gateway.session_timer_s is None  # its data sheet names none
    for trunk in (native, gateway):
        assert trunk.networks == ["217.22.184.0/24", "217.22.185.0/24"]
        assert trunk.rtp_ports == (1024, 65535)
        assert (trunk.codec, trunk.reregistration_s, trunk.kbps_per_channel) == ("PCMA", 295, 100)


@pytest.mark.parametrize("name", shipped())
def test_every_requirement_explains_itself_in_short_sentences(name: str) -> None:
    for requirement in load(name).requirements:
        for field in EXPLAINING:
            text = getattr(requirement, field)
            assert text, f"{requirement.id}: {field}"
            too_long = [part for part in re.split(r"(?<=[.:])\s+", text) if len(part.split()) > 20]
            assert too_long == [], f"{requirement.id}: {field}"
