"""An emulated PBX, for the demo and the tests: it registers, answers keep-alives, and takes and makes calls.

It behaves as the guide wants, or with one fault (`behaviour`). It proves that the rehearsal's logic holds
together, never that its wire formats are right: for that the tests have PBXs that nobody here wrote.
"""

from gosip_check.heard import Place
from gosip_check.servers.emulated.agent import Agent
from gosip_check.servers.emulated.behaviour import Behaviour
from gosip_check.servers.emulated.calls import Calls, Talk
from gosip_check.servers.emulated.names import Resolver
from gosip_check.servers.emulated.registration import Registration
from gosip_check.servers.emulated.setup import Setup
from gosip_check.servers.rehearsal.phases import Phase
from gosip_check.servers.rehearsal.rehearsal import Slip
from gosip_check.servers.rehearsal.scripts import ABROAD_DIALLED, LOCAL
from gosip_check.servers.virtual import Script, VirtualWorld, Wait
from gosip_check.wire.sip import Request

_SIP_PORT = 5060
_STARTS_AFTER_S, _DIALS_AFTER_S = 2.0, 2.0

_TALKS = {
    "incoming": Talk(presses="123", holds=True, ends_after_s=8.0),
    "routing": Talk(answers=False),
    "site-b-call": Talk(answers=False),
    "forward": Talk(answers=False),
    "outgoing": Talk(presses="123"),
    "withheld": Talk(ends_after_s=2.0),
    "transfer": Talk(transfers_to=ABROAD_DIALLED),
    "outgoing-international": Talk(ends_after_s=3.0),
    "a-silent": Talk(ends_after_s=3.0),
}
"Phase -> what the installer does in its calls."
_DIALS = {
    "outgoing": LOCAL,
    "withheld": LOCAL,
    "session-refresh": LOCAL,
    "transfer": LOCAL,
    "outgoing-international": ABROAD_DIALLED,
    "a-silent": LOCAL,
}
"Phase -> the number that he dials in it."


class EmulatedPbx:
    """It starts at once. sites: what is entered in place of the trunk's name, for a fault; best first."""

    def __init__(
        self,
        world: VirtualWorld,
        address: str,
        dns_place: Place,
        sites: tuple[Place, Place],
        slip: Slip,
        behaviour: Behaviour,
    ) -> None:
        self._setup = Setup(slip, behaviour, (address, _SIP_PORT), sites)
        self._agent = Agent(world, self._setup.here, self._heard, asks_rport=behaviour.asks_rport)
        self._resolver = Resolver(world, self._setup, dns_place, self._agent.scripts)
        self._registration = Registration(self._agent, self._setup, self._resolver)
        self._calls = Calls(world, self._agent, self._setup, self._registration)
        self._world = world
        world.after(_STARTS_AFTER_S, self._registration.switch_on)
        if behaviour.own_options_every_s is not None:
            self._agent.scripts.begin(self._keep_asking(behaviour.own_options_every_s))

    def close(self) -> None:
        """It is gone from the network."""
        self._agent.close()
        self._resolver.close()

    def began(self, phase: Phase) -> None:
        """What the installer does when the rehearsal says that a phase begins."""
        self._registration.goes_to_and_fro = phase.name == "a-back"
        self._calls.talk = _TALKS.get(phase.name, Talk())
        self._calls.forwards_to = LOCAL if phase.name == "forward" else ""
        if phase.name in _DIALS:
            number, withheld = _DIALS[phase.name], phase.name == "withheld"
            self._world.after(_DIALS_AFTER_S, lambda: self._calls.dial(number, withheld=withheld))
        if phase.name == "trunk-off":
            self._registration.switch_off()
        elif phase.refuses is not None:
            self._registration.switch_on()

    def says(self, question: str) -> bool | None:
        """What the installer says when he is asked; None: nothing."""
        if self._setup.behaviour.says_nothing:
            return None
        return question != self._setup.behaviour.says_no_to

    def _heard(self, request: Request, peer: Place) -> None:
        behaviour = self._setup.behaviour
        if peer == self._setup.sites[1] and not behaviour.trusts_site_b:
            self._agent.answer(request, peer, 403, "Forbidden")
        elif request.method == "OPTIONS":
            status = behaviour.answers_options
            if status is not None:
                self._agent.answer(request, peer, status, "OK" if status == 200 else "Not Found")
        elif request.method == "INVITE" and request.to.tag is None:
            self._calls.take(request, peer)
        else:
            self._calls.within(request, peer)

    def _keep_asking(self, every_s: float) -> Script[None]:
        """OPTIONS of its own."""
        setup = self._setup
        while True:
            sites = yield from self._resolver.sites()
            for site in sites if setup.behaviour.own_options_to == "every-site" else setup.sites[:1]:
                uri = f"sip:{setup.slip.domain}"
                fields = [
                    ("From", setup.filled("<sip:{user}@{domain}>;tag=", site) + self._agent.token()),
                    ("To", f"<{uri}>"),
                    ("Call-ID", self._agent.token()),
                    ("CSeq", "1 OPTIONS"),
                ]
                self._agent.scripts.begin(self._agent.ask(self._agent.request("OPTIONS", uri, fields), site))
            yield Wait(every_s)
