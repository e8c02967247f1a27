"""A Kamailio in a room: answers OPTIONS as it is told; a registrar with digest that counts what it receives.

On every address: 5060/UDP, 5061/TCP with TLS, and 5161/TCP plain, which a rule set of the room can put on 5061.
"""

import re
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
USER, PASSWORD = "35621000000", "pl4nted-Pa55word"
"The one account that it knows."

REGISTER_FAULTS: Mapping[str, int] = {
    "none": 0,
    "403 before the challenge": 1,
    "403 after the challenge": 2,
    "silent after the challenge": 3,
    "cut after the challenge": 4,
    "nonce stale once": 5,
    "nonce stale always": 6,
    "unknown algorithm first": 7,
    "no qop": 8,
    "two challenges in one field": 9,
    "a TAB behind Digest": 10,
    "407": 11,
    "no challenge": 12,
    "no challenge, and a port altered": 13,
    "423 for a contact": 14,
    "403 for a contact": 15,
    "503 after the challenge": 16,
    "200 without a contact": 17,
    "silent to a contact": 18,
    "silent to a contact, and to taking it back": 19,
}

_COUNTED = ("asked", "authenticated", "failed", "succeeded", "row", "worst", "bound")

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
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "tcpops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "rr.so"
loadmodule "uac.so"
loadmodule "rtimer.so"
loadmodule "xlog.so"
modparam("rtimer", "timer", "name=keep_alive;interval=1;mode=1;")
modparam("rtimer", "exec", "timer=keep_alive;route=KEEP_ALIVE")
modparam("ctl", "binrpc", "unix:{folder}/ctl")
modparam("tls", "certificate", "{folder}/certificate.pem")
modparam("tls", "private_key", "{folder}/key.pem")
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "one_time_nonce", {one_time})
modparam("registrar", "max_expires", 3600)
modparam("tls", "tls_method", "TLSv1.2+")
{variables}
request_route {{
    if (method == "ACK") {{
        exit;
    }}
    if ($shv(force_rport) == 1) {{
        force_rport();
    }}
    if (method == "REGISTER") {{
        if ($shv(fault) == 13 && is_present_hf("Contact")) {{
            subst('/^Contact: <sip:([^@]+)@([^:]+):[0-9]+/Contact: <sip:\\1@\\2:1234/ig');
            msg_apply_changes();
        }}
        if ($shv(fault) == 12 || $shv(fault) == 13) {{
            $shv(asked) = $shv(asked) + 1;
            save("location");
            exit;
        }}
        if ($shv(fault) == 11) {{
            if (!is_present_hf("Proxy-Authorization")) {{
                $shv(asked) = $shv(asked) + 1;
                proxy_challenge("{realm}", "1");
                exit;
            }}
            $shv(authenticated) = $shv(authenticated) + 1;
            pv_proxy_authenticate("{realm}", "{password}", "0");
            $var(came) = $rc;
            route(COUNT);
            if ($var(came) < 0) {{
                proxy_challenge("{realm}", "1");
                exit;
            }}
            save("location");
            exit;
        }}
        if (!is_present_hf("Authorization")) {{
            $shv(asked) = $shv(asked) + 1;
            if ($shv(fault) == 1) {{
                sl_send_reply("403", "Forbidden");
                exit;
            }}
            if ($shv(fault) == 7) {{
                append_to_reply("WWW-Authenticate: Digest realm=\\"r\\", nonce=\\"x\\", algorithm=SHAKE256\\r\\n");
            }}
            if ($shv(fault) == 5 || $shv(fault) == 6) {{
                append_to_reply("WWW-Authenticate: Digest realm=\\"{realm}\\", nonce=\\"$TV(u)\\"\\r\\n");
                sl_send_reply("401", "Unauthorized");
                exit;
            }}
            if ($shv(fault) == 8) {{
                auth_challenge("{realm}", "0");
                exit;
            }}
            if ($shv(fault) == 9 || $shv(fault) == 10) {{
                auth_get_www_authenticate("{realm}", "1", "$var(field)");
                if ($shv(fault) == 9) {{
                    $var(first) = "Digest realm=\\"r\\", nonce=\\"x\\", algorithm=SHAKE256, Digest ";
                }} else {{
                    $var(first) = "Digest\\t";
                }}
                append_to_reply("WWW-Authenticate: $var(first)$(var(field){{s.substr,25,0}})");
                sl_send_reply("401", "Unauthorized");
                exit;
            }}
            auth_challenge("{realm}", "1");
            exit;
        }}
        $shv(authenticated) = $shv(authenticated) + 1;
        pv_www_authenticate("{realm}", "{password}", "0");
        $var(came) = $rc;
        if ($var(came) < 0) {{
            route(COUNT);
        }}
        switch ($shv(fault)) {{
            case 2:
                append_to_reply("Warning: 399 trunk \\"not from here\\"\\r\\n");
                sl_send_reply("403", "Forbidden");
                exit;
            case 16:
                sl_send_reply("503", "Service Unavailable");
                exit;
            case 3:
                exit;
            case 4:
                tcp_close_connection();
                exit;
            case 5:
                $shv(fault) = 0;
                auth_challenge("{realm}", "17");
                exit;
            case 6:
                append_to_reply("WWW-Authenticate: Digest realm=\\"{realm}\\", nonce=\\"$TV(u)\\", stale=true\\r\\n");
                sl_send_reply("401", "Unauthorized");
                exit;
        }}
        if ($var(came) < 0) {{
            auth_challenge("{realm}", "1");
            exit;
        }}
        route(COUNT);
        if (is_present_hf("Contact") && $hdr(Expires) != "0") {{
            switch ($shv(fault)) {{
                case 14:
                    append_to_reply("Min-Expires: 600\\r\\n");
                    sl_send_reply("423", "Interval Too Brief");
                    exit;
                case 15:
                    append_to_reply("Warning: 399 trunk \\"the only contact is taken\\"\\r\\n");
                    sl_send_reply("403", "Forbidden");
                    exit;
                case 17:
                    save("location", "0x02");
                    sl_send_reply("200", "OK");
                    exit;
                case 18:
                case 19:
                    save("location", "0x02");
                    $shv(bound) = $shv(bound) + 1;
                    exit;
            }}
        }}
        if (is_present_hf("Contact") && $shv(fault) == 19) {{
            exit;
        }}
        append_to_reply("Service-Route: <sip:217.22.184.27:5060;lr>\\r\\n");
        save("location");
        exit;
    }}
{routes}
}}

