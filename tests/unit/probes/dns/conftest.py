"""For every test of this room."""

import pytest

from gosip_check.probes.dns import query


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever fails is asked again at once."""
    monkeypatch.setattr(query, "_PAUSE_S", 0.0)
