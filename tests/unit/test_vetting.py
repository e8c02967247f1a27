"""What is said of a file that was handed in, as data."""

import json
from pathlib import Path

import pytest

from gosip_check.vetting import Trust, vet
from tests.saved import demo, save


def test_a_report_that_holds_together_is_undecided_only_for_being_a_demo(tmp_path: Path) -> None:
    document = demo()
    vetted = vet(str(save(document, tmp_path)))
    assert (vetted.trust, vetted.id, vetted.outcome) == (Trust.UNDECIDED, document["id"], document["outcome"])
    assert vetted.contradictions == []
    assert any("made by the demo" in sentence for sentence in vetted.undecided)


def test_an_edited_verdict_is_a_contradiction() -> None:
    document = demo("malformed")
    for verdict in document["verdicts"]:
        verdict["outcome"] = "pass" if verdict["outcome"] == "fail" else verdict["outcome"]
    vetted = vet("edited.json", json.dumps(document).encode())
    assert vetted.trust is Trust.NOT_RIGHT
    assert len(vetted.contradictions) > 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"schema": "gosip-check/report/1"}', b"[" * 100_000]
)
def test_what_is_no_report_is_one_sentence(content: bytes) -> None:
    vetted = vet("x.json", content)
    assert vetted.trust is Trust.UNREADABLE
    assert vetted.error is not None
    assert vetted.error.startswith("x.json: ")


def test_a_report_of_another_checklist_than_the_one_named(tmp_path: Path) -> None:
    vetted = vet(str(save(demo(), tmp_path)), checklist="go-gateway")
    assert vetted.trust is Trust.UNREADABLE
    assert "names another checklist" in (vetted.error or "")
