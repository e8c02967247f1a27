"""Probes measure and never judge. Each file asks one question; this table names them all."""

from gosip_check.probes import (
    firewall_rtp,
    host,
    interface,
    large_sip,
    media,
    nat,
    path,
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
        firewall_rtp.PROBE,
        large_sip.PROBE,
        nat.PROBE,
        host.PROBE,
        interface.PROBE,
        media.PROBE,
    )
}
