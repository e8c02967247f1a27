"""Which maker a MAC address belongs to: a short table of makers of routers, firewalls and PBXs. Data, and one look-up.

The first 24 bits of a MAC address are assigned by the IEEE to a maker. A device may show another maker's address, or
one that it made up, so this is a hint for a person to confirm and never a fact.
"""

_PREFIXES = {
    "AudioCodes": "0005E7 001719",
    "AVM": (
        "00040E 00150C 001A4F 001B4E 001C4A 001F3F 0024FE 0896D7 1CED6F 246511 2C3AFD 2C91AB 3431C4 3481C4 "
        "3810D5 3C3712 3CA62F 444E6D 50E636 5C4979 74427F 7CFF4D 989BCB 9CC7A6 B0F208 BC0543 C02506 C80E14 "
        "CCCE1E D012CB DC15C8 DC396F E0286D E8DF70 F0B014"
    ),
    "Cisco Meraki": (
        "00180A 0C7BC8 0C8DDB 149F43 2C3F0B 3456FE 388479 4CC8A1 683A1E 684992 6CDEA9 881544 981888 A8469D "
        "AC17C8 ACD31D B80756 BCDB09 C48BA3 CC03D9 CC9C3E E0553D E0CBBC E455A8 F89E28"
    ),
    "DrayTek": "001DAA 00507F 1449BC",
    "Fortinet": "00090F 000CE6 04D590 085B0E 704CA5 906CAC 94F392 94FF3C AC712E D476A0 E023FF E81CBA E8EDD6",
    "Grandstream": "000B82 C074AD EC74D7",
    "innovaphone": "009033",
    "LANCOM": "00A057",
    "MikroTik": (
        "000C42 085531 18FD74 2CC81B 488F5A 4C5E0C 64D154 6C3B6B 744D28 B869F4 C4AD34 CC2DE0 D4CA6D DC2C6E E48D8C"
    ),
    "Palo Alto Networks": (
        "001B17 00869C 080342 08306B 08661F 240B0A 34E5EC 58493B 5C58E6 647CE8 786D94 7C89C1 84D412 8C367A "
        "945641 B40C25 C42456 D41D71 D49CF4 D4F4BE DC0E96 E4A749 E8986D EC6881 FC101A"
    ),
    "Patton": "00A0BA",
    "Peplink": "00116E 1056CA D413F8",
    "Sangoma": "005058",
    "Snom": "000413",
    "SonicWall": "0006B1 0017C5 18B169 18C241 2CB8ED C0EAE4",
    "Sophos": "001A8C 7C5A1C C84F86",
    "Teltonika": "001E42 388A21 7CD9F4",
    "Ubiquiti": (
        "00156D 002722 0418D6 18E829 245A4C 24A43C 44D9E7 602232 687251 68D79A 70A741 7483C2 74ACB9 784558 "
        "788A20 802AA8 942A6F AC8BA9 B4FBE4 D021F9 DC9FDB E063DA E43883 F09FC2 F492BF F4E2C6 FCECDA"
    ),
    "WatchGuard": "000121 001D96 00907F",
    "Yealink": "001565 249AD8 805E0C 805EC0",
    "Zyxel": (
        "001349 0019CB 0023F8 00A0C5 04BF6D 082697 1071B3 107BEF 1C740D 28285D 404A03 4C9EFF 4CC53E 5067F0 "
        "50E039 54833A 588BF3 5C648E 5C6A80 5CE28C 5CF4AB 603197 78C57D 7C7716 88ACC0 8C5973 90EF68 980D67 "
        "A0E4CB B0B2DC B8D526 B8ECA3 BC9911 BCCF4F C8544B C86C87 CC5D4E D41AD1 D43DF3 D8912A D8ECE5 E4186B "
        "E8377A EC3EB3 EC43F6 F08756 FC22F4 FCF528"
    ),
}
_MAKERS = {prefix: maker for maker, prefixes in _PREFIXES.items() for prefix in prefixes.split()}


def maker_of(mac: str) -> str | None:
    """The maker of `aa:bb:cc:dd:ee:ff`; None for one that is not in the table, made up locally, or no MAC address."""
    digits = mac.replace(":", "").replace("-", "").upper()
    if len(digits) != 12 or set(digits) - set("0123456789ABCDEF") or int(digits[:2], 16) & 0b11:
        return None
    return _MAKERS.get(digits[:6])
