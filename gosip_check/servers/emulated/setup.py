"""What is entered in an emulated PBX, and how it fills in the texts of its behaviour."""

from dataclasses import dataclass

from gosip_check.heard import Place
from gosip_check.servers.emulated.behaviour import Behaviour
from gosip_check.servers.rehearsal.rehearsal import Slip
from gosip_check.wire import digest


@dataclass(frozen=True)
class Setup:
    """here: address and port of the PBX. sites: the trunk's, best first."""

    slip: Slip
    behaviour: Behaviour
    here: Place
    sites: tuple[Place, Place]

    def filled(self, text: str, site: Place, **more: str) -> str:
        """With the names of behaviour.py, and more of them."""
        return text.format(
            domain=self.slip.domain,
            user=self.slip.user,
            national=self.slip.numbers[0],
            here=f"{self.here[0]}:{self.here[1]}",
            site=site[0],
            **more,
        )

    def authorization(self, challenge: digest.Challenge, method: str, uri: str, site: Place, count: int) -> str:
        """The answer to a challenge."""
        password = self.slip.password if self.behaviour.knows_password else "of the provider"
        named_uri = self.filled(self.behaviour.digest_uri, site, uri=uri)
        return digest.authorization(challenge, self.slip.user, password, method, named_uri, "c0ffee", count)
