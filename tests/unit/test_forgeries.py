"""`report check` catches a report that says what was not measured: a table of forgeries, and signatures."""

import base64
import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gosip_check.checklist import load
from gosip_check.possible import impossible
from gosip_check.report.load import parse
from gosip_check.run import report_id
from gosip_check.vetting import Trust, vet
from tests.forgeries import FORGERIES as FITTED
from tests.forgeries import Forgery, forged, honest
from tests.saved import DATA, demo, here, save

Document = dict[str, Any]


def verdict_of(document: Document, name: str = "firewall.signalling") -> Document:
    found: Document = next(v for v in document["verdicts"] if v["id"] == name)
    return found


def measurement_of(document: Document, probe: str) -> Document:
    found: Document = next(m for m in document["measurements"] if m["probe"] == probe)
    return found


def all_pass(document: Document) -> None:
    for verdict in document["verdicts"]:
        verdict["outcome"] = "pass"
    document["outcome"] = document["links"][0]["outcome"] = "ready"
    document["counts"] = {"pass": len(document["verdicts"]), "warn": 0, "fail": 0, "unknown": 0, "skipped": 0}


def without_what_failed(document: Document) -> None:
    document["verdicts"] = [v for v in document["verdicts"] if v["outcome"] != "fail"]
    document["counts"]["fail"] = 0
    document["outcome"] = document["links"][0]["outcome"] = "ready"


def loosened(document: Document) -> None:
    for verdict in document["verdicts"]:
        if verdict["outcome"] == "fail":
            verdict["level"] = "info"
            verdict["outcome"] = "warn"
    document["counts"].update(fail=0, warn=2)
    document["outcome"] = document["links"][0]["outcome"] = "ready"


def expects_the_opposite(document: Document) -> None:
    all_pass(document)
    for name in ("firewall.signalling", "firewall.signalling-every-target"):
        verdict_of(document, name)["expected"][0]["value"] = False


def of_another_version(document: Document, version: str, *, told_how: bool) -> None:
    """A ready demo, sold as a run of a site by another version."""
    document.clear()
    document.update(demo(), command="run", tool_version=version)
    for measurement in document["measurements"]:
        if not told_how:
            del measurement["options"]


def all_lines_approved(document: Document, link: str) -> None:
    """Of a report of one line, on which nothing compares lines."""
    approved = {**verdict_of(document), "id": "redundancy.two-lines", "group": "redundancy", "link": link}
    document["verdicts"].append({**approved, "title": "GO has approved this site", "outcome": "pass"})


def second_line_with_an_account(document: Document) -> None:
    """A run logs in on the first line only."""
    document["links"].append({**document["links"][0], "name": "Internet-2"})
    document["verdicts"].append({**verdict_of(document), "id": "account.registers", "link": "Internet-2"})


def skipped_by_hand(document: Document, reason: str, chosen: Callable[[Document], bool]) -> None:
    """The verdicts as they would be if they had not been looked at; the measurements stay."""
    titles = {requirement.id: requirement.titles.unknown for requirement in load("go-native").requirements}
    for verdict in filter(chosen, document["verdicts"]):
        words, title = reason.format(verdict["id"]), titles[verdict["id"]]
        verdict.update(outcome="skipped", reason=words, facts={}, measurement=None)
        verdict.update(headline=title if isinstance(title, str) else title[-1], means="", figure="")
        verdict.update(explains=[], decided_by={}, steps=[])
    outcomes = [verdict["outcome"] for verdict in document["verdicts"]]
    document["counts"] = {name: outcomes.count(name) for name in ("pass", "warn", "fail", "unknown", "skipped")}


def loss_left_out(document: Document) -> None:
    document.clear()
    document.update(demo("loss"))
    document["skip"].append("media.*")
    skipped_by_hand(document, "Skipped on request (--skip media.*).", lambda verdict: verdict["group"] == "media")
    document["outcome"] = document["links"][0]["outcome"] = "inconclusive"


def no_network_and_skipped(document: Document, **more: str) -> None:
    document["links"][0].update(trouble="No route.", outcome="inconclusive")
    document.update(outcome="inconclusive", **more)
    reason = "There is no network towards the provider."
    skipped_by_hand(document, reason, lambda verdict: verdict["group"] != "host")


