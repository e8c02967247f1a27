"""A Kamailio in a room: answers OPTIONS as it is told, challenges every REGISTER, knows no user.

On every address: 5060/UDP, 5061/TCP with TLS, and 5161/TCP plain, which a rule set of the room can put on 5061.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .namespaces import Rooms

TLS_PORT = 5061
PLAIN_PORT = 5161
MANAGEMENT = ("40.130.246.217", "40.130.246.218")
"Where the provider manages gateways from; here it accepts connections, and that is all."
REALM = "trunk.gotel.com.mt"
SILENCE = 0

REASONS: Mapping[int, str] = {200: "OK", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}

_READY_WITHIN_S = 10.0

# Without the first three lines Kamailio looks up names for a minute before it starts in a room that has no resolver.
_CONFIG = """#!KAMAILIO
dns=no
rev_dns=no
auto_aliases=no
dns_cache_init=off
log_stderror=yes
children=1
tcp_children=1
enable_tls=yes
{listen}
loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "auth.so"
loadmodule "tls.so"
modparam("ctl", "binrpc", "unix:{folder}/ctl")
modparam("tls", "certificate", "{folder}/certificate.pem")
modparam("tls", "private_key", "{folder}/key.pem")
modparam("auth", "algorithm", "MD5")
modparam("tls", "tls_method", "TLSv1.2+")
{variables}
request_route {{
    if (method == "ACK") {{
        exit;
    }}
    if (method == "REGISTER") {{
        auth_challenge("{realm}", "1");
        exit;
    }}
{routes}
}}
"""

_ROUTE = """    if ($Ri == "{address}") {{
        if ($shv(status{number}) > 0) {{
            sl_send_reply("$shv(status{number})", "$shv(reason{number})");
        }}
        exit;
    }}"""


class Kamailio:
    """`answer()` may be called at any time; the next request sees it."""

    def __init__(self, rooms: Rooms, room: str, addresses: Sequence[str], certificate_names: Sequence[str]) -> None:
        self.room, self.addresses = room, list(addresses)
        self._rooms = rooms
        self._folder = rooms.folder / "kamailio"
        self._folder.mkdir()
        self._make_certificate(certificate_names)
        config = self._folder / "kamailio.cfg"
        config.write_text(self._config())
        argv = ["kamailio", "-DD", "-E", "-m", "16", "-M", "4", "-f", str(config)]
        argv += ["-P", str(self._folder / "pid"), "-Y", str(self._folder)]
        self._process = rooms.start(room, argv, self._folder / "log")
        self._wait_until_it_answers()

    def answer(self, status: int, address: str | None = None) -> None:
        """Answer OPTIONS with this status (or SILENCE), at one address or at all of them."""
        for number, own in enumerate(self.addresses):
            if address in (None, own):
                self._set(f"status{number}", "int", str(status))
                self._set(f"reason{number}", "str", REASONS.get(status, "No Comment"))

    def _set(self, variable: str, kind: str, value: str) -> None:
        control = f"unix:{self._folder}/ctl"
        self._rooms.run(self.room, ["kamcmd", "-s", control, "pv.shvSet", variable, kind, value])

    def _config(self) -> str:
        numbered = list(enumerate(self.addresses))
        listen = [
            f"listen={transport}:{address}:{port}"
            for address in self.addresses
            for transport, port in (("udp", 5060), ("tls", TLS_PORT), ("tcp", PLAIN_PORT))
        ]
        listen += [f"listen=tcp:{address}:{port}" for address in MANAGEMENT for port in (22, 443)]
        variables = [f'modparam("pv", "shvset", "status{n}=i:200")' for n, _ in numbered]
        variables += [f'modparam("pv", "shvset", "reason{n}=s:OK")' for n, _ in numbered]
        return _CONFIG.format(
            folder=self._folder,
            realm=REALM,
            listen="\n".join(listen),
            variables="\n".join(variables),
            routes="\n".join(_ROUTE.format(address=address, number=n) for n, address in numbered),
        )

    def _make_certificate(self, names: Sequence[str]) -> None:
        argv = ["openssl", "req", "-x509", "-nodes", "-days", "30"]
        argv += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        argv += ["-keyout", str(self._folder / "key.pem"), "-out", str(self._folder / "certificate.pem")]
        argv += ["-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
        self._rooms.run(self.room, argv)

    def _wait_until_it_answers(self) -> None:
        """Ask every listener, with others' tools. Raises RuntimeError, with the server's log, if one stays silent."""
        for address in self.addresses:
            for argv in (
                ["sipsak", "-D", "1", "-s", f"sip:{address}:5060"],
                ["sipsak", "-D", "1", "-E", "tcp", "-s", f"sip:{address}:{PLAIN_PORT}"],
                ["openssl", "s_client", "-connect", f"{address}:{TLS_PORT}"],
            ):
                give_up = time.monotonic() + _READY_WITHIN_S
                while self._rooms.run(self.room, argv, check=False).returncode != 0:
                    if time.monotonic() > give_up:
                        raise RuntimeError(f"Kamailio never answered `{' '.join(argv)}`:\n{self.log()}")
                    time.sleep(0.05)

    def log(self) -> str:
        """What the server wrote, for a failing test."""
        return Path(self._folder / "log").read_text(errors="replace")
