"""What counts as proof of a SIP ALG, what as a clean look, and what decides nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.alg import findings
from gosip_check.probes.alg.findings import Finding, from_answers, from_quotes, from_stand_in
from gosip_check.probes.alg.quoted import Sighting, Walk
from gosip_check.probes.alg.signature import AlgFamily, AlgKind, family_of, kind_of_changes
from gosip_check.probes.alg.via_pair import ViaForm, ViaTest
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.path import hops
from gosip_check.probes.path.hops import Hop
from gosip_check.probes.path.quotes import Fate
from gosip_check.probes.path.stand_in import StandIn
from gosip_check.wire import bait, sip
from gosip_check.wire.rewriting import Change, compare

LOCAL, PUBLIC = ("192.168.1.10", 5062), ("203.0.113.5", 5062)
EDGE, BEYOND = "192.168.1.1", "203.0.113.1"
SERVER = Server("zt.example", "198.51.100.7", 5060)
IDS = bait.Ids("z9hG4bKabc", "c0ffee", "77")

PATH = hops.Facts(
    destination=SERVER.address,
    local_address=LOCAL[0],
    local_kind="private",
    control_port=33434,
    hops=[
        Hop(ttl=1, address=EDGE, quoted_bytes=520, kind="private"),
        Hop(ttl=2, address=BEYOND, quoted_bytes=520, kind="public"),
    ],
    reached_at=3,
    edge_ttl=1,
    evidence={},
)


def _sent(message: str) -> bytes:
    return bait.bait(message, "trunk.example", *LOCAL, IDS)


def _seen(message: str, ttl: int, quoted: bytes | None = None, port: int = 5060) -> Sighting:
    hop = EDGE if ttl == 1 else BEYOND
    sent = _sent(message)
    return Sighting(
        message, ttl, port, Fate.PASSED, hop, LOCAL, sent, compare(sent, sent if quoted is None else quoted), 1
    )


def _lost(message: str, ttl: int, fate: Fate = Fate.DROPPED) -> Sighting:
    return Sighting(message, ttl, 5060, fate, None, LOCAL, _sent(message), None, 4)


def _clean() -> list[Sighting]:
    return [_seen(message, ttl) for ttl in (1, 2) for message in (bait.OPTIONS, bait.INVITE, bait.REGISTER)]


def _by_method(findings: list[Finding]) -> dict[str, bool | None]:
    return {finding.method: finding.found for finding in findings}


def _proof(findings: list[Finding]) -> Finding:
    return next(finding for finding in findings if finding.found)


def test_all_seen_unchanged_behind_the_edge_is_a_clean_look() -> None:
    findings = from_quotes(Walk(_clean(), []), PATH)
    assert _by_method(findings) == {"quotes": False}
    assert BEYOND in findings[0].sentence


def test_a_changed_quote_is_proof_and_names_the_hop_before() -> None:
    changed = _sent(bait.INVITE).replace(b"192.168.1.10", b"203.0.113.5")
    findings = from_quotes(Walk([*_clean(), _seen(bait.INVITE, 2, changed)], []), PATH)
    proof = _proof(findings)
    assert (proof.culprit, proof.kind, proof.message) == (EDGE, AlgKind.REWRITES_REQUEST, bait.INVITE)
    assert "SDP c=" in proof.sentence


def test_a_change_that_other_ports_show_too_is_the_quote_and_no_proof() -> None:
    changed = _sent(bait.INVITE).replace(b"192.168.1.10", b"203.0.113.5")
    walk = Walk([*_clean(), _seen(bait.INVITE, 2, changed)], [_seen(bait.INVITE, 2, changed, port=33434)])
    assert _by_method(from_quotes(walk, PATH)) == {"quotes": None}


def test_damage_in_a_quote_is_no_proof() -> None:
    damaged = _sent(bait.OPTIONS)[:60] + b"\0\0\0\0" + _sent(bait.OPTIONS)[64:]
    walk = Walk([_seen(bait.OPTIONS, 1), _seen(bait.OPTIONS, 2, damaged)], [])
    assert _by_method(from_quotes(walk, PATH)) == {"quotes": None}


@pytest.mark.parametrize("size", [0, 20, 100, 300])
def test_short_quotes_are_never_a_clean_look(size: int) -> None:
    short = [_seen(message, 2, _sent(message)[:size]) for message in (bait.OPTIONS, bait.INVITE, bait.REGISTER)]
    findings = from_quotes(Walk([*(_seen(bait.OPTIONS, 1),), *short], []), PATH)
    assert _by_method(findings) == {"quotes": None}


def test_what_only_the_edge_itself_quoted_is_never_a_clean_look() -> None:
    """It quotes what it has not yet changed."""
    inside = [sighting for sighting in _clean() if sighting.ttl == 1]
    assert _by_method(from_quotes(Walk(inside, []), PATH)) == {"quotes": None}


def test_a_lost_register_is_proof_only_where_the_same_octets_pass_elsewhere() -> None:
    lost = [_seen(bait.OPTIONS, 1), _seen(bait.OPTIONS, 2), _lost(bait.REGISTER, 2)]
    elsewhere = _seen(bait.REGISTER, 2, port=33434)
    assert _proof(from_quotes(Walk(lost, [elsewhere]), PATH)).kind is AlgKind.DROPS
    assert _by_method(from_quotes(Walk(lost, []), PATH)) == {"quotes": None}
    assert _by_method(from_quotes(Walk(lost, [_lost(bait.REGISTER, 2)]), PATH)) == {"quotes": None}


@pytest.mark.parametrize(
    ("trap", "found"),
    [
        (_seen(bait.TRAP, 2), {"quotes": False}),
        (_lost(bait.TRAP, 2, Fate.UNDECIDED), {"drops": None, "quotes": False}),  # as where hops ration their quotes
    ],
    ids=["seen", "not seen"],
)
def test_a_trap_whose_silence_says_nothing_is_no_clean_look(trap: Sighting, found: dict[str, bool | None]) -> None:
    findings = from_quotes(Walk([*_clean(), trap], []), PATH)
    assert _by_method(findings) == found
    assert all(finding.needed for finding in findings)


def test_lost_options_alone_are_a_firewall_and_no_alg() -> None:
    assert _by_method(from_quotes(Walk([_lost(bait.OPTIONS, 2)], []), PATH)) == {"quotes": None}


def test_an_answer_from_inside_the_site_is_proof_and_one_near_the_server_is_not() -> None:
    early = _lost(bait.OPTIONS, 1, Fate.ANSWERED)
    proof = _proof(from_quotes(Walk([early], []), PATH))
    assert (proof.kind, proof.culprit) == (AlgKind.PROXY, EDGE)
    near = _lost(bait.OPTIONS, 2, Fate.ANSWERED)
    assert True not in _by_method(from_quotes(Walk([near], []), PATH)).values()


def test_no_hops_decide_nothing() -> None:
    assert _by_method(from_quotes(Walk([], []), None)) == {"quotes": None}
    assert _by_method(from_quotes(Walk([], []), PATH)) == {"quotes": None}


def _answer(
    form: ViaForm,
    seen: tuple[str, int] | None,
    *,
    arrived_at: int | None = None,
    change: tuple[bytes, bytes] | None = None,
    rport: bool = True,
) -> ViaTest:
    request = sip.options_request(
        uri="sip:trunk.example",
        transport="UDP",
        host=LOCAL[0],
        port=LOCAL[1],
        via_host="probe.invalid" if form == "name" else None,
        branch=f"z9hG4bK{form}",
        call_id="abc@192.168.1.10",
        from_tag="1",
        user_agent="test",
    )
    read = sip.parse(request)
    assert isinstance(read, sip.Request)
    reply = sip.response(read, 200, "OK", to_tag="2", received=seen or PUBLIC)
    if seen is None:
        reply = reply.replace(b";received=203.0.113.5", b"")
        reply = reply if rport else reply.replace(b"rport=5062", b"rport")
    if change:
        assert change[0] in reply
        reply = reply.replace(*change)
    response = sip.parse(reply)
    assert isinstance(response, sip.Response)
    return ViaTest(form, SERVER, LOCAL, request, response, arrived_at or LOCAL[1])


def _paired(literal: ViaTest, name: ViaTest) -> Finding:
    return next(finding for finding in from_answers([literal, name]) if finding.method == "paired Via")


def test_a_via_that_the_server_finds_right_behind_a_nat_was_rewritten() -> None:
    finding = _paired(_answer("literal", LOCAL), _answer("name", PUBLIC))
    assert (finding.found, finding.to_be_confirmed, finding.family) == (True, True, AlgFamily.NETFILTER)
    assert _paired(_answer("literal", None), _answer("name", PUBLIC)).found is True


def test_nat_alone_and_no_nat_are_clean() -> None:
    assert _paired(_answer("literal", PUBLIC), _answer("name", PUBLIC)).found is False


def test_a_server_that_leaves_received_out_decides_nothing() -> None:
    assert _paired(_answer("literal", None, rport=False), _answer("name", None, rport=False)).found is None
    assert _paired(_answer("literal", None, rport=False), _answer("name", PUBLIC)).found is None


def test_a_public_server_that_sees_a_private_address_decides_nothing() -> None:
    assert _paired(_answer("literal", LOCAL), _answer("name", LOCAL)).found is None


def test_proof_by_one_server_needs_a_second_time() -> None:
    once = _paired(_answer("literal", LOCAL), _answer("name", PUBLIC))
    assert once.confirmed_by([once]).found is True
    assert once.confirmed_by([_paired(_answer("literal", PUBLIC), _answer("name", PUBLIC))]).found is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ((b"Call-ID: abc@", b"Call-ID: xyz@"), AlgKind.REWRITES_REPLY),
        ((b"From: <sip:probe@192.168.1.10", b"From: <sip:edge@203.0.113.5"), AlgKind.REWRITES_REPLY),
        ((b"Via: SIP/2.0/UDP 192.168.1.10:5062", b"Via: SIP/2.0/UDP 203.0.113.5:5062"), AlgKind.REWRITES_REPLY),
        ((b"\r\nFrom", b"\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKq\r\nFrom"), AlgKind.PROXY),
        ((b"\r\nFrom", b", SIP/2.0/UDP edge.lan:5060;branch=z9hG4bKq\r\nFrom"), AlgKind.PROXY),
        ((b"<sip:probe@192.168.1.10:5062>;tag", b"<sip:probe@192.168.1.10:61234>;tag"), AlgKind.REWRITES_REPLY),
        ((b"To: <sip:trunk.example>", b"To: <sip:203.0.113.5>"), AlgKind.REWRITES_REPLY),
        ((b">;tag=1", b">;tag=8"), AlgKind.REWRITES_REPLY),
    ],
)
def test_an_answer_that_brings_back_something_else_is_proof(change: tuple[bytes, bytes], kind: AlgKind) -> None:
    answers = [_answer("literal", PUBLIC, change=change), _answer("name", PUBLIC)]
    echo = next(finding for finding in from_answers(answers) if finding.method == "echo")
    assert (echo.found, echo.kind, echo.to_be_confirmed) == (True, kind, True)


def test_other_spacing_and_case_in_an_answer_is_a_servers_right() -> None:
    answers = [
        _answer(
            "literal",
            PUBLIC,
            change=(b"Via: ", b"v:   "),
        ),
        _answer("name", PUBLIC, change=(b"From: ", b"FROM:")),
    ]
    assert _by_method(from_answers(answers))["echo"] is False


@pytest.mark.parametrize(
    "change",
    [
        (b"To: <sip:trunk.example>", b"To: <sip:TRUNK.Example>"),
        (b"To: <sip:trunk.example>", b"To: sip:trunk.example:5060;transport=udp"),
        (b"To: <sip:trunk.example>", b"To: <sip:trunk.example;lr;user=phone>"),
        (b"To: <sip:trunk.example>", b"To: <sip:198.51.100.7:5060>"),
        (b"To: <sip:trunk.example>", b"To: <SIP:zt.example>"),
        (b"<sip:probe@", b"<sip:pr%6Fbe@"),
        (b"<sip:probe@192.168.1.10:5062>;tag", b"<sip:%70robe@192.168.1.10:5062;transport=UDP>;tag"),
        (b"<sip:probe@192.168.1.10:5062>;tag", b"<sip:probe@trunk.example>;tag"),
    ],
)
def test_an_equivalent_uri_or_what_a_server_may_add_is_a_clean_look(change: tuple[bytes, bytes]) -> None:
    answers = [_answer("literal", PUBLIC, change=change), _answer("name", PUBLIC)]
    assert _by_method(from_answers(answers))["echo"] is False


@pytest.mark.parametrize(
    "change",
    [
        (b"To: <sip:trunk.example>", b"To: <sip:sbc-7.internal>"),
        (b"<sip:probe@192.168.1.10:5062>;tag", b"<sip:anonymous@anonymous.invalid>;tag"),
        (b"To: <sip:trunk.example>", b"To: <sip:+35621000000@trunk.example>"),
    ],
)
def test_what_the_providers_own_servers_may_have_changed_is_no_proof(change: tuple[bytes, bytes]) -> None:
    answers = [_answer("literal", PUBLIC, change=change), _answer("name", PUBLIC)]
    echo = next(finding for finding in from_answers(answers) if finding.method == "echo")
    assert echo.found is None
    assert "proves no SIP ALG" in echo.sentence


def test_a_via_that_joins_ours_in_one_line_is_a_proxys() -> None:
    joined = Change("Via", "Via: SIP/2.0/UDP a;branch=z9hG4bK1", "Via: SIP/2.0/UDP b, SIP/2.0/UDP a;branch=z9hG4bK1")
    assert family_of([joined], LOCAL) is AlgFamily.PROXY
    assert kind_of_changes([joined], in_reply=False) is AlgKind.PROXY


def test_an_answer_at_another_port_than_the_server_sent_it_to_was_diverted() -> None:
    answers = [_answer("literal", PUBLIC), _answer("name", PUBLIC), _answer("other-port", PUBLIC, arrived_at=5060)]
    assert _proof(from_answers(answers)).kind is AlgKind.DIVERTS
    unaware = _answer("other-port", None, arrived_at=5060, rport=False)
    assert True not in _by_method(from_answers([unaware])).values()


@pytest.mark.parametrize(("answers_sip", "found"), [(True, True), (False, None)])
def test_who_stands_in_is_an_alg_only_where_it_answers_sip(answers_sip: bool, found: bool | None) -> None:
    who = StandIn(address=SERVER.address, port=SERVER.port, ttl=1, hop=EDGE)
    finding = from_stand_in(SERVER, who, answers_sip=answers_sip)
    assert (finding.method, finding.found, finding.culprit) == ("early answer", found, EDGE if found else None)
    assert f"at or before {EDGE}" in finding.sentence


def test_silence_decides_nothing() -> None:
    silent = ViaTest("literal", SERVER, LOCAL, b"", None, None)
    assert set(_by_method(from_answers([silent])).values()) == {None}
    assert set(_by_method(from_answers([])).values()) == {None}


@given(st.binary(max_size=300))
def test_answers_of_any_octets_never_break_the_reading(junk: bytes) -> None:
    good = _answer("literal", PUBLIC)
    assert good.response is not None
    try:
        damaged = sip.parse(good.response.raw[:40] + junk + good.response.raw[40:])
    except sip.WireError:
        return
    if isinstance(damaged, sip.Response):
        from_answers([ViaTest("literal", SERVER, LOCAL, good.sent, damaged, 5062), _answer("name", PUBLIC)])


def _address(where: str) -> Change:
    return Change(where, f"{where}: 192.168.1.10", f"{where}: 203.0.113.5")


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ([_address("Via"), _address("Contact"), _address("From")], AlgFamily.NETFILTER),
        ([_address("Via"), Change("Content-Length", "Content-Length: 94", "Content-Length: 92")], AlgFamily.NETFILTER),
        ([_address("Via"), _address("Call-ID")], AlgFamily.CALL_ID),
        ([Change("Via", None, "Via: x")], AlgFamily.PROXY),
        ([Change("Max-Forwards", "Max-Forwards: 70", "Max-Forwards: 69")], AlgFamily.PROXY),
        ([Change("Max-Forwards", "Max-Forwards: 70", "max-forwards: 70")], AlgFamily.PROXY),
        ([Change("Content-Length", "Content-Length: 94", "Content-Length:   94")], AlgFamily.PROXY),
        ([_address("SDP c=")], AlgFamily.PROXY),
        ([Change("User-Agent", "User-Agent: a", "User-Agent: b")], None),
        ([], None),
    ],
)
def test_the_likely_family(changes: list[Change], family: AlgFamily | None) -> None:
    assert family_of(changes, LOCAL) is family


def test_kinds_of_changes() -> None:
    assert kind_of_changes([_address("Via")], in_reply=False) is AlgKind.REWRITES_REQUEST
    assert kind_of_changes([_address("Via")], in_reply=True) is AlgKind.REWRITES_REPLY
    assert kind_of_changes([Change("Via", None, "x")], in_reply=True) is AlgKind.PROXY


def test_every_line_that_matters_is_in_the_bait() -> None:
    for message, lines in findings.LINES_THAT_MATTER.items():
        assert lines <= set(compare(_sent(message), _sent(message)).covered)


def test_an_edge_that_limits_sip_is_not_said_to_let_none_out() -> None:
    lost = [_lost(bait.OPTIONS, 2), *[_seen(message, 1) for message in (bait.OPTIONS, bait.INVITE, bait.REGISTER)]]
    (limited,) = from_quotes(Walk(lost, []), PATH, answered=True)
    (open_question,) = from_quotes(Walk(lost, []), PATH)
    assert (limited.found, open_question.found) == (None, None)
    assert "servers answer, but its edge lets only some SIP out" in limited.sentence
    assert "blocks the port, or limits SIP" in open_question.sentence
