"""Probes measure and never judge. Each file asks one question; this table names them all."""

from gosip_check.probes import host, interface, media, signalling, srv
from gosip_check.probes.probe import Probe

PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        srv.PROBE,
        signalling.PROBE,
        host.PROBE,
        interface.PROBE,
        media.PROBE,
    )
}
