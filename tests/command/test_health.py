"""`health` and `watch` as programs: what Nagios, node_exporter and Prometheus get of them."""

import os
import shutil
import socket
import stat
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.saved import TOOL, here

NODE_EXPORTER, PROMETHEUS = map(shutil.which, ("prometheus-node-exporter", "prometheus"))


@pytest.mark.parametrize(
    "arguments",
    [["--frob"], ["--checklist", "gone"], ["--demo", "fire"], ["--link", "x"], ["--skip", "nosuch*"]],
    ids=str,
)
def test_wrong_usage_is_unknown_to_nagios(arguments: list[str]) -> None:
    done = subprocess.run([*TOOL, "health", "--nagios", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stdout.startswith("UNKNOWN - ")
    plain = subprocess.run([*TOOL, "health", *arguments], capture_output=True, text=True, timeout=60)
    assert plain.returncode == 2


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def fetched(url: str, words: str) -> str:
    """The page once it holds `words`: the server may only be starting. Fails after a minute."""
    until_s, text = time.monotonic() + 60, ""
    pause = threading.Event()
    while words not in text and time.monotonic() < until_s:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            text = ""
        if words not in text:
            pause.wait(0.1)
    assert words in text
    return text


@pytest.mark.skipif(NODE_EXPORTER is None, reason="needs Debian's prometheus-node-exporter")
def test_node_exporter_reads_the_textfile(tmp_path: Path) -> None:
    """Written under a tight umask, read by a process of another user."""
    assert NODE_EXPORTER is not None
    (tmp_path / "text").mkdir()
    file = tmp_path / "text" / "gosip.prom"
    mask = os.umask(0o077)
    try:
        here("health", "--demo", "forbidden", "--skip", "host.*", "--no-history", "--quiet", "--prometheus", file)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["gosip.prom"]
    port = free_port()
    command = [NODE_EXPORTER, "--collector.disable-defaults", "--collector.textfile"]
    command += [f"--collector.textfile.directory={file.parent}", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            text = fetched(f"http://127.0.0.1:{port}/metrics", "gosip_check_outcome")
        finally:
            process.terminate()
    assert "gosip_check_outcome 0" in text
    assert "node_textfile_scrape_error 0" in text
    assert 'gosip_check_requirement_state{level="must",link="Internet-1",requirement="firewall.signalling"} 0' in text


@pytest.mark.skipif(PROMETHEUS is None, reason="needs Debian's prometheus")
def test_prometheus_scrapes_watch(tmp_path: Path) -> None:
    assert PROMETHEUS is not None
    ours, its = free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: gosip\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{ours}']}}]\n"
    )
    watching = [*TOOL, "watch", "--demo", "ready", "--every", "2s", "--skip", "host.*", "--listen", str(ours)]
    scraping = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data"]
    scraping += [f"--web.listen-address=127.0.0.1:{its}"]
    with (
        subprocess.Popen(
            [*watching, "--history", str(tmp_path / "h.sqlite")], stdout=subprocess.PIPE, text=True
        ) as watch,
        subprocess.Popen(scraping, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as prometheus,
    ):
        try:
            assert watch.stdout is not None
            assert watch.stdout.readline().endswith(" ready.\n")
            query = f"http://127.0.0.1:{its}/api/v1/query?query=gosip_check_requirement_state"
            assert '"requirement":"dns.srv-answers"' in fetched(query, "dns.srv-answers")
            request = urllib.request.Request(
                f"http://127.0.0.1:{ours}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
                assert answer.read().endswith(b"# EOF\n")
        finally:
            prometheus.terminate()
            watch.terminate()
    assert watch.returncode == 0