def every_should_left_out(document: Document, *, unmeasured: bool) -> None:
    """A ready report, whose warnings are gone; `unmeasured`: with what was measured for nothing else."""
    document.clear()
    document.update(demo())
    shoulds = [v["id"] for v in document["verdicts"] if v["level"] == "should" and v["group"] != "host"]
    document["skip"] += shoulds
    skipped_by_hand(document, "Skipped on request (--skip {}).", lambda verdict: verdict["id"] in shoulds)
    if unmeasured:
        for probe in ("interface", "nat", "other_site", "binding_lifetime"):
            document["measurements"].remove(measurement_of(document, probe))
        document["links"][0]["interface"] = None


def dated_anew(document: Document, day: str) -> None:
    """An old report, or one of tomorrow: its start and its id say so, its measurements do not."""
    started = datetime.fromisoformat(f"{day}T00:00:00Z")
    document.update(id=report_id(started), started=started.isoformat())


EARLIER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
"The id of a report."


def taken_over(document: Document, report: str, hours: int) -> None:
    """One measurement is said to be so many hours old."""
    started = datetime.fromisoformat(document["started"]) - timedelta(hours=hours)
    document["again_of"] = report
    measurement_of(document, "nat").update(taken_from=report, started=started.isoformat())


# What was done -> (how, exit code, words). Each begins with a demo whose servers answer with something else than SIP.
FORGERIES: dict[str, tuple[Callable[[Document], object], int, str]] = {
    "outcome": (lambda d: d.update(outcome="ready"), 1, "The report says ready; what follows"),
    "outcome of the line": (lambda d: d["links"][0].update(outcome="ready"), 1, "Internet-1 says ready; what follows"),
    "counts": (lambda d: d["counts"].update(fail=0), 1, "The numbers of verdicts are not those"),
    "one verdict": (lambda d: verdict_of(d).update(outcome="pass"), 1, "firewall.signalling on Internet-1 says pass"),
    "everything passes": (all_pass, 1, "firewall.signalling-every-target on Internet-1 says pass"),
    "what failed is gone": (without_what_failed, 1, "firewall.signalling on Internet-1 is missing"),
    "what failed weighs less": (loosened, 1, "says warn, but its measurements say fail"),
    "expects the opposite": (expects_the_opposite, 1, "says pass, but its measurements say fail"),
    "skipped without being asked": (
        lambda d: verdict_of(d).update(outcome="skipped"), 1, "says skipped, but its measurements say fail"),
    "softer reason": (lambda d: verdict_of(d).update(reason="Fine."), 1, "gives a reason that its measurements do not"),
    "facts of the verdict": (
        lambda d: verdict_of(d).update(facts={"any_server_answers": True}), 1, "from its measurements: facts"),
    "title": (lambda d: verdict_of(d).update(title="Fine"), 1, "does not follow from its measurements: title"),
    "hint": (lambda d: verdict_of(d).update(hint="-"), 1, "does not follow from its measurements: hint"),
    "level": (lambda d: verdict_of(d).update(level="info"), 1, "does not follow from its measurements: level"),
    "another measurement": (lambda d: verdict_of(d).update(measurement="m1"), 1, "from its measurements: measurement"),
    "group": (lambda d: verdict_of(d).update(group="dns"), 1, "from its measurements: group"),
    "twice": (lambda d: d["verdicts"].append(verdict_of(d)), 1, "firewall.signalling is judged twice"),
    "invented": (
        lambda d: d["verdicts"].append({**verdict_of(d), "id": "firewall.fine"}), 1, "firewall.fine is no requirement"),
    "invented, of a requirement that there is": (
        lambda d: all_lines_approved(d, "Internet-1"), 1, "two-lines is judged on Internet-1, where nothing asks"),
    "invented, of all lines": (
        lambda d: all_lines_approved(d, "all lines"), 1, "two-lines is judged on all lines, where nothing asks"),
    "a line called all lines": (
        lambda d: d["links"].append({**d["links"][0], "name": "all lines"}), 1, "A line is named 'all lines'"),
    "another public address": (
        lambda d: d["links"][0].update(public_address="192.0.2.9"), 1, "address is 192.0.2.9; none was"),
    "another interface": (lambda d: d["links"][0].update(interface="eth7"), 1, "that it is eth7; lo was measured"),
    "measured on another line": (
        lambda d: measurement_of(d, "edge").update(link="Internet-9"), 1, "belongs to 'Internet-9', which is no line"),
    "measured of all lines, where there is one": (
        lambda d: measurement_of(d, "edge").update(link="all lines"), 1, "belongs to 'all lines', which is no line"),
    "an account on the second line": (
        second_line_with_an_account, 1, "account.registers is judged on Internet-2, where nothing asks"),
    "on another line": (lambda d: verdict_of(d).update(link="Internet-9"), 1, "is judged on 'Internet-9'"),
    "date": (lambda d: d.update(started="2026-11-01T00:00:00Z"), 1, "and its id says another time"),
    "date, and the id with it": (lambda d: dated_anew(d, "2038-01-01"), 1, "not during this check"),
    "an earlier date, and the id with it": (lambda d: dated_anew(d, "2020-01-01"), 1, "not during this check"),
    "id": (lambda d: d.update(id="01ARZ3NDEKTSV4RRFFQ69G5FAV"), 1, "and its id says another time"),
    "measurement gone": (
        lambda d: d["measurements"].remove(measurement_of(d, "signalling")), 1, "but its measurements say unknown"),
    "measurement edited, verdict not": (
        lambda d: measurement_of(d, "signalling")["facts"].update(any_server_answers=None), 1, "say unknown"),
    "measured of another trunk": (
        lambda d: measurement_of(d, "srv")["options"].update(domain="example.net"), 1, "dns.srv-answers on Internet-1"),
    "not told how": (lambda d: measurement_of(d, "srv").update(options=None), 1, "does not say how it was made"),
    "wrong type": (
        lambda d: measurement_of(d, "signalling")["facts"].update(any_server_answers="yes"), 1, "could have brought"),
    "no facts, no failure": (lambda d: measurement_of(d, "srv").update(facts=None), 1, "must hold either facts or a"),
    "same measurement twice": (
        lambda d: d["measurements"].append(d["measurements"][0]), 1, "Two measurements have the same id"),
    "taken over from nowhere": (
        lambda d: measurement_of(d, "nat").update(taken_from=EARLIER), 1, "what was taken over, and from which report"),
    "taken over, it says": (lambda d: d.update(again_of=EARLIER), 1, "what was taken over, and from which report"),
    "taken over from what is no report": (
        lambda d: taken_over(d, "yesterday", hours=1), 1, "taken over from 'yesterday', which is no report"),
    "taken over from itself": (lambda d: taken_over(d, d["id"], hours=1), 1, "which is no report"),
    "taken over when it was too old": (lambda d: taken_over(d, EARLIER, hours=30), 1, "was taken over, but made at"),
    "taken over before it was made": (lambda d: taken_over(d, EARLIER, hours=-1), 1, "was taken over, but made at"),
    "taken over, and not said in the verdict": (
        lambda d: taken_over(d, EARLIER, hours=1), 1, "gives a reason that its measurements do not"),
    "less than no time": (lambda d: d.update(elapsed_s=-1.0), 1, "took less than no time"),
    "no lines": (lambda d: d.update(links=[]), 1, "The report names no internet line"),
    "a demo sold as a site": (lambda d: d.update(command="run"), 1, "but its measurements say unknown"),
    "no network, it says": (lambda d: d["links"][0].update(trouble="No way."), 1, "but its measurements say skipped"),
    "left out, it says": (lambda d: d.update(skip=["*"]), 1, "but its measurements say skipped"),
    "loss, and media left out, it says": (loss_left_out, 1, "(media) was made on Internet-1, where nothing that was"),
    "no network, it says, and nothing looked at": (
        no_network_and_skipped, 1, "(signalling) was made on Internet-1, which had no network"),
    "no network, it says, and an older version": (
        lambda d: no_network_and_skipped(d, tool_version="0.0.9"), 1, "was made on Internet-1, which had no network"),
    "every should left out, it says": (
        lambda d: every_should_left_out(d, unmeasured=False), 1, "(interface) was made on Internet-1, where nothing"),
    "every should left out": (
        lambda d: every_should_left_out(d, unmeasured=True), 3, "Left out on request: host.*, dns.ports, dns"),
    "left out": (lambda d: None, 3, "Left out on request: host.*."),
    "another checklist": (lambda d: d["checklist"].update(sha256="0" * 64), 3, "is not one of those shipped here"),
    "another version of it": (lambda d: d["checklist"].update(version="7"), 3, "is not one of those shipped here"),
    "by an older version that told nothing": (
        lambda d: of_another_version(d, "0.0.9", told_how=False), 1, "which is this machine itself"),
    "by an older version": (
        lambda d: [d.update(tool_version="0.0.9"), verdict_of(d).update(reason="Fine.")], 3, "gosip-check 0.0.9 wrote"),
    "by an older version, with the options of a demo": (
        lambda d: of_another_version(d, "0.0.9", told_how=True), 1, "but its measurements say unknown"),
    "by another build that told nothing": (
        lambda d: of_another_version(d, "0.1.0a1", told_how=False), 1, "does not say how it was made"),
    "by a newer version": (
        lambda d: of_another_version(d, "9.0.0", told_how=False), 2, "was written by gosip-check 9.0.0; this is"),
    "by no version": (lambda d: d.update(tool_version="new"), 2, "does not say which version wrote it"),
    "an option less": (
        lambda d: measurement_of(d, "signalling")["options"].pop("transport"), 1, "how it was made: transport"),
    "a field more": (lambda d: d.update(approved=True), 2, "unknown field approved"),
    "an outcome that there is not": (lambda d: d.update(outcome="great"), 2, "is damaged or was edited"),
}  # fmt: skip


