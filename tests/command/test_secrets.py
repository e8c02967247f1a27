"""No credential, key or password is ever in any output: secrets in every input, and every output searched for them."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.saved import TOOL

SECRET = "Tr0ub4dor-and-3-more"


CHECK = """
import logging, sys, threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
import msgspec
from gosip_check.cli.account import account_of, check_edge_access
from gosip_check.cli.carry_out import carry_out
from gosip_check.cli.demo import emulated
from gosip_check.cli.plan import plan_of
from gosip_check.probes.account import attempts
from gosip_check.report import FORMATS
from gosip_check.servers.reflector import Reflector, ReflectorOptions
from gosip_check.wire.stamp import key_of

logging.basicConfig(level=logging.DEBUG)
fault, account, edge, key, out = sys.argv[1:]
check_edge_access(edge)
login = account_of(account)
attempts.ROOTS_FILE, attempts.ANYBODYS_FILE = Path(out + "-root.json"), Path(out + "-attempts.json")
with ExitStack() as stack:
    shown = {name: f"{out}.{name}" for name in FORMATS} | {"sign_key_file": None, "form": None, "quiet": False}
    asked = {"checklist": "go-native", "skip": ()}
    plan = plan_of("demo", asked, lambda c: [r for r in c.requirements if not r.id.startswith("host.")])
    plan = emulated(stack, plan, None if fault == "ready" else fault)
    options = ReflectorOptions(addresses=("127.0.0.1",), ports=(0,), key=key_of(open(key).read()))
    reflector = stack.enter_context(Reflector.open(options))
    stop = threading.Event()
    thread = threading.Thread(target=reflector.serve, args=(stop,), daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(stop.set)
    settings = msgspec.structs.replace(
        plan.settings, account=login.user, account_bind=True, edge_snmp=edge, reflector_key_file=key,
        reflector=f"127.0.0.1:{reflector.stamp_ports[0]}")
    carry_out(replace(plan, settings=settings, password=login.password), shown)
print("Carried out.")
"""
"A whole check of the emulated trunk with what only a site has: an account, a device to read, a reflector with a key."


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def words_of(pdf: Path) -> bytes:
    """The text of a PDF, which is compressed in the file."""
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("needs pdftotext to search a PDF")
    return subprocess.run([reader, pdf, "-"], capture_output=True, check=True, timeout=60).stdout.replace(
        "\u200b".encode(), b""
    )


@pytest.mark.parametrize("fault", ["ready", "malformed"])
def test_no_secret_of_a_site_is_in_any_output(fault: str, tmp_path: Path) -> None:
    """One secret for each input, so that a leak tells where it comes from."""
    pytest.importorskip("typst", reason="PDF needs the extra `pdf`")
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    reflector_key = "5ec4e7" * 10 + "beef"
    secrets = {"password": "Tr0ub4dor-and-3-more", "community": "c0mmun1ty-of-the-edge", "auth": "auth-pass-phrase-9",
               "privacy": "privacy-pass-phrase-8", "reflector": reflector_key}  # fmt: skip
    account = private(tmp_path / "account", f'user = "35621000000"\npassword = "{secrets["password"]}"\n')
    edges = {
        "2c": f'version = "2c"\ncommunity = "{secrets["community"]}"\n',
        "3": f'version = "3"\nuser = "u"\nauth_key = "{secrets["auth"]}"\nprivacy_key = "{secrets["privacy"]}"\n',
    }
    edge = private(tmp_path / "edge", f'host = "127.0.0.1"\nport = 9\n{edges["2c" if fault == "ready" else "3"]}')
    key = private(tmp_path / "key", f"{reflector_key}\n")
    environment = {**os.environ, "XDG_STATE_HOME": str(outputs / "state"), "XDG_CONFIG_HOME": str(outputs / "config")}
    report, broken = outputs / "r.json", private(tmp_path / "broken", f'password = "{secrets["password"]}')
    open_ = tmp_path / "open"
    open_.write_text(secrets["password"])
    open_.chmod(0o644)
    short = private(tmp_path / "short", "hunter2")
    secrets["short"] = "hunter2"
    # First a whole check; from `form check` on only what is refused.
    asked = [
        [TOOL[0], "-c", CHECK, fault, account, edge, key, outputs / "r"],
        [*TOOL, "report", "pdf", report, outputs / "again.pdf", "--all"],
        [*TOOL, "report", "show", report, "--details"],
        [*TOOL, "report", "check", report],
        [*TOOL, "report", "compare", report, report, "--all"],
        [*TOOL, "form", "check", account],
    ]
    asked += [[*TOOL, "run", "--skip", "*", "--account", file] for file in (open_, broken, key)]
    asked += [[*TOOL, "run", "--skip", "*", "--edge-snmp", file] for file in (open_, broken, account)]
    reflector = ["--reflector", "127.0.0.1:9", "--reflector-key-file", short]
    asked += [
        [*TOOL, "run", "--skip", "*", *reflector],
        [*TOOL, "register", "--user", "1", "--skip", "*", "--password-file", open_],
    ]
    for number, command in enumerate(asked):
        done = subprocess.run(
            list(map(str, command)), capture_output=True, timeout=120, env=environment, stdin=subprocess.DEVNULL
        )
        (outputs / f"printed-{number}").write_bytes(done.stdout + done.stderr)
        assert number < 5 or done.returncode == 2, (command, done.stderr)
    assert b"Carried out." in (outputs / "printed-0").read_bytes()
    searched = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    attempted = outputs / "r-attempts.json" in searched
    assert attempted == (fault == "ready")  # where calls fail anyway no password leaves
    for pdf in outputs.glob("*.pdf"):
        searched[pdf] = words_of(pdf)
        assert b"Which report this is" in searched[pdf]
    assert b"account.registers" in searched[outputs / "again.pdf"]
    for path, content in searched.items():
        for what, secret in secrets.items():
            for spelled in (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()):
                assert spelled.encode() not in content, f"{what} is in {path.name}"


def test_no_secret_is_in_any_output(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    shared, short, broken = tmp_path / "shared", tmp_path / "short", tmp_path / "broken"
    digits = os.urandom(32).hex()
    shared.write_text(f"{digits}\n")
    shared.chmod(0o600)
    short.write_text("hunter2")
    encoded = base64.b64encode(SECRET.encode()).decode()
    broken.write_text(f"-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n")
    secrets = [SECRET, digits, "hunter2", encoded]
    if shutil.which("openssl"):
        private = tmp_path / "private"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, timeout=30)
        secrets.append(private.read_text().splitlines()[1])
        signed = [private, shared]
    else:
        signed = [shared]
    environment = {
        **os.environ, "GOSIP_PASSWORD": SECRET, "SIP_PASSWORD": SECRET, "HTTP_PROXY": f"http://u:{SECRET}@127.0.0.1:1",
        "XDG_STATE_HOME": str(outputs / "state"), "XDG_CONFIG_HOME": str(outputs / "config"),
    }  # fmt: skip
    commands: list[list[object]] = []
    for number, key in enumerate(signed):
        report = outputs / f"{number}.json"
        commands += [
            ["demo", "--fault", "nxdomain", "--json", report, "--html", f"{report}.html", "--svg", f"{report}.svg",
             "--sign-key-file", key],
            ["report", "show", report, "--details"],
            ["report", "check", report, "--verify-key-file", key],
            ["report", "check", report, "--verify-key-file", shared],
            ["report", "check", report, "--verify-key-file", broken],
        ]  # fmt: skip
    for key in (short, broken):
        commands += [["demo", "--sign-key-file", key, "--quiet"]]
    commands += [
        ["form", "fill", outputs / "form.toml", "--pbx", f"sip:u:{SECRET}@127.0.0.1"],
        ["health", "--demo", "nxdomain", "--prometheus", outputs / "x.prom", "--json", outputs / "h.json"],
        ["health", "--demo", "nxdomain", "--nagios"],
        ["watch", "--demo", "nxdomain", "--exec", f"curl -u u:{SECRET} 'x", "--history", outputs / "w.sqlite"],
        ["history", "show"], ["history", "export"], ["history", "trend"],
        ["schedule", "install", "--kind", "systemd"],
        ["schedule", "install", "--kind", "cron"],
        ["run", "--checklist", shared],
        ["run", "--checklist", f"./{shared.name}"],
        ["report", "show", shared],
        ["form", "check", shared],
    ]  # fmt: skip
    for number, command in enumerate(commands):
        done = subprocess.run(
            [*TOOL, *map(str, command)], capture_output=True, timeout=120, env=environment, stdin=subprocess.DEVNULL
        )
        (outputs / f"printed-{number}").write_bytes(done.stdout + done.stderr)
    searched = [path for path in outputs.rglob("*") if path.is_file()]
    assert len(searched) > len(commands)
    for path in searched:
        content = path.read_bytes()
        if path.suffix == ".sqlite":
            content += "".join(dump(path)).encode()
        for secret in secrets:
            assert secret.encode() not in content, f"{secret} is in {path.name}"


def dump(path: Path) -> list[str]:
    """What a history holds, its compressed reports included."""
    from gosip_check.health.history import History

    with History(path) as history:
        return [document.decode() for document in history.reports()]


def test_the_search_would_find_one(tmp_path: Path) -> None:
    """What a person writes on the form is shown, of course: so the search above does look."""
    form = tmp_path / "form.toml"
    form.write_text(f'comments = "{SECRET}"\n')
    done = subprocess.run(
        [*TOOL, "demo", "--fault", "nxdomain", "--all", "--form", str(form)], capture_output=True, text=True, timeout=60
    )
    assert SECRET in done.stdout


@pytest.mark.parametrize("text", [f"http://u:{SECRET}@8.8.8.8", f"u:{SECRET}@8.8.8.8"])
def test_an_address_with_a_password_is_not_repeated(text: str) -> None:
    """Anywhere in a usage message, `user:password@` is taken out."""
    done = subprocess.run([*TOOL, "srv", "--dns-server", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr
    assert "8.8.8.8" in done.stderr
