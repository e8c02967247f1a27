"""The example of docs/fleet.md: 500 reports in a real PostgreSQL, and three questions answered as the files say."""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.orders import ROUTERS, save_orders
from tests.postgres import INSTALLED, postgres
from tests.saved import tool

SQL = Path(__file__).parents[2] / "gosip_check" / "fleet" / "orders.sql"

pytestmark = [pytest.mark.waits, pytest.mark.skipif(not INSTALLED, reason="needs Debian's postgresql")]


def test_an_order_desk_in_postgresql(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    save_orders(reports, 500)
    checked = tool("report", "check", reports, "--jsonl").stdout
    (tmp_path / "checked.jsonl").write_text(checked)
    (tmp_path / "reports.csv").write_text(tool("report", "table", reports).stdout)
    (tmp_path / "verdicts.csv").write_text(tool("report", "table", "--verdicts", reports).stdout)
    assert Counter(json.loads(line)["trust"] for line in checked.splitlines()) == {"undecided": 500}

    documents = [json.loads(path.read_text()) for path in sorted(reports.iterdir())]
    alg: Counter[str] = Counter()
    for number, document in enumerate(documents):
        if any(v["outcome"] == "fail" and v["group"] == "alg" for v in document["verdicts"]):
            alg[ROUTERS[number % len(ROUTERS)][1]] += 1
    musts = Counter(
        (v["id"], d["site"]) for d in documents for v in d["verdicts"] if (v["level"], v["outcome"]) == ("must", "fail")
    )
    with postgres() as environment:
        psql = [str(shutil.which("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        for _ in range(2):  # loading again changes nothing
            done = subprocess.run(
                [*psql, "-f", str(SQL)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, done.stderr
            first, second, third = (part.splitlines()[1:] for part in done.stdout.split("Wh")[1:])
            assert {row.split("|")[1]: int(row.split("|")[2]) for row in first} == alg
            assert sum(alg.values()) == 83
            assert {row.split("|")[0]: int(row.split("|")[1]) for row in second} == Counter(id for id, _ in musts)
            assert len(third) == 20
    pairs = zip(documents[0::2], documents[1::2], strict=True)  # two reports of each site
    worse = {
        before["site"] for before, after in pairs if (before["outcome"], after["outcome"]) == ("ready", "not-ready")
    }
    assert {row.split("|")[0] for row in third} <= worse
