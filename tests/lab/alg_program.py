"""Edge devices of other makers than Linux, as far as their SIP ALGs are described: `alg_program.py STYLE`, as root.

Reads what the room's routing sends into the TUN device alg0, changes SIP, and puts it back. Requests come from the LAN
with the site's own addresses still in them; replies come back after the translation was undone.

call-id       rewrites Via, Contact, From and Call-ID, and undoes it in replies (FortiGate, Juniper SRX)
proxy         adds a Via, counts Max-Forwards down and writes it in small letters; takes its Via out of replies
sdp-only      writes the public address into o= and c= and nowhere else
replies-only  leaves requests alone and changes From and Contact of replies
hides-nat     leaves requests alone and writes the private address into `received` of replies
swallows      never lets a REGISTER through
diverts       sends every reply to port 5060 of the phone, wherever the request came from
answers       answers every request by itself (needs what comes for port 5060 redirected to port 5070)
"""

import fcntl
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from packets import with_payload  # type: ignore[import-not-found]

PUBLIC, PRIVATE = b"192.88.99.2", b"192.168.1.10"
_OWN_VIA = b"Via: SIP/2.0/UDP 192.88.99.2:5060;branch=z9hG4bKedge\r\n"


def _request(data: bytes, style: str) -> bytes | None:
    if style == "call-id":
        head, blank, body = data.partition(b"\r\n\r\n")
        return head.replace(PRIVATE, PUBLIC) + blank + body
    if style == "proxy":
        line, _, rest = data.partition(b"\r\n")
        fewer = re.sub(rb"(?mi)^max-forwards:\s*(\d+)", lambda m: b"max-forwards: %d" % (int(m[1]) - 1), rest)
        return line + b"\r\n" + _OWN_VIA + fewer
    if style == "sdp-only":
        head, blank, body = data.partition(b"\r\n\r\n")
        changed = body.replace(PRIVATE, PUBLIC)
        return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(changed), head) + blank + changed
    if style == "swallows" and data.startswith(b"REGISTER"):
        return None
    return data


def _reply(data: bytes, style: str) -> bytes:
    if style == "call-id":
        received = re.sub(rb"received=" + re.escape(PUBLIC), b"received=@", data)
        return received.replace(PUBLIC, PRIVATE).replace(b"received=@", b"received=" + PUBLIC)
    if style == "proxy":
        return re.sub(rb"(?m)^Via: [^\r]*z9hG4bKedge[^\r]*\r\n", b"", data, count=1)
    if style == "replies-only":
        return re.sub(rb"(?m)^(From|Contact): <sip:[^@>]*@[^;>]*", rb"\1: <sip:edge@" + PUBLIC, data)
    if style == "hides-nat":
        return data.replace(b"received=" + PUBLIC, b"received=" + PRIVATE)
    return data


def _forward(style: str) -> None:
    tun = open("/dev/net/tun", "r+b", buffering=0)  # noqa: SIM115 - held until the program ends
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"alg0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    subprocess.run(["ip", "link", "set", "alg0", "up", "mtu", "1500"], check=True)
    Path("/proc/sys/net/ipv4/conf/alg0/rp_filter").write_text("0")
    print("ready", flush=True)
    while True:
        packet = tun.read(65535)
        if packet[0] >> 4 != 4 or packet[9] != 17:
            continue
        size = (packet[0] & 15) * 4
        data = packet[size + 8 :]
        to_server = struct.unpack_from("!H", packet, size + 2)[0] == 5060
        is_sip = b"SIP/2.0" in data[:200]
        changed = data if not is_sip else _request(data, style) if to_server else _reply(data, style)
        if changed is not None:
            port = 5060 if style == "diverts" and not to_server else None
            tun.write(with_payload(packet, changed, ttl=packet[8] + 1, destination_port=port))


def _answer() -> None:
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind(("0.0.0.0", 5070))
    print("ready", flush=True)
    while True:
        data, sender = here.recvfrom(65535)
        wanted = (b"via", b"from", b"to", b"call-id", b"cseq")
        lines = [line for line in data.split(b"\r\n")[1:] if line.split(b":")[0].lower() in wanted]
        here.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0", b"", b""]), sender)


if __name__ == "__main__":
    _answer() if sys.argv[1] == "answers" else _forward(sys.argv[1])
