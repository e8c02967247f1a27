"""The files of `fleet files`: rules that promtool tries, dashboards whose every query a real Prometheus answers."""

import json
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gosip_check.checklist import load
from gosip_check.fleet import FILES, content
from gosip_check.records import Outcome, Report
from gosip_check.report.to_prometheus import to_prometheus
from tests.command.test_health import fetched, free_port
from tests.saved import demo, here, tool

PROMETHEUS, PROMTOOL, VICTORIA = map(shutil.which, ("prometheus", "promtool", "victoria-metrics"))

pytestmark = pytest.mark.waits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    code, printed = here("fleet", "files", folder)
    assert (code, "at most 400 series" in printed) == (0, True)
    assert {path.name for path in folder.iterdir()} == set(FILES)
    return folder


def test_nothing_that_is_there_is_changed(folder: Path) -> None:
    (folder / "rules.yml").touch()
    code, printed = here("fleet", "files", folder)
    assert (code, "has agent.yml" in printed) == (2, True)


def promtool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(PROMTOOL is None, reason="needs Debian's prometheus")
def test_promtool_checks_and_tries_the_rules(folder: Path, tmp_path: Path) -> None:
    assert promtool("check", "rules", "--lint-fatal", folder / "rules.yml").returncode == 0
    done = promtool("test", "rules", folder / "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "rules_test.yml").write_text(content("rules_test.yml"))
    for edit in (
        ("> 0.2", "> 0.9"),
        ("for: 10m", "for: 3h"),
        ("on (site, link) gosip_check:unreachable", "absent(up)"),
    ):
        (tmp_path / "rules.yml").write_text(content("rules.yml").replace(*edit))
        assert promtool("test", "rules", tmp_path / "rules_test.yml").returncode != 0, edit


@pytest.mark.skipif(PROMTOOL is None, reason="needs Debian's prometheus")
def test_promtool_takes_the_configurations(folder: Path) -> None:
    done = promtool("check", "config", folder / "central.yml")
    assert done.returncode == 0, done.stderr
    done = promtool("check", "config", "--agent", folder / "agent.yml", "--syntax-only")
    assert done.returncode == 0, done.stderr


def test_every_alert_has_a_hint_and_leads_to_something_that_explain_knows() -> None:
    alerts = content("rules.yml").split("- alert: ")[1:]
    known = {requirement.id for requirement in load("go-native").requirements}
    asked = set(re.findall(r"[a-z]+\[\.\][a-z-]+", content("rules.yml")))
    assert {requirement.replace("[.]", ".") for requirement in asked} <= known
    for alert in alerts:
        assert "hint: " in alert, alert
        explained = re.findall(r"explain: ([a-z].*)", alert)
        assert set(explained) <= known, alert
        assert "explain: " in alert or "Silent" in alert.split()[0]


@contextmanager
def metrics(text: bytes) -> Iterator[int]:
    """A port on which this text is scraped."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def light(site: str) -> Report:
    """What a light check of a good site would say now."""
    report = msgspec.convert(demo(), Report)
    asked = {requirement.id for requirement in load("go-native").requirements if requirement.health}
    verdicts = [verdict for verdict in report.verdicts if verdict.id in asked]
    host = msgspec.structs.replace(report.measurements[0], id="m99", probe="host", facts={"cpu_pct": 12.0})
    return msgspec.structs.replace(
        report, site=site, verdicts=verdicts, started=datetime.now(UTC), measurements=[*report.measurements, host]
    )


def with_alg(report: Report) -> Report:
    verdicts = [
        msgspec.structs.replace(v, outcome=Outcome.FAIL) if v.id == "alg.answers-unchanged" else v
        for v in report.verdicts
    ]
    return msgspec.structs.replace(report, verdicts=verdicts)


def asked(port: int, query: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        result: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
    return result


@pytest.mark.skipif(PROMETHEUS is None, reason="needs Debian's prometheus")
def test_every_panel_has_rows_and_the_faulty_site_of_200_is_among_the_first(folder: Path, tmp_path: Path) -> None:
    assert PROMETHEUS is not None
    sites = [light(f"MT-{number:04d}") for number in range(200)]
    sites[137] = with_alg(sites[137])
    text = b"".join(to_prometheus(site, site.started) for site in sites)
    comments = re.compile(rb"(?m)^#.*\n")
    central = free_port()
    with metrics(comments.sub(b"", text)) as port:
        (tmp_path / "central.yml").write_text(
            content("central.yml").replace("60s", "1s").replace("rules.yml", str(folder / "rules.yml"))
            + "scrape_configs:\n- {job_name: gosip, scrape_interval: 1s, "
            f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
        )
        command = [PROMETHEUS, f"--config.file={tmp_path}/central.yml", f"--storage.tsdb.path={tmp_path}/data"]
        command += [f"--web.listen-address=127.0.0.1:{central}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as prometheus:
            try:
                wanted = urllib.parse.quote("count(gosip_check:state) and gosip_check:sites == 200")
                fetched(f"http://127.0.0.1:{central}/api/v1/query?query={wanted}", '"value":')
                fetched(f"http://127.0.0.1:{central}/api/v1/query?query=ALERTS", "GosipAlgAppeared")
                rows = {title: asked(central, query) for title, query in _queries("MT-0137")}
            finally:
                prometheus.terminate()
    for title, found in rows.items():
        print(f"{title}: {len(found)} row(s), first {found[:1]}")
    # Nothing has changed so soon, no alert is on yet, and nothing is unknown at these sites.
    empty = {title for title, found in rows.items() if not found}
    assert empty == {"Changes of the last day", "Last change of the day", "Alerts", "Unknown, by requirement"}
    worst = [row["metric"]["site"] for row in rows["Worst sites"][:5]]
    assert "MT-0137" in worst
    assert rows["Sites"][0]["value"][1] == "200"
    assert rows["Sites with a SIP ALG"][0]["value"][1] == "1"
    assert [row["metric"]["requirement"] for row in rows["Failed, by requirement"]] == ["alg.answers-unchanged"]


def _queries(site: str) -> Iterator[tuple[str, str]]:
    for name in ("dashboard-fleet.json", "dashboard-site.json"):
        for panel in json.loads(content(name))["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"].replace("$site", site)


@pytest.mark.skipif(VICTORIA is None, reason="needs Debian's victoria-metrics")
def test_victoria_metrics_takes_what_is_pushed_with_its_own_time(tmp_path: Path) -> None:
    assert VICTORIA is not None
    port, history = free_port(), tmp_path / "h.sqlite"
    url = f"http://127.0.0.1:{port}"
    health = ["health", "--demo", "nxdomain", "--site", "MT-1", "--skip", "host.*", "--quiet", "--history", history]
    health += ["--push", f"{url}/api/v1/import/prometheus"]
    first = tool(*health)
    assert first.returncode == 1  # what the site is like; that nobody listens yet is a sentence
    assert "1 run(s) wait in the history" in first.stderr
    command = [VICTORIA, f"-storageDataPath={tmp_path}/data", f"-httpListenAddr=127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as victoria:
        try:
            fetched(f"{url}/health", "OK")
            second = tool(*health)
            assert (second.returncode, second.stderr) == (1, "")
            exported = fetched(f"{url}/api/v1/export?match=gosip_check_outcome", "MT-1")
        finally:
            victoria.terminate()
    (series,) = map(json.loads, exported.splitlines())
    kept = tool("history", "export", "--history", history).stdout.splitlines()
    started = [msgspec.json.decode(line, type=Report).started for line in kept]
    assert series["timestamps"] == [int(when.timestamp() * 1000) for when in started]
    assert len(started) == 2
    assert series["metric"]["site"] == "MT-1"


def test_a_demo_pushes_to_this_machine_only() -> None:
    code, printed = here("health", "--demo", "ready", "--push", "https://example.net/x")
    assert (code, "a demo stays on this machine" in printed) == (2, True)
