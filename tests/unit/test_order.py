"""An order of a site's report and its PBX's: both whole, the worse outcome, and odd pairs refused with a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gosip_check.checklist import load
from gosip_check.order import Order, faults
from gosip_check.probes import PROBES
from gosip_check.probes.probe import fill_options
from gosip_check.records import Equipment, Form, Readiness, Report
from gosip_check.rejudge import rejudge
from gosip_check.report.to_json import to_json
from gosip_check.signing import Key
from tests.saved import here, save
from tests.screens import kept
from tests.traces import traced

Document = dict[str, Any]


def site(name: str = "ready") -> Report:
    """A report of the lab, with the options and the requirement that are newer than it."""
    report, checklist = kept(name), load(kept(name).checklist.id)
    asked = {"nat.other-site-comes-in", "qos.voice-first", *(verdict.id for verdict in report.verdicts)}
    report = rejudge(report, checklist, [each for each in checklist.requirements if each.id in asked])
    trunk = msgspec.structs.asdict(checklist.trunk)
    measurements = [
        replace(m, options=msgspec.to_builtins(fill_options(PROBES[m.probe], m.options or {}, trunk)))
        for m in report.measurements
    ]
    return replace(report, measurements=measurements)


SITE, PBX = site(), traced()
assert SITE.form is not None
FORM = SITE.form


def files(folder: Path, *reports: Report) -> list[Path]:
    paths = [folder / f"{number}.json" for number in range(len(reports))]
    for path, report in zip(paths, reports, strict=True):
        path.write_text(to_json(report))
    return paths


def bundled(folder: Path, *reports: Report) -> Document:
    here("report", "bundle", *files(folder, *reports), folder / "order.json")
    document: Document = json.loads((folder / "order.json").read_text())
    return document


@pytest.mark.parametrize("first", [0, 1])
def test_both_reports_stay_whole_in_one_order(first: int, tmp_path: Path) -> None:
    """Whichever is named first."""
    reports = [SITE, PBX]
    paths = files(tmp_path, reports[first], reports[1 - first])
    code, printed = here("report", "bundle", *paths, tmp_path / "order.json")
    assert code == 3
    assert printed.splitlines() == [
        "Site: READY: all 13 required checks passed",
        "PBX:  NOT DECIDED (pbx trace only): 10 of 17 required checks could not be measured",
        "Form: Example Ltd, PBX ACME PBX 1",
        f"Wrote {tmp_path / 'order.json'}.",
    ]
    document = json.loads((tmp_path / "order.json").read_text())
    assert document == {"schema": "gosip-check/order/1", "site": whole(SITE), "pbx": whole(PBX)}


def whole(report: Report) -> Document:
    document: Document = json.loads(to_json(report))
    return document


@pytest.mark.parametrize(
    ("of_site", "of_pbx", "both", "code"),
    [
        ("ready", "ready", "ready", 0),
        ("ready", "inconclusive", "inconclusive", 3),
        ("inconclusive", "ready", "inconclusive", 3),
        ("ready", "not-ready", "not-ready", 1),
        ("not-ready", "ready", "not-ready", 1),
        ("inconclusive", "not-ready", "not-ready", 1),
        ("not-ready", "inconclusive", "not-ready", 1),
    ],
)
def test_the_worse_outcome_counts(of_site: str, of_pbx: str, both: str, code: int, tmp_path: Path) -> None:
    pair = replace(SITE, outcome=Readiness(of_site)), replace(PBX, outcome=Readiness(of_pbx))
    assert Order(*pair).outcome is Readiness(both)
    assert here("report", "bundle", *files(tmp_path, *pair), tmp_path / "order.json")[0] == code
    shown, printed = here("report", "show", tmp_path / "order.json")
    assert shown == code
    assert printed.index("Site:") < printed.index("PBX:")


def test_an_order_is_shown_with_both_last_screens_and_sent_as_both_texts(tmp_path: Path) -> None:
    bundled(tmp_path, SITE, PBX)
    _, shown = here("report", "show", tmp_path / "order.json")
    assert shown.count("required checks passed") == 2
    assert " NOT DECIDED   GO native SIP trunk, PBX, pbx trace only" in shown
    code, sent = here("report", "text", tmp_path / "order.json", "--for", "provider")
    assert code == 0
    assert sent.count("Customer: Example Ltd") == 2
    assert sent.count("PBX ACME PBX 1") == 2
    rows = here("report", "table", tmp_path / "order.json")[1].splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == [SITE.id, PBX.id]


def test_check_looks_at_both_parts(tmp_path: Path) -> None:
    document = bundled(tmp_path, SITE, PBX)
    code, printed = here("report", "check", tmp_path / "order.json")
    assert code == 0, printed
    assert printed.splitlines()[-1].endswith("holds together. It says: inconclusive (Site ready, PBX inconclusive).")
    for part, name in (("site", "Site"), ("pbx", "PBX")):
        edited = json.loads(json.dumps(document))
        verdict = next(v for v in edited[part]["verdicts"] if v["outcome"] == "pass")
        verdict.update(outcome="warn")
        code, printed = here("report", "check", save(edited, tmp_path, "edited.json"))
        assert code == 1
        assert f"{name}: {verdict['id']} on " in printed
    [line] = here("report", "check", tmp_path / "order.json", "--jsonl")[1].splitlines()
    checked = json.loads(line)
    assert (checked["trust"], checked["id"]) == ("holds-together", SITE.id)
    assert checked["outcomes"] == {"Site": "ready", "PBX": "inconclusive"}


def test_what_is_left_out_of_a_part_keeps_the_order_undecided(tmp_path: Path) -> None:
    document = bundled(tmp_path, SITE, PBX)
    document["site"]["skip"] = ["media.*"]
    printed = here("report", "check", save(document, tmp_path))[1]
    assert "Site: Left out on request: media.*." in printed
    assert "covers a part only" not in printed


def test_a_signature_still_fits_inside_an_order(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("0123456789abcdef" * 4)
    secret.chmod(0o600)
    key = Key(secret, signs=True)
    document = bundled(tmp_path, key.sign(SITE), key.sign(PBX))
    path = tmp_path / "order.json"
    assert here("report", "check", path, "--verify-key-file", secret)[0] == 0
    document["pbx"]["company"] = "Somebody else"
    assert here("report", "check", save(document, tmp_path), "--verify-key-file", secret)[0] == 1


CUSTOMER = Form(company_name="Other Ltd")
DEMO, PBX_DEMO = replace(SITE, command="demo"), replace(PBX, command="pbx trace --demo")
OTHER_PRODUCT = replace(PBX, checklist=replace(PBX.checklist, id="other"))
OTHER_PBX = replace(PBX, form=replace(FORM, pbx=Equipment("Yeastar", "P550")))
ODD: dict[str, tuple[Report, Report, str]] = {
    "two sites": (SITE, site("sip-alg"), "Neither report is of a PBX;"),
    "two PBXs": (PBX, PBX, "Both reports are of a PBX;"),
    "ids of two sites": (replace(SITE, site="A"), replace(PBX, site="B"), "They are of two sites: A and B."),
    "a demo and a real PBX": (DEMO, PBX, "The site's report is of a demo, and the other one is not."),
    "a demo of a PBX": (SITE, PBX_DEMO, "The PBX's report is of a demo, and the other one is not."),
    "a part of a site": (replace(SITE, command="srv"), PBX, "The site's report covers a part only (srv);"),
    "two products": (SITE, OTHER_PRODUCT, "They are about two products: go-native and other."),
    "two customers": (SITE, replace(PBX, form=CUSTOMER), "Their forms name two customers: Example Ltd and Other Ltd."),
    "another PBX on the form": (SITE, OTHER_PBX, "Their forms name two PBXs: ACME PBX 1 and Yeastar P550."),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_pair_is_refused_and_found(name: str, tmp_path: Path) -> None:
    """By `bundle`, and by `check` and `show` where somebody put it together by hand."""
    first, second, sentence = ODD[name]
    code, printed = here("report", "bundle", *files(tmp_path, first, second), tmp_path / "order.json")
    assert code == 2
    assert sentence in " ".join(printed.split())
    assert not (tmp_path / "order.json").exists()
    by_hand = {"schema": "gosip-check/order/1", "site": whole(first), "pbx": whole(second)}
    code, printed = here("report", "check", save(by_hand, tmp_path, "hand.json"))
    assert (code, sentence in printed) == (1, True)
    assert here("report", "show", tmp_path / "hand.json")[0] == 2


@pytest.mark.parametrize(
    ("form_of_site", "form_of_pbx"), [(None, None), (FORM, None), (None, FORM), (FORM, FORM), (FORM, Form())]
)
def test_a_pair_that_belongs_together(form_of_site: Form | None, form_of_pbx: Form | None) -> None:
    order = Order(replace(SITE, form=form_of_site, site="MT-1"), replace(PBX, form=form_of_pbx))
    assert faults(order) == []
    assert order.form is (form_of_site or form_of_pbx)


def test_an_order_takes_no_order_and_other_commands_say_so(tmp_path: Path) -> None:
    bundled(tmp_path, SITE, PBX)
    path, [site_file, pbx_file] = tmp_path / "order.json", files(tmp_path, SITE, PBX)
    for command in (["bundle", path, pbx_file], ["bundle", site_file, path], ["html", path], ["compare", path, path]):
        code, printed = here("report", *command)
        assert code == 2
        assert "is an order of two reports" in " ".join(printed.split())
    nested = json.loads(path.read_text())
    nested["site"] = json.loads(path.read_text())
    assert "is an order of two reports" in here("report", "check", save(nested, tmp_path))[1]
    assert here("report", "bundle", site_file, pbx_file, pbx_file)[0] == 2  # never over one of the two


EDITS: list[Callable[[Document], object]] = [
    lambda d: d.pop("pbx"),
    lambda d: d.update(more=1),
    lambda d: d.update(site=[]),
    lambda d: d.update(pbx=None),
    lambda d: d["pbx"].pop("id"),
    lambda d: d["site"].update(id="\ud800"),
    lambda d: d.update(schema="gosip-check/order/2"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_no_order_is_a_sentence(edit: Callable[[Document], object], tmp_path: Path) -> None:
    document = bundled(tmp_path, SITE, PBX)
    edit(document)
    for command in (["check"], ["show"], ["text", "--for", "customer"]):
        code, printed = here("report", *command, save(document, tmp_path))
        assert code == 2
        assert printed.startswith("Error: ")


def test_what_people_wrote_is_never_obeyed(tmp_path: Path) -> None:
    form = replace(FORM, company_name="\x1b]0;x\x07\u202eLtd\n")
    document = bundled(tmp_path, replace(SITE, form=form), replace(PBX, command="pbx trace"))
    for command in (["show"], ["check"], ["text", "--for", "provider"]):
        printed = here("report", *command, save(document, tmp_path))[1]
        assert not {"\x1b", "\x07", "\u202e"} & set(printed)
