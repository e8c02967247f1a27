"""Two older ways to look for a SIP ALG, to stand beside ours in bench_alg.py. Run inside the lab's rooms by it.

`mirror ADDRESS`     a far end as ibc/sip-alg-detector has it: returns in Base64 what it received.
`ask SERVER MIRROR`  prints two words: what the Via echoed by an ordinary server says (any difference: `alg`), and what
                     the mirror says (any difference at all: `alg`); `clean` without one, `-` for silence.
"""

import base64
import secrets
import socket
import sys

_SDP = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {media} RTP/AVP 8\r\n"


def _ask(method: str, address: str, body: str = "") -> tuple[bytes, bytes | None]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 5060))
        sock.settimeout(2)
        host, port = sock.getsockname()
        body = body.format(host=host, media=port & ~1)
        lines = [
            f"{method} sip:{address} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            "Max-Forwards: 5",
            f"To: <sip:{address}>",
            f"From: <sip:probe@{host}:{port}>;tag={secrets.token_hex(4)}",
            f"Call-ID: {secrets.token_hex(6)}@{host}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:probe@{host}:{port}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        request = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
        try:
            sock.send(request)
            return request, sock.recv(65535)
        except OSError:
            return request, None


def _via_echo(address: str) -> str:
    request, answer = _ask("OPTIONS", address)
    if answer is None:
        return "-"
    via = request.split(b"\r\n")[1]
    vias = [line for line in answer.split(b"\r\n") if line.lower().startswith(b"via:")]
    return "clean" if len(vias) == 1 and vias[0].split(b";")[0] == via.split(b";")[0] else "alg"


def _mirror_diff(address: str) -> str:
    request, answer = _ask("INVITE", address, _SDP)
    if answer is None:
        return "-"
    seen = base64.b64decode(answer.partition(b"\r\n\r\n")[2])
    return "clean" if seen == request else "alg"


def _mirror(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 5060))
        while True:
            data, sender = sock.recvfrom(65535)
            copied = [
                line
                for line in data.split(b"\r\n")[1:]
                if line[:4].lower() in (b"via:", b"from", b"to: ", b"call", b"cseq")
            ]
            body = base64.b64encode(data)
            head = [b"SIP/2.0 180 Ringing", *copied, b"Content-Length: %d" % len(body)]
            sock.sendto(b"\r\n".join([*head, b"", body]), sender)


if __name__ == "__main__":
    if sys.argv[1] == "mirror":
        _mirror(sys.argv[2])
    print(_via_echo(sys.argv[2]), _mirror_diff(sys.argv[3]))
