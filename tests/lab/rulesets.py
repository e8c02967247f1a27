"""The nftables rule sets of the lab, by name. Text only: who applies them, and when, is said in site.py and states.py.

nftables wants a newline before a closing brace.
"""

HOME_ROUTER = """
table ip nat {
    chain arriving {
        type nat hook prerouting priority -100
        iifname "to-lan" ip daddr 192.168.1.1 meta l4proto { tcp, udp } th dport 53 dnat to 217.22.184.53
    }
    chain leaving {
        type nat hook postrouting priority 100
        oifname "to-isp" masquerade
    }
}
table ip firewall {
    chain forward {
        type filter hook forward priority 0
        policy drop
        ct state established,related accept
        iifname "to-lan" accept
    }
    chain input {
        type filter hook input priority 0
        policy drop
        ct state established,related accept
        iifname "lo" accept
        iifname "to-lan" accept
        ip protocol icmp accept
    }
}
"""
"""What a small office has: all may leave, nothing may enter unasked, one public address, a DNS forwarder at .1."""


def forward(rule: str, table: str = "state") -> str:
    """One rule that forwarded packets meet before the firewall does."""
    return f"""
table ip {table} {{
    chain forward {{
        type filter hook forward priority -10
        {rule}
    }}
}}
"""


def divert(rule: str) -> str:
    """One rule that may rewrite the destination of what arrives, before the room's own NAT does."""
    return f"""
table ip state {{
    chain divert {{
        type nat hook prerouting priority -110
        {rule}
    }}
}}
"""


def without(table: str) -> str:
    """Remove a table, there or not."""
    return f"table ip {table}\ndelete table ip {table}\n"
