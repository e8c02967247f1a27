"""Probes measure and never judge. Each file asks one question; this table names them all."""

from typing import Any

from gosip_check.probes.account import registration
from gosip_check.probes.alg import rewriting
from gosip_check.probes.dns import srv
from gosip_check.probes.edge import device
from gosip_check.probes.firewall import management, port_range, rtp
from gosip_check.probes.host import interface, machine, ntp
from gosip_check.probes.lines import redundancy
from gosip_check.probes.media import channels, qos
from gosip_check.probes.nat import binding_lifetime, fixed_address, other_site, translation
from gosip_check.probes.path import hops, mtu, stand_in
from gosip_check.probes.pbx import (
    failover,
    incoming,
    keepalive,
    names,
    outgoing,
    refusals,
    renewal,
    sessions,
    transport,
)
from gosip_check.probes.pbx import media as pbx_media
from gosip_check.probes.pbx import registration as pbx_registration
from gosip_check.probes.probe import Probe
from gosip_check.probes.sip import large, signalling

RENAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "sip_answers": ("sip_rewriting", {"answers_only": True}),
}
"Names in checklists and reports of earlier versions: the probe of today, and the options that make it the same."

PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        srv.PROBE,
        hops.PROBE,
        stand_in.PROBE,
        signalling.PROBE,
        rewriting.PROBE,
        port_range.PROBE,
        rtp.PROBE,
        large.PROBE,
        translation.PROBE,
        fixed_address.PROBE,
        other_site.PROBE,
        binding_lifetime.PROBE,
        management.PROBE,
        mtu.PROBE,
        ntp.PROBE,
        registration.PROBE,
        redundancy.PROBE,
        device.PROBE,
        machine.PROBE,
        interface.PROBE,
        channels.PROBE,
        qos.PROBE,
        names.PROBE,
        pbx_registration.PROBE,
        renewal.PROBE,
        refusals.PROBE,
        keepalive.PROBE,
        outgoing.PROBE,
        transport.PROBE,
        pbx_media.PROBE,
        sessions.PROBE,
        incoming.PROBE,
        failover.PROBE,
    )
}
