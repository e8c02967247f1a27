"""No credential, key or password is ever in any output: secrets in every input, and every output searched for them."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.saved import TOOL

SECRET = "Tr0ub4dor-and-3-more"


def test_no_secret_is_in_any_output(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    shared, short, broken = tmp_path / "shared", tmp_path / "short", tmp_path / "broken"
    shared.write_text(f"{SECRET}{SECRET}\n")
    short.write_text("hunter2")
    encoded = base64.b64encode(SECRET.encode()).decode()
    broken.write_text(f"-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n")
    secrets = [SECRET, "hunter2", encoded]
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
    from gosip_check.history import History

    with History(path) as history:
        return [document.decode() for document in history.reports()]


def test_the_search_would_find_one(tmp_path: Path) -> None:
    """What a person writes on the form is shown, of course: so the search above does look."""
    form = tmp_path / "form.toml"
    form.write_text(f'comments = "{SECRET}"\n')
    done = subprocess.run(
        [*TOOL, "demo", "--fault", "nxdomain", "--form", str(form)], capture_output=True, text=True, timeout=60
    )
    assert SECRET in done.stdout


@pytest.mark.parametrize("text", [f"http://u:{SECRET}@8.8.8.8", f"u:{SECRET}@8.8.8.8"])
def test_an_address_with_a_password_is_not_repeated(text: str) -> None:
    """Anywhere in a usage message, `user:password@` is taken out."""
    done = subprocess.run([*TOOL, "srv", "--dns-server", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr
    assert "8.8.8.8" in done.stderr
