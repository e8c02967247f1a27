"""Probes measure and never judge. Each file asks one question; this table names them all."""

from gosip_check.probes import (
    binding_lifetime,
    edge,
    firewall_rtp,
    host,
    interface,
    large_sip,
    management,
    media,
    nat,
    ntp,
    path,
    path_mtu,
    port_range,
    redundancy,
    registration,
    signalling,
    sip_answers,
    sip_rewriting,
    srv,
)
from gosip_check.probes.probe import Probe

PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        srv.PROBE,
        path.PROBE,
        signalling.PROBE,
        sip_rewriting.PROBE,
        sip_answers.PROBE,
        port_range.PROBE,
        firewall_rtp.PROBE,
        large_sip.PROBE,
        nat.PROBE,
        binding_lifetime.PROBE,
        management.PROBE,
        path_mtu.PROBE,
        ntp.PROBE,
        registration.PROBE,
        redundancy.PROBE,
        edge.PROBE,
        host.PROBE,
        interface.PROBE,
        media.PROBE,
    )
}
