"""The count of failed attempts is never this machine's own."""

from pathlib import Path

import pytest

from gosip_check.probes.account import attempts


@pytest.fixture(autouse=True)
def count_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """root's file, whose folder is not there yet, and anybody's."""
    files = tmp_path / "lib" / "gosip-check" / "attempts.json", tmp_path / "var-tmp-attempts.json"
    files[0].parent.parent.mkdir()
    monkeypatch.setattr(attempts, "ROOTS_FILE", files[0])
    monkeypatch.setattr(attempts, "ANYBODYS_FILE", files[1])
    return files
