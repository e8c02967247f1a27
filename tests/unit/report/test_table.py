"""Reports as rows: what the columns hold, and that no cell is a formula."""

import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.records import Equipment, Form, Report
from gosip_check.report.table import REPORT_COLUMNS, VERDICT_COLUMNS, cell, report_row, verdict_rows
from tests.saved import demo


def report_with(form: Form) -> Report:
    return msgspec.structs.replace(msgspec.convert(demo("malformed"), Report), site="S-17", form=form)


def test_a_row_for_a_report_and_one_for_each_verdict() -> None:
    report = report_with(Form(company_name="Bakery", router=Equipment("Zyxel", "VMG8825", "5.50")))
    row = dict(zip(REPORT_COLUMNS, report_row("a.json", report), strict=True))
    assert (row["path"], row["site"], row["outcome"], row["company"]) == ("a.json", "S-17", "not-ready", "Bakery")
    assert row["fail"] == report.counts.get("fail", 0)  # type: ignore[call-overload]
    rows = [dict(zip(VERDICT_COLUMNS, cells, strict=True)) for cells in verdict_rows("a.json", report)]
    assert len(rows) == len(report.verdicts)
    failed = [each["requirement"] for each in rows if each["outcome"] == "fail"]
    assert failed
    assert row["failed"] == " ".join(dict.fromkeys(map(str, failed)))
    assert {(each["router_vendor"], each["router_model"]) for each in rows} == {("Zyxel", "VMG8825")}


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1", "\r\n=1"])
def test_no_text_is_a_formula(text: str) -> None:
    row = report_row("a.json", report_with(Form(company_name=text)))
    shown = row[REPORT_COLUMNS.index("company")]
    assert isinstance(shown, str)
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "＝"))


@given(st.text())
def test_a_cell_is_one_line_and_survives_csv(text: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([cell(text), "end"])
    assert len(file.getvalue().splitlines()) == 1
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [[cell(text), "end"]]