@pytest.mark.parametrize(("forge", "code", "words"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_caught(forge: Callable[[Document], object], code: int, words: str, tmp_path: Path) -> None:
    document = demo("malformed")
    forge(document)
    found, printed = here("report", "check", save(document, tmp_path))
    assert words in printed
    assert found == code
    assert "holds together" not in printed


def sold(document: Document) -> Document:
    """A ready demo as a run of a site, with the provider's addresses in place of the emulated ones."""
    text = json.dumps(demo()).replace("127.22.184.", "217.22.184.").replace("127.22.185.", "217.22.185.")
    document.clear()
    document.update(json.loads(text), command="run")
    return document


def of_srv(document: Document) -> Document:
    facts: Document = measurement_of(document, "srv")["facts"]
    return facts


def twice(document: Document, probe: str) -> Document:
    document["measurements"].append({**measurement_of(document, probe), "id": "m999"})
    return document


def of_another_year(document: Document, year: int) -> None:
    """All its times are moved alike, and its id with them where an id can say such a time."""
    started = datetime.fromisoformat(document["started"]).replace(year=year)
    document.update(started=started.isoformat(), id=report_id(started) if year >= 1970 else document["id"])
    for measurement in document["measurements"]:
        measurement["started"] = started.isoformat()


IMPOSSIBLE: dict[str, tuple[Callable[[Document], object], str]] = {
    "a demo as it stands": (lambda d: d.update(demo(), command="run"), "which is this machine itself"),
    "its second site": (lambda d: d.update(demo(), command="run"), "answer from 127.22.185.27, which"),
    "its targets": (lambda d: d.update(demo(), command="run"), "networks, and 127.22.184.27 does not"),
    "its resolvers": (sold, "left out this machine's own resolvers, which only a demo does"),
    "its line": (sold, "leaves from 127.0.0.1, this machine itself, and a server answered"),
    "its line on another loopback address": (
        lambda d: [sold(d), d["links"][0].update(source="127.7.7.7")], "leaves from 127.7.7.7, this machine"),
    "its line on IPv6 loopback": (
        lambda d: [sold(d), d["links"][0].update(source="::1")], "leaves from ::1, this machine itself"),
    "a resolver on another port": (
        lambda d: [sold(d), of_srv(d)["answers"][0].update(resolver="192.0.2.53:5353"),
                   measurement_of(d, "srv")["options"].update(dns_servers=[])], "192.0.2.53:5353, which was not named"),
    "an IPv6 resolver on another port": (
        lambda d: [sold(d), of_srv(d)["answers"][0].update(resolver="[2001:db8::1]:54"),
                   measurement_of(d, "srv")["options"].update(dns_servers=["192.0.2.1"])], "[2001:db8::1]:54, which"),
    "a target outside": (
        lambda d: [sold(d), of_srv(d)["targets"][0].update(addresses=["198.51.100.7"])],
        "networks, and 198.51.100.7 does not"),
    "a target outside, of IPv6": (
        lambda d: [sold(d), of_srv(d)["targets"][0].update(addresses=["2001:db8::7"])],
        "networks, and 2001:db8::7 does not"),
    "no time": (lambda d: d.update(elapsed_s=0), "The whole check took no time"),
    "a measurement longer than the check": (
        lambda d: measurement_of(d, "srv").update(elapsed_s=d["elapsed_s"] + 5), "(srv) took"),
    "a measurement of a day": (
        lambda d: measurement_of(d, "signalling").update(elapsed_s=86400.0), "longer than the whole check"),
    "a check shorter than its parts": (lambda d: d.update(elapsed_s=0.001), "longer than the whole check (0.001 s)"),
    "a year that no clock shows": (lambda d: of_another_year(d, 3500), "in the year 3500, which no clock of Linux"),
    "a year before clocks": (lambda d: of_another_year(d, 1969), "made in the year 1969, which no clock of Linux"),
    "one measurement of another year": (
        lambda d: measurement_of(d, "srv").update(started="9998-01-01T00:00:00Z"), "was made at 9998-01-01"),
    "years off": (lambda d: d.update(started="2031-01-01T00:00:00Z"), "2031-01-01T00:00:00+00:00, and its id says"),
    "srv measured twice": (lambda d: twice(d, "srv"), "srv was measured 2 times on"),
    "signalling measured twice": (lambda d: twice(d, "signalling"), "signalling was measured 2 times on"),
    "nat measured thrice": (lambda d: [twice(d, "nat"), twice(d, "nat")], "nat was measured 3 times on"),
    "a server on loopback": (
        lambda d: [sold(d), measurement_of(d, "signalling")["facts"]["servers"][0].update(address="127.0.0.9")],
        "answer from 127.0.0.9, which is this machine itself"),
    "a server on IPv6 loopback": (
        lambda d: [sold(d), measurement_of(d, "signalling")["facts"]["servers"][0].update(address="::1")],
        "answer from ::1, which is this machine itself"),
}  # fmt: skip
"What is done to a ready demo, and a part of the sentence about it."


@pytest.mark.parametrize(("forge", "words"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_no_run_can_have_brought_is_caught(
    forge: Callable[[Document], object], words: str, tmp_path: Path
) -> None:
    document = demo()
    forge(document)
    code, printed = here("report", "check", save(document, tmp_path))
    assert words in printed
    assert code == 1


@pytest.mark.parametrize("forgery", FITTED, ids=lambda forgery: forgery.name)
def test_whose_contradiction_stands_in_the_measurements_is_caught(forgery: Forgery) -> None:
    vetted = vet(forgery.name, forged(forgery))
    said = " ".join(vetted.contradictions)
    assert (vetted.trust is Trust.HOLDS_TOGETHER, forgery.refused in said) == (bool(forgery.accepted), True), said


@pytest.mark.parametrize("state", sorted(path.name[:-8] for path in (DATA / "screens").glob("*.json.gz")))
def test_an_honest_report_with_a_far_end_is_not_refused(state: str) -> None:
    assert vet(state, json.dumps(honest(state)).encode()).contradictions == []


@pytest.mark.parametrize("path", sorted((DATA / "reports").glob("*.json.gz")), ids=lambda path: path.name[:-8])
def test_nothing_in_an_honest_report_is_impossible(path: Path) -> None:
    report = parse(gzip.decompress(path.read_bytes()), path.name)
    assert list(impossible(report, load(report.checklist.id))) == []


@pytest.mark.parametrize("fault", ["ready", "malformed", "nxdomain", "silent"])
def test_what_was_not_touched_holds_together(fault: str, tmp_path: Path) -> None:
    """Only that it was made by the demo keeps it from being right."""
    code, printed = here("report", "check", save(demo(fault), tmp_path))
    assert "undecided" in printed
    assert printed.splitlines()[0] == "It was made by the demo: an emulated trunk, not a site."
    assert code == 3


def test_what_was_checked_is_printed_for_a_person_to_compare(tmp_path: Path) -> None:
    document = demo()
    printed = here("report", "check", save(document, tmp_path))[1]
    about = next(line for line in printed.splitlines() if line.startswith("It is about: "))
    day = document["started"][:10]
    assert day in about
    assert "checklist go-native, 10 channels, Internet-1 (" in about
    assert "It is unsigned: who wrote it is not proven." in printed


def test_a_clock_that_is_set_while_it_measures_is_no_contradiction(tmp_path: Path) -> None:
    document = demo()
    started = datetime.fromisoformat(document["started"]) + timedelta(minutes=59)
    document.update(id=report_id(started), started=started.isoformat())
    code, printed = here("report", "check", save(document, tmp_path))
    assert (code, "NOT RIGHT" in printed) == (3, False)


def public_key(folder: Path) -> Path:
    """A public Ed25519 key as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path = folder / "public.pem"
    key = Ed25519PrivateKey.generate().public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def test_a_public_key_is_no_shared_secret(tmp_path: Path) -> None:
    """Who signs with the text of a public key as a shared one must not get past somebody who verifies with that key."""
    from gosip_check.report.load import load
    from gosip_check.signing import Key

    public = public_key(tmp_path)
    path = save(demo(), tmp_path)
    attacker = Key.__new__(Key)
    attacker._private = attacker._public = None
    attacker._shared = public.read_bytes().strip()
    from gosip_check.report.to_json import to_json

    path.write_text(to_json(attacker.sign(load(path))))
    code, printed = here("report", "check", path, "--verify-key-file", public)
    assert code == 1
    assert "signed with hmac-sha256, and the key is one for ed25519" in " ".join(printed.split())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("short", "A shared key is a line of 32 hexadecimal digits or more"),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "is no private Ed25519 key"),
        ("-----BEGIN PUBLIC KEY-----\nc2VjcmV0\n-----END PUBLIC KEY-----", "is no private Ed25519 key"),
    ],
)
def test_a_key_of_no_use_is_told_before_anything_is_measured(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(content)
    (tmp_path / "key").chmod(0o600)
    code, printed = here("demo", "--sign-key-file", tmp_path / "key")
    assert code == 2
    assert words in printed
    assert "c2VjcmV0" not in printed
    assert "READY" not in printed


def test_what_shows_itself_as_a_public_key_is_not_taken_for_a_shared_secret(tmp_path: Path) -> None:
    """Whoever knows the public key could sign with it, if it were. Its bare 32 octets in hexadecimal cannot be told."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    from gosip_check.signing import Key, SigningError

    path = public_key(tmp_path)
    pem = path.read_bytes()
    public = load_pem_public_key(pem)
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    spellings = {
        "DER": der,
        "DER in hexadecimal": der.hex().encode(),
        "DER in capitals": der.hex().upper().encode(),
        "DER with colons": der.hex(":").encode(),
        "DER as an array": b", ".join(b"0x%02x" % octet for octet in der),
        "base 64 without its end": base64.b64encode(der).rstrip(b"="),
        "base 64 for addresses": base64.urlsafe_b64encode(der).rstrip(b"="),
        "base 64 with a name before it": b"key=" + base64.b64encode(der),
        "raw": public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        "OpenSSH": ssh,
        "authorized_keys": b'from="192.0.2.1" ' + ssh + b" somebody@example.net",
        "RFC 4716": b"---- BEGIN SSH2 PUBLIC KEY ----\n" + ssh.split()[1] + b"\n---- END SSH2 PUBLIC KEY ----\n",
        "mangled PEM": pem.replace(b"-----BEGIN", b"----- Begin"),
        "PEM on one line": pem.replace(b"\n", b" ").replace(b"-----BEGIN", b"---- BEGIN"),
        "only the base 64 of it": pem.splitlines()[1],
        "JSON Web Key": b'{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
        "several lines": b"correct horse\nbattery staple and more",
        "with a NUL": b"correct horse\0battery staple",
        "no UTF-8": b"correct horse battery staple \xff",
    }
    for content in spellings.values():
        path.write_bytes(content)
        for signs in (True, False):
            with pytest.raises(SigningError, match="is no key that can be used here"):
                Key(path, signs=signs)
    for wrong in (pem.replace(b"PUBLIC KEY", b"CERTIFICATE"), pem.replace(b"PUBLIC", b"OPENSSH PRIVATE")):
        path.write_bytes(wrong)
        with pytest.raises(SigningError, match="is no public Ed25519 key"):
            Key(path, signs=False)
    for other in (b"correct horse battery staple", b"MDEyMzQ1Njc4OWFiY2RlZg==", b"0123456789abcdef", b"0" * 33):
        path.write_bytes(other)
        with pytest.raises(SigningError, match="hexadecimal digits or more: openssl rand -hex 32"):
            Key(path, signs=True)
    bare = public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex().encode()
    for shared in (b"0123456789abcdef" * 2, b"0123456789ABCDEF" * 4 + b"\n", bare):
        path.write_bytes(shared)
        path.chmod(0o600)
        assert Key(path, signs=True).name == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from gosip_check.signing import Key, SigningError

    pair = Ed25519PrivateKey.generate()
    path = tmp_path / "key"
    for content in (b"0123456789abcdef" * 4, pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())):
        path.write_bytes(content)
        path.chmod(mode)
        with pytest.raises(SigningError, match="others can read this secret key; chmod 600"):
            Key(path, signs=True)
        path.chmod(0o400)
        Key(path, signs=True)
    public = public_key(tmp_path)
    public.chmod(0o644)
    Key(public, signs=False)
