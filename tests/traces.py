"""A report of `pbx trace` for tests: what the provider's guide prints, as a text log, judged as the command does."""

import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from gosip_check.checklist import load
from gosip_check.plan import Plan
from gosip_check.records import Form, Link, Report, Settings
from gosip_check.run import Observer, run
from gosip_check.trace.reading import read
from gosip_check.trace.sides import Account, Trunk, heard_in
from tests.unit.probes.pbx.test_guide_examples import GUIDE

WHEN = datetime(2026, 11, 27, 9, 20, tzinfo=UTC)
ID = "01M8E4VWG0" + "0" * 16
"That of WHEN."


def traced(checklist: str = "go-native", content: bytes = GUIDE.encode(), form: Form | None = None) -> Report:
    """Of a file that holds this. Made at WHEN: what is asked of a capture has no other clock."""
    judged_by = load(checklist)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log"
        file.write_bytes(content)
        trunk = Trunk(judged_by.trunk.domain, judged_by.trunk.networks)
        heard = heard_in(read([file]), trunk, account=Account(None, ("21669015",)))
    plan = Plan(
        judged_by, judged_by.requirements, [Link("PBX")], Settings(), command="pbx trace", heard=heard, form=form
    )
    made = run(plan, threading.Event(), Observer())
    measurements = [replace(measurement, started=WHEN, elapsed_s=0.0) for measurement in made.measurements]
    return replace(made, id=ID, started=WHEN, elapsed_s=0.0, measurements=measurements)
