"""How long the SIP reader takes with hostile input: python tests/bench/bench_sip_parse.py

Each row has more parameters than the row before. Where time is linear, `us/parameter` stays level and `times` follows
the ratio of the sizes, in brackets. A reader that backtracks shows at once: one library needs 5.7 s for 24 parameters.
"""

import statistics
import time
from collections.abc import Callable

from gosip_check.wire import sip

SIZES = (24, 100, 1000, 5000, 20000)
REPEATS = 7


def header(name: str, value: str) -> sip.Message:
    return sip.parse(f"SIP/2.0 401 Unauthorized\r\n{name}: {value}\r\nl: 0\r\n\r\n".encode())


def challenge(size: int) -> object:
    return sip.split_list(header("WWW-Authenticate", "Digest " + 'a="b",' * size).headers("WWW-Authenticate")[0], ",")


def unclosed_quotes(size: int) -> object:
    return sip.split_list(header("WWW-Authenticate", "Digest " + 'a="b,' * size).headers("WWW-Authenticate")[0], ",")


def backslashes(size: int) -> object:
    return header("From", '"' + '\\"' * size + ' <sip:a@b>;tag="' + "\\" * size).from_


def nested_brackets(size: int) -> object:
    return header("Contact", "<" * size + "sip:a@b" + ">," * size + "<sip:a@b>").contacts


def via_parameters(size: int) -> object:
    return header("Via", "SIP/2.0/UDP a" + "".join(f';p{number}="<;{number}"' for number in range(size))).vias


def many_vias(size: int) -> object:
    return header("Via", "SIP/2.0/UDP a;branch=1," * size).vias


def contacts_without_uri(size: int) -> object:
    return header("Contact", "a," * size + "<sip:a@b>").contacts


def folded_lines(size: int) -> object:
    return header("Subject", "a" + "\r\n b" * size).header("Subject")


def header_fields(size: int) -> object:
    return header("X", "1" + "\r\ny: 2" * size).headers("y")


def digits(size: int) -> object:
    return header("CSeq", "0" * size + "1 OPTIONS").cseq


INPUTS: list[Callable[[int], object]] = [
    challenge,
    unclosed_quotes,
    backslashes,
    nested_brackets,
    via_parameters,
    many_vias,
    contacts_without_uri,
    folded_lines,
    header_fields,
    digits,
]


def seconds(read: Callable[[int], object], size: int) -> list[float]:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        read(size)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    print(
        f"{'input':22} {'parameters':>10} {'median ms':>10} {'min ms':>9} {'max ms':>9} "
        f"{'us/parameter':>13} {'times':>14}"
    )
    for read in INPUTS:
        before: tuple[int, float] | None = None
        for size in SIZES:
            times = seconds(read, size)
            median = statistics.median(times)
            ratio = f"{median / before[1]:.1f} ({size / before[0]:.1f})" if before else ""
            print(
                f"{read.__name__:22} {size:10} {median * 1e3:10.3f} {min(times) * 1e3:9.3f} {max(times) * 1e3:9.3f}"
                f" {median / size * 1e6:13.3f} {ratio:>14}"
            )
            before = (size, median)


if __name__ == "__main__":
    main()
