"""The Customer Compliance Form."""

from gosip_check.records.base import Record


class Equipment(Record, frozen=True):
    """One device on the Customer Compliance Form."""

    vendor: str = ""
    model: str = ""
    release: str = ""


class InternetLine(Record, frozen=True):
    """One internet service on the Customer Compliance Form.

    interface, address, public_address, measured_speed: as found at the site.
    """

    service_identifier: str = ""
    speed: str = ""
    "Free text, as on the paper form."
    comments: str = ""
    fixed_address: str = ""
    "A public address that never changes, for the provider to whitelist. Empty: it may change."
    interface: str = ""
    address: str = ""
    public_address: str = ""
    measured_speed: str = ""


class SecondTrunk(Record, frozen=True):
    """A second trunk of the same customer. `use`: overflow or load-sharing; empty where one trunk is ordered."""

    use: str = ""
    channels: str = ""
    link: str = ""
    comments: str = ""


class Form(Record, frozen=True):
    """The provider's Customer Compliance Form. Empty text means: not filled in.

    discovered: names of fields, such as `router.vendor`, that the tool found at the site and nobody has confirmed.
    """

    company_name: str = ""
    contact: str = ""
    contact_number: str = ""
    comments: str = ""
    pbx: Equipment = Equipment()
    router: Equipment = Equipment()
    firewall: Equipment = Equipment()
    internet_1: InternetLine = InternetLine()
    internet_2: InternetLine = InternetLine()
    second_trunk: SecondTrunk = SecondTrunk()
    discovered: list[str] = []

    @property
    def not_filled_in(self) -> list[str]:
        """The fields that the provider needs and that are empty."""
        missing = [name for name in ("company_name", "contact", "contact_number") if not getattr(self, name).strip()]
        missing += [f"pbx.{name}" for name in ("vendor", "model", "release") if not getattr(self.pbx, name).strip()]
        if not self.router.vendor.strip() and not self.firewall.vendor.strip():
            missing.append("router.vendor or firewall.vendor")
        if not self.internet_1.service_identifier.strip():
            missing.append("internet_1.service_identifier")
        return missing
