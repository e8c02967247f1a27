"""A comparison can find something: a verdict that differs, one that wavers, a checkout that would run another tool."""

import gzip
import json
import shutil
import sys
from pathlib import Path

import pytest

from . import compare
from .site import GENEROUS
from .tool import REPOSITORY

NATIVE = "states.drop-5060.go-native.json.gz"
ONE_STATE = ("--kinds", "states", "--only", "drop-5060")


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The reports of 0.1.0, in one of which a verdict was turned round."""
    folder = tmp_path / "edited"
    shutil.copytree(compare.REPORTS, folder)
    report = json.loads(gzip.decompress((folder / NATIVE).read_bytes()))
    next(verdict for verdict in report["verdicts"] if verdict["id"] == "firewall.rtp")["outcome"] = "pass"
    (folder / NATIVE).write_bytes(gzip.compress(json.dumps(report).encode()))
    return folder


def test_the_same_reports_do_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main([str(compare.REPORTS), str(compare.REPORTS), "--kinds", "states"]) == 0
    assert "0 of 54 cases differ" in capsys.readouterr().out


def test_a_verdict_that_differs_is_shown(edited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main([str(compare.REPORTS), str(edited), *ONE_STATE]) == 1
    shown = capsys.readouterr().out
    assert "drop-5060.go-native" in shown
    assert "firewall.rtp: fail -> pass" in shown
    assert "1 of 2 cases differ" in shown


def test_the_table_names_a_state_once_for_both_products(edited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare.main([str(compare.REPORTS), str(edited), *ONE_STATE, "--table"])
    assert "| firewall.rtp | fail | pass | drop-5060.go-native |" in capsys.readouterr().out
    assert compare._places(["a.go-native", "b.go-native", "a.go-gateway"]) == "a; b.go-native"


def test_what_wavers_on_one_side_is_no_difference() -> None:
    wavering = compare.differences([{"a": "pass"}, {"a": "unknown"}], [{"a": "pass"}, {"a": "pass"}])
    assert wavering == {"a": ("pass 1, unknown 1", "pass")}
    assert not compare._is_other(*wavering["a"])
    assert compare._is_other("fail 2, unknown 1", "pass")


def test_a_checkout_that_would_run_another_checkouts_tool_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gosip_check").mkdir()  # empty: what is installed beside the interpreter would be run instead
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    with pytest.raises(RuntimeError, match="would not run its own tool"):
        compare.Side(tmp_path, GENEROUS).check()
    compare.Side(REPOSITORY, GENEROUS).check()
