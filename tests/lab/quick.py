"""A shipped checklist cut down for tests that run it many times."""

from pathlib import Path

from gosip_check.checklist import shipped

_KEPT = (
    "dns.srv-answers",
    "dns.targets-resolve",
    "dns.targets-in-networks",
    "firewall.signalling",
    "account.",
    "redundancy.",
)


def quick_checklist(name: str, folder: Path) -> Path:
    """Without what neither an account nor a second line needs, and with one OPTIONS where it has three."""
    head, *requirements = shipped()[name].read_text().split("[[requirement]]\n")
    kept = [text for text in requirements if any(f'id = "{id_}' in text for id_ in _KEPT)]
    kept = [
        text.replace('probe = "signalling"\n', 'probe = "signalling"\noptions = { requests = 1 }\n') for text in kept
    ]
    path = folder / f"{name}.toml"
    path.write_text("[[requirement]]\n".join([head, *kept]))
    return path
