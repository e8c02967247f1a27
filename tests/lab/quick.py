"""A shipped checklist cut down for tests that run it many times."""

from pathlib import Path

from gosip_check.checklist import load

_KEPT = (
    "dns.srv-answers",
    "dns.targets-resolve",
    "dns.targets-in-networks",
    "firewall.signalling",
    "nat.keepalive-arrives",
    "account.",
    "redundancy.",
)


def quick_checklist(name: str, folder: Path, listen_s: float = 130) -> Path:
    """Without what neither an account nor a second line needs, and with one OPTIONS where it has three.

    listen_s: for so long `run --bind` stays registered.
    """
    whole = load(name)
    dropped = [requirement.id for requirement in whole.requirements if not requirement.id.startswith(_KEPT)]
    asking = [r.id for r in whole.requirements if r.probe == "signalling" and r.id not in dropped]
    logging_in = [r.id for r in whole.requirements if r.probe == "registration" and r.id not in dropped]
    path = folder / f"{name}.toml"
    path.write_text(
        f"""
[checklist]
id = "{name}"
title = "{whole.identity.title}"
version = "quick"
source = "{whole.source}"
date = "{whole.date}"
extends = "{name}"

[drop]
requirements = {dropped}
"""
        + "".join(f'[[change]]\nid = "{id_}"\noptions = {{ requests = 1 }}\n' for id_ in asking)
        + "".join(f'[[change]]\nid = "{id_}"\noptions = {{ listen_s = {listen_s} }}\n' for id_ in logging_in)
    )
    return path
