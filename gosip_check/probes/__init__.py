"""Probes measure and never judge. Each file asks one question; this table names them all."""

from gosip_check.probes import (
    edge,
    host,
    interface,
    management,
    ntp,
    path_mtu,
    redundancy,
    registration,
    signalling,
    srv,
)
from gosip_check.probes.probe import Probe

PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        srv.PROBE,
        signalling.PROBE,
        management.PROBE,
        path_mtu.PROBE,
        ntp.PROBE,
        registration.PROBE,
        redundancy.PROBE,
        edge.PROBE,
        host.PROBE,
        interface.PROBE,
    )
}
