"""The command line: wrong usage is a sentence, a start is quick, and a signal loses nothing that was measured."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from gosip_check.cli import carry_out
from tests.saved import DNS_ALONE, TOOL, fresh_demo, tool

WITH_A_TERMINAL = ["env", "--default-signal=HUP"]
"Under nohup(1), as tests may be, a closed terminal would end nothing."

WRONG_USAGE = {
    ("frob",): "Error: No such command 'frob'.",
    ("run", "--frob"): "Error: No such option '--frob'.",
    ("run", "--checklist", "gone.toml"): "Error: gone.toml: cannot be read: No such file or directory.",
    ("run", "--link", "eth0"): "Error: --link 'eth0': NAME=ADDRESS or NAME=INTERFACE would be right, such as "
    "Internet-1=eth0.",
    ("run", "--link", "A=192.0.2.77"): "Error: --link 'A=192.0.2.77': 192.0.2.77 is no address of this machine.",
    (
        "run",
        "--link",
        "A=lo",
        "--link",
        "A=lo",
    ): "Error: --link 'A=lo': the name 'A' is taken; every line needs its own.",
    ("run", "--dns-server", "dns.example"): "Error: --dns-server 'dns.example' is not an IP address or ADDRESS:PORT.",
    (
        "run",
        "--dns-server",
        "192.0.2.1:x",
    ): "Error: --dns-server '192.0.2.1:x': the port must be a number from 1 to 65535.",
    ("run", "--form", "gone.toml"): "Error: gone.toml: cannot be read: No such file or directory.",
    (
        "demo",
        "--json",
        "/nowhere/r.json",
    ): "Error: --json /nowhere/r.json: cannot be written: No such file or directory.",
    ("demo", "--svg", "/"): "Error: --svg /: is a folder; name a file.",
    ("demo", "--skip", "dsn.*"): "Error: --skip 'dsn.*' matches nothing; there are dns.srv-answers, ",
    ("demo", "--fault", "fire"): "Error: --fault 'fire': there is no such fault; there are one-site, ",
    ("demo", "--fault", "\x1b[31m"): "Error: --fault '\\x1b[31m': there is no such fault; there are one-site, ",
    ("form", "check", "gone.toml"): "Error: gone.toml: cannot be read: No such file or directory.",
    ("run", "--channels", "0"): "Error: Invalid value for '--channels': 0 is not in the range 1<=x<=2000.",
    ("quality", "--duration", "nan"): "Error: Invalid value for '--duration': 'nan' is not a number of seconds.",
    ("bandwidth", "--duration", "600", "--channels", "2000", "--reflector", "192.0.2.1"): (
        "Error: --duration 600 with --channels 2000 would need too much memory. Use at most 60 s for so many channels."
    ),
    ("quality", "--duration", "0.5"): "Error: Invalid value for '--duration': 0.5 is not in the range 1<=x<=600.",
    ("run", "--reflector", "a:b"): "Error: --reflector 'a:b': HOST or HOST:PORT would be right",
    (
        "quality",
        "--reflector",
        "192.0.2.1",
        "--reflector-key-file",
        "gone",
    ): "Error: --reflector-key-file gone: cannot be read: No such file or directory.",
    (
        "run",
        "--reflector-key-file",
        "pyproject.toml",
    ): "Error: --reflector-key-file needs --reflector.",
    ("nat", "--thorough"): "Error: --thorough needs a far end: name it with --reflector or --far-end-link.",
    ("run", "--under-load", "--gentle"): (
        "Error: --under-load fills the line, and --gentle sends next to nothing: leave one of them out."
    ),
    ("bandwidth", "--find-capacity"): "Error: --find-capacity needs a far end to send to: name it with --reflector.",
    (
        "reflector",
        "--key-file",
        "LICENSE.gone",
    ): "Error: --key-file LICENSE.gone: cannot be read: No such file or directory.",
    (
        "reflector",
        "--allow",
        "192.0.2.1/24",
    ): "Error: --allow '192.0.2.1/24': 192.0.2.1/24 has host bits set; 192.0.2.0/24 would be right.",
    ("reflector", "--bind", "192.0.2.77"): "Error: cannot listen on 192.0.2.77 port 862/UDP: ",
    ("checklist", "show", "x"): "Error: There is no checklist 'x'. Shipped are ",
}


@pytest.mark.parametrize(("arguments", "sentence"), WRONG_USAGE.items(), ids=" ".join)
def test_wrong_usage_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = tool(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(sentence)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_a_start_loads_only_click(arguments: list[str]) -> None:
    script = (
        "import os, sys; from gosip_check.__main__ import main\n"
        "os._exit = sys.exit\n"
        f"sys.argv = ['gosip-check', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "click" in loaded
    heavy = {"rich", "dns", "psutil", "jinja2", "phonenumbers", "prometheus_client", "msgspec", "ping3", "asyncio"}
    heavy |= {"cryptography", "typst"}
    assert not loaded & heavy


@pytest.mark.parametrize("system", ["win32", "darwin", "freebsd14"])
@pytest.mark.parametrize(("arguments", "code"), [(["run"], 2), (["--help"], 2), (["health", "--nagios"], 3)])
def test_another_system_than_linux_is_refused_in_one_sentence(system: str, arguments: list[str], code: int) -> None:
    script = (
        "import os, sys; from gosip_check.__main__ import main\n"
        "os._exit = sys.exit\n"
        f"sys.platform, sys.argv = {system!r}, ['gosip-check', *{arguments!r}]\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == (
        "Error: gosip-check runs on Linux only: "
        "start this computer from a Linux USB stick, or bring a small Linux computer.\n"
    )


def test_the_refusal_comes_before_anything_of_linux_is_loaded() -> None:
    """As elsewhere: no `fcntl`, no `resource`."""
    script = (
        "import sys; sys.platform = 'darwin'; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
        "from gosip_check.__main__ import main; sys.argv = ['gosip-check', 'run']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: gosip-check runs on Linux only: ")


def test_json_on_standard_output_is_alone_there() -> None:
    done, report = fresh_demo()
    assert report["outcome"] == "ready"
    assert "READY" in done.stderr
    assert "pass    dns.ttl: " in done.stderr


def test_quiet_prints_one_line() -> None:
    done = tool(*DNS_ALONE, "--quiet")
    assert done.stderr == ""
    assert done.stdout.strip().startswith("NOT DECIDED")
    assert "dns." not in done.stdout


def test_what_was_asked_to_be_skipped_is_not_passed() -> None:
    done = tool(*DNS_ALONE, "--json", "-", "--quiet")
    assert done.returncode == 3
    verdicts = {v["id"]: v for v in json.loads(done.stdout)["verdicts"]}
    assert verdicts["firewall.signalling"]["outcome"] == "skipped"
    assert verdicts["firewall.signalling"]["reason"] == "Skipped on request (--skip [!d]*)."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_half_way_still_leaves_a_report(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    command = [*WITH_A_TERMINAL, *TOOL, "demo", "--fault", "silent", "--json", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "dns.ttl" in line:  # DNS is judged, and the servers have only begun to be silent
                process.send_signal(number)
                break
        process.communicate(timeout=60)
    assert process.returncode == 3
    verdicts = {v["id"]: v for v in json.loads(path.read_text())["verdicts"]}
    assert verdicts["dns.srv-answers"]["outcome"] == "pass"
    for name in ("firewall.signalling", "firewall.signalling-every-target"):
        assert verdicts[name]["outcome"] == "unknown"
        assert verdicts[name]["reason"] == "The run was stopped before this was measured."
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["r.json"]


def test_a_report_that_cannot_be_written_at_the_end_is_not_lost() -> None:
    done = tool(*DNS_ALONE, "--json", "/dev/full", "--quiet")
    assert done.returncode == 4
    assert "--json /dev/full: cannot be written: No space left on device." in done.stderr
    rescued, _ = json.JSONDecoder().raw_decode(done.stdout)
    assert rescued["outcome"] == "inconclusive"


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", ">/dev/full", ">&-", "2> >(head -n 1)", "2>&- >&-"])
def test_output_that_nobody_takes_loses_no_report(closed: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    script = f'"{sys.executable}" -m gosip_check {shlex.join(DNS_ALONE)} --json "{path}" {closed}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == (4 if closed == ">/dev/full" else 3)
    assert "Traceback" not in done.stdout + done.stderr
    assert json.loads(path.read_text())["outcome"] == "inconclusive"


def test_json_into_a_pipe_or_a_full_disk() -> None:
    through = tool(*DNS_ALONE, "--json", "/dev/stdout", "--quiet")
    assert json.loads(through.stdout[: through.stdout.rindex("}") + 1])["outcome"] == "inconclusive"
    script = f'"{sys.executable}" -m gosip_check {shlex.join(DNS_ALONE)} --quiet --json - >/dev/full'
    full = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert full.returncode == 4
    assert full.stderr == "Error: --json -: cannot be written: No space left on device.\n"


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    command = [*TOOL, "demo", "--fault", "silent", "--json", str(tmp_path / "r.json")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "dns.ttl" in line:
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGINT)
                break
        _, said = process.communicate(timeout=60)
    assert process.returncode in (3, 4)  # two that arrive as one are one
    assert "Traceback" not in said
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)])
def test_timeout_and_a_shell_send_a_signal_twice_and_mean_it_once(number: signal.Signals, ends: bool) -> None:
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt) if ends else nullcontext(), carry_out.stopping_on_signals(stop):
        signal.raise_signal(number)
        assert stop.is_set()
        signal.raise_signal(number)


def test_a_crash_never_looks_like_a_verdict() -> None:
    script = (
        "import gosip_check.__main__ as m\n"
        "def crash(**_): raise RuntimeError('boom')\n"
        "m.gosip_check.main = crash\n"
        "m.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert "RuntimeError: boom" in done.stderr
    assert "says nothing about the site" in done.stderr


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    with subprocess.Popen([*TOOL, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) in (0, 4)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_the_form_commands(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    assert tool("form", "new", str(path)).returncode == 0
    again = tool("form", "new", str(path))
    assert again.returncode == 2
    assert "exists already" in again.stderr
    empty = tool("form", "check", str(path))
    assert empty.returncode == 1
    assert "not filled in yet: Company, Contact person, Telephone number, " in empty.stdout
    filled = path.read_text().replace('contact_number = ""', 'contact_number = "21669015"')
    filled = filled.replace('vendor = ""', 'vendor = "ACME"').replace('model = ""', 'model = "1"')
    for name in ("company_name", "contact", "release", "service_identifier"):
        filled = filled.replace(f'{name} = ""', f'{name} = "x"')
    path.write_text(filled)
    assert tool("form", "check", str(path)).returncode == 0
    assert "+35621669015" in tool("form", "show", str(path)).stdout
    done = tool(*DNS_ALONE, "--form", str(path), "--json", "-", "--all")
    assert json.loads(done.stdout)["form"]["contact_number"] == "+35621669015"
    assert "Customer Compliance Form" in done.stderr


def test_the_checklist_commands(tmp_path: Path) -> None:
    assert {"go-gateway", "go-native"} <= set(tool("checklist", "list").stdout.split())
    shown = tool("checklist", "show", "go-native").stdout
    assert "217.22.184.0/24" in shown
    assert "dns.ttl (should): " in shown
    wrong = tmp_path / "w.toml"
    wrong.write_text("x = 1")
    assert tool("checklist", "check", str(wrong)).returncode == 2
    assert tool("checklist", "check", "go-gateway").returncode == 0


def test_an_ascii_terminal_gets_no_traceback() -> None:
    done, _ = fresh_demo(env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_who_may_not_ping_is_told_so_before_the_start() -> None:
    """In a network of its own, where nobody may; the tool then has no route, and ends soon."""
    inside = ["unshare", "--user", "--map-root-user", "--net"] if os.geteuid() else ["unshare", "--net"]
    plain = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
    before = [*inside, *plain]
    if subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no network of its own")
    said = {}
    for command in (["bandwidth"], ["bandwidth", "--gentle"], ["bandwidth", "--quiet"], ["host"]):
        done = subprocess.run([*before, *TOOL, *command], capture_output=True, text=True, timeout=120)
        says_how_long = "On a line that is well this takes about " in done.stderr
        assert says_how_long == (command[0] == "bandwidth" and "--quiet" not in command)
        said[" ".join(command)] = "sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'" in done.stderr
    assert said == {"bandwidth": True, "bandwidth --gentle": False, "bandwidth --quiet": False, "host": False}
