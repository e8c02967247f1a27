"""A router that lets a few SIP requests a second out: one report says one thing of it. The limit is nftables' own."""

import pytest

from .rulesets import forward
from .site import Lab
from .tool import run_tool, verdict_of


@pytest.mark.parametrize("limit", ["2/second burst 2 packets", "1/second burst 4 packets"])
def test_no_report_says_that_no_sip_leaves_where_servers_answer(fresh: Lab, limit: str) -> None:
    fresh.enter("ready")
    fresh.nft("cpe", forward(f'iifname "to-lan" udp dport 5060 limit rate over {limit} drop'))
    fresh.flush()
    report = run_tool(
        fresh, "run", "--skip", "media.*", "--skip", "edge.*", "--skip", "firewall.rtp", "--skip", "nat.*"
    )
    assert verdict_of(report, "firewall.signalling")["outcome"] == "pass"
    alg = verdict_of(report, "alg.absent")
    assert alg["outcome"] in ("unknown", "pass"), alg
    for sentence in ("lets no SIP out", "let none of these", "Open the port"):
        assert sentence not in alg["reason"], alg
