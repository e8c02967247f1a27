"""Is the edge device short of processor or memory while calls run? Read by SNMP during the media load, never before it.

Reads only. Needs the extra `snmp` and an access file. RFC 3416 (v2c), RFC 3414 (v3).
"""

import asyncio
import importlib.util
import itertools
import socket
from ipaddress import ip_address
from typing import Any

from gosip_check.probes import probe
from gosip_check.probes.dns.names import address_of
from gosip_check.probes.edge.access import EdgeAccess, read_access
from gosip_check.probes.edge.tables import TABLES, Walked, busy_pct, memory_used_pct
from gosip_check.probes.net import interfaces, peers, sockets
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind

_TIMEOUT_S = 2.0
_PAUSE_S = 5.0
"net-snmp looks at its processor's ticks so often; reading faster shows nothing new."
_MOST_ROWS = 4096


class Options(probe.Options, frozen=True):
    """edge_snmp: the access file. reflector: without one there is no media load to read under."""

    edge_snmp: str | None = None
    reflector: str | None = None


class Facts(probe.Facts, frozen=True):
    """The most that was seen while media ran; None without a load, or where the device does not tell.

    under_load: media ran meanwhile. readings: how often the device was asked.
    """

    host: str
    under_load: bool
    readings: int
    cpu_pct: float | None
    memory_used_pct: float | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: unsupported without access or the extra, timeout when the device does not answer."""
    if options.edge_snmp is None:
        words = "The edge device was not asked; --edge-snmp FILE says how it can be read by SNMP."
        raise ProbeFailed(FailureKind.UNSUPPORTED, words)
    try:
        access = read_access(options.edge_snmp)
    except ValueError as error:
        raise ProbeFailed(FailureKind.PERMISSION, f"{options.edge_snmp}: {error}") from error
    if importlib.util.find_spec("pysnmp") is None:
        words = "Reading the edge device needs pysnmp: pip install 'gosip-check[snmp]'."
        raise ProbeFailed(FailureKind.UNSUPPORTED, words)
    address = _address(access.host, context)
    line = interfaces.way_to(address, context.link)
    if line is None:
        words = f"{access.host} stands beside another interface than {context.link.interface}: it is not on this line."
        raise ProbeFailed(FailureKind.UNSUPPORTED, words)
    context.say(f"SNMP: processor and memory of {access.host}")
    under_load = context.beside is not None and options.reflector is not None
    with sockets.udp_socket(line, sockets.family_of(address), icmp_errors=False) as sock:
        readings = asyncio.run(_read_while_it_runs(access, (address, access.port), sock, context))
    loads = [found for pair in itertools.pairwise(readings) if (found := busy_pct(*pair)) is not None]
    memories = [found for reading in readings if (found := memory_used_pct(reading)) is not None]
    cpu, memory = max(loads, default=None), max(memories, default=None)
    return Facts(
        host=access.host,
        under_load=under_load,
        readings=len(readings),
        cpu_pct=round(cpu[0], 1) if cpu and under_load else None,
        memory_used_pct=round(memory[0], 1) if memory and under_load else None,
        evidence={
            "cpu_pct": _words(access.host, "processor", cpu, under_load, len(readings)),
            "memory_used_pct": _words(access.host, "memory", memory, under_load, len(readings)),
        },
    )


def _address(host: str, context: Context) -> str:
    """Raises ProbeFailed where a name has none, or where nothing beyond this machine may be asked."""
    if context.link.is_loopback:
        peers.refuse_elsewhere(host)
    try:
        return str(ip_address(host))
    except ValueError:
        return address_of(context, host)


def _words(host: str, what: str, found: tuple[float, str] | None, under_load: bool, count: int) -> str:
    if found is None:
        return f"{host} answers SNMP, but tells nothing of its {what} in the tables that are known."
    read = f"{found[0]:.0f} % of the {what} of {host} in use at most, in {count} readings ({found[1]})"
    if under_load:
        return f"{read} while media ran."
    return f"{read}, but no media ran meanwhile: with --reflector it would be known how it is under load."


async def _read_while_it_runs(
    access: EdgeAccess, place: tuple[str, int], sock: socket.socket, context: Context
) -> list[Walked]:
    """A reading now, one every few seconds until what this accompanies has ended, and one then."""
    from pysnmp.hlapi.v3arch.asyncio import SnmpEngine

    engine = SnmpEngine()
    try:
        target = await _target(place, sock)
        readings = [await _read(engine, access, target)]
        over = False
        while not over:
            waited_s = 0.0
            while waited_s < _PAUSE_S and not over:
                context.check()
                await asyncio.sleep(0.1)
                waited_s += 0.1
                over = context.beside is not None and context.beside.is_set()
            readings.append(await _read(engine, access, target))
            over = over or context.beside is None
        return readings
    finally:
        engine.close_dispatcher()


async def _target(place: tuple[str, int], sock: socket.socket) -> Any:
    """Where to send, by a socket of ours: pysnmp's own would be bound to no link. It closes the socket in the end."""
    from pysnmp.hlapi.v3arch import asyncio as snmp

    class OverLink(snmp.Udp6TransportTarget if ":" in place[0] else snmp.UdpTransportTarget):  # type: ignore[misc]
        def open_client_mode(self) -> Any:
            self.transport = self.PROTO_TRANSPORT().open_server_mode(sock=sock)
            return self.transport

    return await OverLink.create(place, timeout=_TIMEOUT_S, retries=1)


async def _read(engine: Any, access: EdgeAccess, target: Any) -> Walked:
    from pyasn1.type.univ import Integer
    from pysnmp.hlapi.v3arch import asyncio as snmp

    found: dict[str, int | str] = {}
    for table in TABLES:
        rows = snmp.bulk_walk_cmd(
            engine,
            _credentials(access),
            target,
            snmp.ContextData(),
            0,
            25,
            snmp.ObjectType(snmp.ObjectIdentity(table)),
            lexicographicMode=False,
            lookupMib=False,
        )
        async for trouble, status, _, bindings in rows:
            if trouble:
                place = f"{access.host}:{access.port}"
                words = f"{place} gives no answer by SNMP ({trouble}): look at its address, access and ACL."
                raise ProbeFailed(FailureKind.PERMISSION, words)
            if status or len(found) > _MOST_ROWS:
                break
            for oid, value in bindings:
                found[str(oid)] = int(value) if isinstance(value, Integer) else str(value)
    return found


def _credentials(access: EdgeAccess) -> Any:
    from pysnmp.hlapi.v3arch import asyncio as snmp

    if access.version == "2c":
        return snmp.CommunityData(access.community, mpModel=1)
    auth = {
        "MD5": snmp.USM_AUTH_HMAC96_MD5,
        "SHA": snmp.USM_AUTH_HMAC96_SHA,
        "SHA-256": snmp.USM_AUTH_HMAC192_SHA256,
        "SHA-512": snmp.USM_AUTH_HMAC384_SHA512,
    }[access.auth_protocol]
    privacy = {"DES": snmp.USM_PRIV_CBC56_DES, "AES": snmp.USM_PRIV_CFB128_AES}[access.privacy_protocol]
    return snmp.UsmUserData(
        access.user,
        authKey=access.auth_key or None,
        privKey=access.privacy_key or None,
        authProtocol=auth if access.auth_key else snmp.USM_AUTH_NONE,
        privProtocol=privacy if access.privacy_key else snmp.USM_PRIV_NONE,
    )


PROBE = Probe(
    "edge",
    Options,
    Facts,
    measure,
    subject=lambda options: "the edge device by SNMP",
    beside="media",
    deadline_s=3600.0,
)
