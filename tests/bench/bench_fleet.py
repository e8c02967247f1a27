"""A fleet: 20 real light checks of the demo, replayed as 200 sites through ten agents into one central Prometheus.

    python -m tests.bench.bench_fleet [SECONDS_DOWN...]

Which alerts fire, for which sites; how many series a site makes; and what is lost while the receiver is away for 60 s
and for 10 minutes. The same for `health --push` into VictoriaMetrics. A minute of the rules is a second here; a site is
scraped every five seconds. All on loopback.
"""

import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import msgspec

from gosip_check.fleet import content
from gosip_check.health.history import History
from gosip_check.health.push import Receiver, push
from gosip_check.records import Outcome, Report
from gosip_check.report.load import load
from gosip_check.report.to_prometheus import to_prometheus
from gosip_check.run import report_id
from tests.command.test_health import fetched, free_port
from tests.saved import TOOL

FAULTS = ("nxdomain", "malformed", "refused", "forbidden", "outside-networks")
SITES, AGENTS, SCRAPE_S, CHECK_S = 200, 10, 5, 15


class Fleet:
    """200 sites, each with a report that is made new every CHECK_S; ten ports, on each 20 of them."""

    def __init__(self, reports: dict[str, Report]) -> None:
        self._reports = reports
        self.kind_of = {f"MT-{number:04d}": "ready" for number in range(SITES)}
        self.ports: list[int] = []

    def serve(self, stack: ExitStack) -> None:
        sites = list(self.kind_of)
        for agent in range(AGENTS):
            server = ThreadingHTTPServer(("127.0.0.1", 0), self._page(sites[agent::AGENTS]))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            self.ports.append(server.server_address[1])

    def now(self, site: str) -> Report:
        started = datetime.fromtimestamp(time.time() // CHECK_S * CHECK_S, UTC)
        return msgspec.structs.replace(self._reports[self.kind_of[site]], site=site, started=started)

    def _page(self, sites: list[str]) -> type[BaseHTTPRequestHandler]:
        fleet = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = b"".join(to_prometheus(fleet.now(site), None) for site in sites)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(re.sub(rb"(?m)^#.*\n", b"", text))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Page


def main(away: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        fleet = Fleet(_real_runs(folder))
        fleet.serve(stack)
        central = Central(folder)
        stack.callback(central.stop)
        central.start()
        for number, port in enumerate(fleet.ports):
            stack.callback(_agent(folder, number, port, central.port).terminate)
        _wait(central, f"gosip_check:sites == {SITES}")
        print(f"series a site        {central.value('max(gosip_check_series)')}", flush=True)
        time.sleep(20)
        print(f"all ready            alerts: {central.alerts() or 'none'}")
        _single_faults(fleet, central)
        _provider(fleet, central)
        for seconds in away:
            _receiver_away(central, seconds)
        for seconds in away:
            _push_while_away(folder, fleet, seconds)


def _real_runs(folder: Path) -> dict[str, Report]:
    """20 runs: the ready one and each fault, four times; the last of each kind is replayed."""
    reports = {}
    for kind, number in itertools.product(("ready", *FAULTS[:4]), range(4)):
        path = folder / f"{kind}-{number}.json"
        command = [*TOOL, "health", "--demo", kind, "--no-history", "--quiet", "--skip", "host.*", "--json", str(path)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        reports[kind] = load(path)
        states = {v.id: str(v.outcome) for v in reports[kind].verdicts if v.outcome is not Outcome.PASS}
        if number == 3:
            print(f"{kind:20} not passed: {states}", flush=True)
    ready = reports["ready"]
    srv = next(measurement for measurement in ready.measurements if measurement.probe == "srv")
    for kind, report in reports.items():  # every demo has ports of its own: as records, they would be a change
        measurements = [srv if m.probe == "srv" and m.facts and m.facts["targets"] else m for m in report.measurements]
        reports[kind] = msgspec.structs.replace(report, measurements=measurements)
    verdicts = [_failed(v) if v.id == "alg.answers-unchanged" else v for v in ready.verdicts]
    reports["alg"] = msgspec.structs.replace(
        ready, verdicts=verdicts
    )  # the demo has no ALG: only its state is replayed
    return reports


def _failed(verdict: Any) -> Any:
    return msgspec.structs.replace(verdict, outcome=Outcome.FAIL)


class Central:
    """A Prometheus that receives, with the shipped rules, in which a minute is a second."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        rules = re.sub(r"\b([0-9]+)m\b", r"\1s", content("rules.yml"))
        rules = rules.replace("[2h]", "[120s]").replace("[2d]", "[2880s]").replace("> 2700", "> 45")
        (folder / "rules.yml").write_text(rules)
        (folder / "central.yml").write_text(content("central.yml").replace("60s", "1s"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(shutil.which("prometheus")), f"--config.file={self._folder}/central.yml"]
        command += [f"--storage.tsdb.path={self._folder}/central", f"--web.listen-address=127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(
            [*command, "--web.enable-remote-write-receiver"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        fetched(f"http://127.0.0.1:{self.port}/-/ready", "Ready")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def rows(self, query: str) -> list[dict[str, Any]]:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?query={quote(query)}", timeout=30) as answer:
            rows: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
        return rows

    def value(self, query: str) -> str:
        return str(next((row["value"][1] for row in self.rows(query)), "nothing"))

    def alerts(self) -> dict[str, set[str]]:
        alerts: dict[str, set[str]] = {}
        for row in self.rows('ALERTS{alertstate="firing"}'):
            alerts.setdefault(row["metric"]["alertname"], set()).add(row["metric"].get("site", "-"))
        return alerts


def _agent(folder: Path, number: int, port: int, central: int) -> "subprocess.Popen[bytes]":
    config = content("agent.yml").replace("scrape_interval: 60s", f"scrape_interval: {SCRAPE_S}s")
    config = config.replace("sample_limit: 500", "honor_labels: true").replace("127.0.0.1:9799", f"127.0.0.1:{port}")
    config = config.replace("https://metrics.example.net", f"http://127.0.0.1:{central}").replace(
        "MT-0001", f"agent-{number}"
    )
    config = re.sub(r"    authorization:\n.*\n", "", config)
    path = folder / f"agent-{number}.yml"
    path.write_text(config)
    command = [str(shutil.which("prometheus")), "--enable-feature=agent", f"--config.file={path}"]
    command += [f"--storage.agent.path={folder}/agent-{number}", f"--web.listen-address=127.0.0.1:{free_port()}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait(central: Central, query: str) -> None:
    until_s = time.monotonic() + 120
    while not central.rows(query):
        if time.monotonic() > until_s:
            raise SystemExit(f"never came true: {query}")
        time.sleep(0.5)


def _single_faults(fleet: Fleet, central: Central) -> None:
    """One site of each kind: each gets its own alert, and no other site any."""
    kinds = {"MT-0011": "alg", "MT-0042": "nxdomain", "MT-0077": "malformed"}
    fleet.kind_of |= kinds
    time.sleep(45)
    wanted = {"GosipAlgAppeared": {"MT-0011"}, "GosipTrunkUnreachable": {"MT-0042", "MT-0077"}}
    got = central.alerts()
    print(f"three faulty sites   {'as wanted' if got == wanted else 'WRONG'}: {got}", flush=True)
    fleet.kind_of |= dict.fromkeys(kinds, "ready")
    time.sleep(30)
    print(f"repaired             alerts: {central.alerts() or 'none'}", flush=True)


def _provider(fleet: Fleet, central: Central) -> None:
    """60 sites at once."""
    sites = list(fleet.kind_of)[::3][:60]
    fleet.kind_of |= dict.fromkeys(sites, "refused")
    time.sleep(45)
    got = central.alerts()
    right = got == {"GosipProviderUnreachable": {"-"}}
    print(
        f"60 sites at once     {'as wanted' if right else 'WRONG'}: { ({k: len(v) for k, v in got.items()}) }",
        flush=True,
    )
    fleet.kind_of |= dict.fromkeys(sites, "ready")
    time.sleep(30)


def _receiver_away(central: Central, seconds: int) -> None:
    """Every scrape of every site must be there afterwards."""
    begun_s = time.time()
    time.sleep(15)
    central.stop()
    time.sleep(seconds)
    central.start()
    time.sleep(90)
    span_s = int(time.time() - begun_s) - 30
    rows = central.rows(f"count_over_time(gosip_check_outcome[{span_s}s] offset 30s)")
    counts = Counter(int(row["value"][1]) for row in rows)
    wanted = span_s // SCRAPE_S
    lost = sum(max(0, wanted - count) * sites for count, sites in counts.items())
    print(
        f"receiver away {seconds:4} s  {len(rows)} sites, {wanted} scrapes each, lost {lost} of {wanted * SITES}",
        flush=True,
    )


def _push_while_away(folder: Path, fleet: Fleet, seconds: int) -> None:
    """A run every CHECK_S into the history of one site, sent to VictoriaMetrics, which is away meanwhile."""
    port, data = free_port(), folder / f"victoria-{seconds}"
    command = [str(shutil.which("victoria-metrics")), f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}"]
    receiver = Receiver(f"http://127.0.0.1:{port}/api/v1/import/prometheus")
    times, troubles, process = [], 0, None
    with History(folder / f"push-{seconds}.sqlite") as history:
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < seconds + 2 * CHECK_S:
            started = datetime.now(UTC)
            report = msgspec.structs.replace(fleet.now("MT-0000"), id=report_id(started), started=started)
            history.keep(report)
            times.append(int(started.timestamp() * 1000))
            if process is None and time.monotonic() - begun_s >= seconds:
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                fetched(f"http://127.0.0.1:{port}/health", "OK")
            troubles += bool(push(history, report, None, receiver))
            time.sleep(CHECK_S)
    exported = fetched(f"http://127.0.0.1:{port}/api/v1/export?match=gosip_check_outcome", "MT-0000")
    if process is not None:
        process.terminate()
        process.wait(60)
    got = sorted(itertools.chain.from_iterable(json.loads(line)["timestamps"] for line in exported.splitlines()))
    lost = len(set(times) - set(got))
    print(
        f"--push, away {seconds:4} s   {len(times)} runs, {troubles} could not be sent at first, lost {lost}",
        flush=True,
    )


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [60, 600])