# Each site of the provider asks every so many seconds whether the contact of the one account lives.
route[KEEP_ALIVE] {{
    if (reg_fetch_contacts("location", "sip:{user}@{realm}", "held")) {{
        $shv(second) = $shv(second) + 1;
{keep_alives}
    }}
}}

event_route[uac:reply] {{
    xlog("L_WARN", "keep-alive answered $uac_req(evcode) to $uac_req(evparam)\n");
}}

# $var(came): what the digest came to. -2 is a wrong password; a nonce that is used up, or not ours, is another number.
route[COUNT] {{
    if ($var(came) == -2) {{
        $shv(failed) = $shv(failed) + 1;
        $shv(row) = $shv(row) + 1;
        if ($shv(row) > $shv(worst)) {{
            $shv(worst) = $shv(row);
        }}
    }}
    if ($var(came) > 0) {{
        $shv(succeeded) = $shv(succeeded) + 1;
        $shv(row) = 0;
    }}
}}
"""

_ROUTE = """    if ($Ri == "{address}") {{
        if ($shv(status{number}) > 0) {{
            sl_send_reply("$shv(status{number})", "$shv(reason{number})");
        }}
        exit;
    }}"""


_KEEP_ALIVE = """        if ($shv(every{number}) > 0 && $shv(second) mod $shv(every{number}) == 0) {{
            $uac_req(method) = "OPTIONS";
            $uac_req(ruri) = $(ulc(held=>addr)[0]);
            $uac_req(furi) = "sip:ping@{address}";
            $uac_req(turi) = "sip:{user}@{realm}";
            $uac_req(sock) = "udp:{address}:5060";
            $uac_req(evroute) = 1;
            $uac_req(evparam) = "{address}";
            xlog("L_WARN", "keep-alive sent from {address} at $TV(Sn)\n");
            uac_req_send();
        }}"""


class Kamailio:
    """`answer()` may be called at any time; the next request sees it."""

    def __init__(
        self,
        rooms: Rooms,
        room: str,
        addresses: Sequence[str],
        certificate_names: Sequence[str],
        algorithm: str = "MD5",
        one_time_nonces: bool = False,
    ) -> None:
        self.room, self.addresses = room, list(addresses)
        self._rooms = rooms
        self._algorithm, self._one_time_nonces = algorithm, one_time_nonces
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

    def force_rport(self, force: bool) -> None:
        """Answer at the port that a request came from, also where nobody asked for that."""
        self._set("force_rport", "int", str(int(force)))

    def keep_alive(self, every_s: int, address: str) -> None:
        """From this address, send OPTIONS to whatever is bound, every so many seconds; 0: none."""
        self._set(f"every{self.addresses.index(address)}", "int", str(every_s))

    def register(self, fault: str) -> None:
        """Deal with REGISTER like this (REGISTER_FAULTS) from now on, count from nothing, and hold no binding."""
        control = f"unix:{self._folder}/ctl"
        self._rooms.run(self.room, ["kamcmd", "-s", control, "ul.rm", "location", f"s:{USER}"], check=False)
        self.meet(fault)
        for name in _COUNTED:
            self._set(name, "int", "0")

    def meet(self, fault: str) -> None:
        """Deal with REGISTER like this from now on, and go on counting."""
        self._set("fault", "int", str(REGISTER_FAULTS[fault]))

    def count(self, name: str) -> int:
        """REGISTER received: `asked` without credentials, `authenticated` with; of these `failed`, `succeeded`.

        Failures in a row: `row` now, `worst` at any time. `bound`: contacts that were stored in silence.
        """
        control = f"unix:{self._folder}/ctl"
        said = self._rooms.run(self.room, ["kamcmd", "-s", control, "pv.shvGet", name]).stdout
        return int(re.findall(r"\d+", said)[-1])

    def bindings(self) -> list[str]:
        """The contacts that it holds for anybody."""
        control = f"unix:{self._folder}/ctl"
        return re.findall(
            r"Address: (\S+?)(?:;\S*)?\s", self._rooms.run(self.room, ["kamcmd", "-s", control, "ul.dump"]).stdout
        )

    def kept_alive(self) -> tuple[list[tuple[str, float]], list[tuple[str, int]]]:
        """The OPTIONS of `keep_alive()`, from which address and at which Unix time; and what came of each, in order."""
        sent = re.findall(r"keep-alive sent from (\S+) at ([\d.]+)", self.log())
        answered = re.findall(r"keep-alive answered (\d+) to (\S+)", self.log())
        return [(address, float(at_s)) for address, at_s in sent], [(address, int(code)) for code, address in answered]

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
        zero = ["fault", "force_rport", "second", *_COUNTED, *(f"every{n}" for n, _ in numbered)]
        variables += [f'modparam("pv", "shvset", "{name}=i:0")' for name in zero]
        return _CONFIG.format(
            folder=self._folder,
            realm=REALM,
            user=USER,
            password=PASSWORD,
            algorithm=self._algorithm,
            one_time=int(self._one_time_nonces),
            listen="\n".join(listen),
            variables="\n".join(variables),
            keep_alives="\n".join(
                _KEEP_ALIVE.format(address=address, number=n, user=USER, realm=REALM) for n, address in numbered
            ),
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
