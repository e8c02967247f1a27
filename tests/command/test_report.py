"""`report` as a program: signatures beside OpenSSL's, and reports that come through a pipe."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.saved import DNS_ALONE, demo, here, save, tool

Document = dict[str, Any]


def ed25519(folder: Path) -> tuple[Path, Path]:
    """A key pair made by OpenSSL, which nobody here wrote."""
    private, public = folder / "private.pem", folder / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, timeout=30)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, timeout=30)
    return private, public


def test_a_signature_by_an_openssl_key(tmp_path: Path) -> None:
    private, public = ed25519(tmp_path)
    path = tmp_path / "r.json"
    made = tool(*DNS_ALONE, "--quiet", "--json", path, "--sign-key-file", private)
    assert made.returncode == 3
    right = tool("report", "check", path, "--verify-key-file", public)
    assert (right.returncode, "signed with the key" in right.stdout) == (3, True)
    assert "nobody has verified" in tool("report", "check", path).stdout
    document = json.loads(path.read_text())
    save(document, tmp_path, "spaced.json")  # other spaces, the same document
    assert tool("report", "check", tmp_path / "spaced.json", "--verify-key-file", public).returncode == 3
    # A forger who knows what follows from what: the measurement is edited along with its verdicts.
    edits: list[Callable[[Document], object]] = [
        lambda d: d["measurements"][0].update(elapsed_s=0.5),
        lambda d: d["host"].update(name="other"),
        lambda d: d.update(form={"company_name": "Other Ltd"}),
        lambda d: d["signature"].update(value="00" * 64),
        lambda d: d["signature"].update(value="no hex"),
        lambda d: d.pop("signature"),
        lambda d: d["signature"].update(key="0" * 16),
        lambda d: d["signature"].update(algorithm="hmac-sha256"),
    ]
    for change in edits:
        forged = json.loads(path.read_text())
        change(forged)
        code, printed = here("report", "check", save(forged, tmp_path, "f.json"), "--verify-key-file", public)
        assert code == 1, printed
    _, other = ed25519(tmp_path)
    assert tool("report", "check", path, "--verify-key-file", other).returncode == 1


def test_openssl_agrees_with_the_signature(tmp_path: Path) -> None:
    private, public = ed25519(tmp_path)
    path = tmp_path / "r.json"
    tool(*DNS_ALONE, "--quiet", "--json", path, "--sign-key-file", private)
    document = json.loads(path.read_text())
    signature = bytes.fromhex(document.pop("signature")["value"])
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    (tmp_path / "signed").write_bytes(b"gosip-check/report-signature/1\n" + text.encode())
    (tmp_path / "signature").write_bytes(signature)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    command += ["-in", str(tmp_path / "signed"), "-sigfile", str(tmp_path / "signature")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert "Verified Successfully" in done.stdout


def test_a_shared_key(tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    for path, digits in ((key, "0123456789abcdef"), (other, "fedcba9876543210")):
        path.write_text(f"{digits * 4}\n")
        path.chmod(0o600)
    path = tmp_path / "r.json"
    tool(*DNS_ALONE, "--quiet", "--json", path, "--sign-key-file", key)
    assert tool("report", "check", path, "--verify-key-file", key).returncode == 3
    assert tool("report", "check", path, "--verify-key-file", other).returncode == 1


def test_a_report_comes_through_a_pipe(tmp_path: Path) -> None:
    text = json.dumps(demo())
    path = save(demo(), tmp_path)
    for command in (["show", "-"], ["judge", "-", "--checklist", "go-native"], ["compare", path, "-"]):
        done = tool("report", *command, input=text)
        assert done.returncode == 0, done.stderr
    assert tool("report", "check", "-", input=text).returncode == 3
    for name in ("-", "/dev/stdin"):
        page = tool("report", "html", name, input=text)
        assert page.stdout.startswith("<!DOCTYPE html>")
        assert page.returncode == 0
    assert not Path("/dev/stdin.html").exists()
    assert tool("report", "html", "-", tmp_path / "page.html", input=text).returncode == 0
    assert (tmp_path / "page.html").read_text() == page.stdout
    assert "is not valid JSON" in tool("report", "show", "-", input="").stderr
