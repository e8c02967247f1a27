"""What glibc makes of /etc/resolv.conf: our reader is held against these tables, and the lab asks glibc itself.

Every address is one of this machine's own, so that the lab can listen there.
"""

# The text of the file -> whom glibc asks, in its order. Where it takes no line for a resolver, it asks 127.0.0.1.
RESOLVERS: dict[str, list[str]] = {
    "": ["127.0.0.1"],
    "search corp.example\n": ["127.0.0.1"],
    "nameserver 127.0.0.2": ["127.0.0.2"],
    "nameserver\t127.0.0.2\n": ["127.0.0.2"],
    "nameserver  \t 127.0.0.2   # the router\n": ["127.0.0.2"],
    "nameserver 127.0.0.2 127.0.0.3\n": ["127.0.0.2"],
    "nameserver 127.0.0.3\nnameserver 127.0.0.2\n": ["127.0.0.3", "127.0.0.2"],
    "".join(f"nameserver 127.0.0.{n}\n" for n in (5, 4, 3, 2)): ["127.0.0.5", "127.0.0.4", "127.0.0.3"],
    "nameserver 127.0.0.300\nnameserver 127.0.0.2\n": ["127.0.0.2"],
    "nameserver dns.example\nnameserver 127.0.0.2\n": ["127.0.0.2"],
    # addresses as inet_aton(3) has them
    "nameserver 127.1\n": ["127.0.0.1"],
    "nameserver 127.3\n": ["127.0.0.3"],
    "nameserver 0x7f.2\n": ["127.0.0.2"],
    "nameserver 0177.0.0.2\n": ["127.0.0.2"],
    "nameserver 2130706434\n": ["127.0.0.2"],
    # this machine itself
    "nameserver 0.0.0.0\n": ["127.0.0.1"],
    "nameserver 0\n": ["127.0.0.1"],
    "nameserver ::\n": ["::1"],
    "nameserver ::1\n": ["::1"],
    "nameserver 0:0:0:0:0:0:0:1\n": ["::1"],
    "nameserver ::1%lo\n": ["::1"],
    "nameserver ::ffff:127.0.0.2\n": ["127.0.0.2"],
    # lines that it passes over
    " nameserver 127.0.0.2\n": ["127.0.0.1"],
    "\tnameserver 127.0.0.2\n": ["127.0.0.1"],
    "NAMESERVER 127.0.0.2\n": ["127.0.0.1"],
    "nameservers 127.0.0.2\n": ["127.0.0.1"],
    "nameserver127.0.0.2\n": ["127.0.0.1"],
    "nameserver\n": ["127.0.0.1"],
    "nameserver \n127.0.0.2\n": ["127.0.0.1"],
    "#nameserver 127.0.0.2\n": ["127.0.0.1"],
    ";nameserver 127.0.0.2\n": ["127.0.0.1"],
    "nameserver 127.0.0.2#53\n": ["127.0.0.1"],
    "nameserver 127.0.0.2;\n": ["127.0.0.1"],
    "nameserver 127.0.0.2:53\n": ["127.0.0.1"],
    "nameserver [::1]\n": ["127.0.0.1"],
    "nameserver 127.0.0.2%lo\n": ["127.0.0.1"],
    "nameserver ::1#53\n": ["127.0.0.1"],
    "nameserver 127.0.0.2\r\n": ["127.0.0.1"],
    "nameserver ::1\r\n": ["127.0.0.1"],
    "nameserver 127.0.0.2\v\n": ["127.0.0.1"],
    "nameserver\v127.0.0.2\n": ["127.0.0.1"],
    "\ufeffnameserver 127.0.0.2\n": ["127.0.0.1"],
    "nameserver 127.0.0.2\0\n": ["127.0.0.2"],
}

# The options -> how often glibc asks its only resolver, which fails at once, and the octets of EDNS (0: without).
OPTIONS: dict[str, tuple[int, int]] = {
    "": (2, 0),
    "options attempts:1\n": (1, 0),
    "options attempts:4\n": (4, 0),
    "options attempts:9\n": (5, 0),
    "options attempts:99999999999\n": (5, 0),
    "options attempts:+3\n": (3, 0),
    "options attempts: 3\n": (3, 0),
    "options attempts:3x\n": (3, 0),
    "options attempts=3\n": (2, 0),
    "options ATTEMPTS:3\n": (2, 0),
    " options attempts:3\n": (2, 0),
    "options\tndots:1\tattempts:3\n": (3, 0),
    "options timeout:1,attempts:3\n": (2, 0),
    "options attempts:3\noptions timeout:1\n": (3, 0),
    "options attempts:3 attempts:1\n": (1, 0),
    "options edns0 trust-ad\n": (2, 1200),
    "options edns0,rotate\n": (2, 1200),
}
