"""The provider's keep-alives while the account is registered: Kamailio's OPTIONS from both of its sites, through NATs
that let in one of them or both. The whole wait, against what tcpdump saw: tests/bench/bench_keep_alives.py.
"""

import signal
import time

from .edges import LET_ALL_IN
from .keep_alives import bound_run, came_of
from .machine import machine
from .site import site
from .states import SITES


def test_keep_alives_of_each_site_and_a_run_that_is_stopped() -> None:
    """One run to its end; one with another NAT that is stopped as soon as both have come, minutes before its end."""
    with site() as lab, machine() as at:
        lab.enter("ready")
        kamailio = lab.kamailio
        kamailio.register("none")
        lab.run("lan", bound_run(at, 1), check=False, timeout_s=60)
        verdict, facts = came_of(at)
        assert (verdict["outcome"], facts["keepalive_arrives"], facts["keep_alives"]) == ("unknown", None, [])
        assert "None came in 1 s, and the provider's interval is not published." in verdict["reason"]

        for every_s, address in zip((2, 3), SITES, strict=True):
            kamailio.keep_alive(every_s, address)
        lab.run("lan", bound_run(at, 7), check=False, timeout_s=60)
        verdict, facts = came_of(at)
        sent, answered = kamailio.kept_alive()
        came = [each["address"] for each in facts["keep_alives"]]
        assert verdict["outcome"] == "pass"
        assert set(came) == {SITES[0]}, "the NAT lets in only whom was spoken to"
        assert len(came) >= 3
        assert len(came) >= sum(address == SITES[0] for address, _ in sent) - 1  # one may have come too late
        assert answered == [(SITES[0], 200)] * len(came)

        lab.nft("cpe", LET_ALL_IN)
        lab.flush()
        process = lab.rooms.start("lan", bound_run(at, 130), log := at.home() / "log")
        while {site for site, _ in kamailio.kept_alive()[1][len(answered) :]} != set(SITES):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        verdict, facts = came_of(at)
        assert verdict["outcome"] == "pass", verdict
        assert {each["address"] for each in facts["keep_alives"]} == set(SITES)
        assert kamailio.bindings() == []
