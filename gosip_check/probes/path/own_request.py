"""An OPTIONS of this program, with ids that no other one has. Text only; who sends it says where it goes."""

import secrets

from gosip_check import __version__
from gosip_check.wire import sip

VIA_NAME = "probe.invalid"
"A Via host that no SIP ALG takes for an address of its site."


def own_options(
    called: str,
    transport: str,
    host: str,
    port: int,
    *,
    via_host: str | None = None,
    rport: bool = True,
    body: bytes = b"",
) -> bytes:
    """called: the host of its URI. host, port: the socket's own. The rest as in `wire.sip.options_request`."""
    return sip.options_request(
        uri=f"sip:{called}",
        transport=transport,
        host=host,
        port=port,
        via_host=via_host,
        rport=rport,
        branch=f"z9hG4bK{secrets.token_hex(8)}",
        call_id=f"{secrets.token_hex(8)}@{host}",
        from_tag=secrets.token_hex(4),
        user_agent=f"gosip-check/{__version__}",
        body=body,
    )
