"""Where devices keep their processor load and memory: the SNMP tables, and what their numbers mean. Pure.

HOST-RESOURCES-MIB (RFC 2790), UCD-SNMP-MIB (net-snmp), CISCO-PROCESS-MIB and -MEMORY-POOL-MIB, FORTINET-FORTIGATE-MIB.
"""

from collections.abc import Mapping, Sequence

UCD_TICKS = "1.3.6.1.4.1.2021.11"
UCD_MEMORY = "1.3.6.1.4.1.2021.4"
CISCO_CPU_5_S = "1.3.6.1.4.1.9.9.109.1.1.1.1.6"
CISCO_POOL_USED = "1.3.6.1.4.1.9.9.48.1.1.1.5"
CISCO_POOL_FREE = "1.3.6.1.4.1.9.9.48.1.1.1.6"
FORTINET = "1.3.6.1.4.1.12356.101.4.1"
HR_LOAD = "1.3.6.1.2.1.25.3.3.1.2"
HR_STORAGE = "1.3.6.1.2.1.25.2.3.1"

TABLES = (UCD_TICKS, UCD_MEMORY, CISCO_CPU_5_S, CISCO_POOL_USED, CISCO_POOL_FREE, FORTINET, HR_LOAD, HR_STORAGE)

_RAM = "1.3.6.1.2.1.25.2.1.2"

Walked = Mapping[str, int | str]
"Object identifier -> its number, or an object identifier as text."


def busy_pct(earlier: Walked, later: Walked) -> tuple[float, str] | None:
    """The processor's load between two readings, and where it is from; None where the device tells none.

    Counters come first, because they tell of these very seconds; gauges are what the device averages over some time.
    """
    # ssCpuRawUser, Nice, System, Idle, Wait: 100 a second and processor.
    ticks = [_difference(f"{UCD_TICKS}.{number}.0", earlier, later) for number in (50, 51, 52, 53, 54)]
    idle = ticks[3]
    known = [count for count in ticks if count is not None]
    if idle is not None and sum(known) > 0:
        return 100 * (1 - idle / sum(known)), "UCD-SNMP-MIB, processor ticks"
    for name, table in (
        ("CISCO-PROCESS-MIB, 5 s", CISCO_CPU_5_S),
        ("FORTINET-FORTIGATE-MIB", f"{FORTINET}.3"),
        ("HOST-RESOURCES-MIB, last minute", HR_LOAD),
    ):
        loads = column(table, later)
        if loads and all(0 <= load <= 100 for load in loads):
            return sum(loads) / len(loads), name
    return None


def memory_used_pct(found: Walked) -> tuple[float, str] | None:
    """Memory that is in use and not merely cache; None where the device tells none."""
    # memTotalReal, memAvailReal, memBuffer, memCached, in KiB.
    total, free, buffers, cached = (_number(f"{UCD_MEMORY}.{number}.0", found) for number in (5, 6, 14, 15))
    if total and free is not None and 0 <= free <= total:
        available = min(total, free + (buffers or 0) + (cached or 0))
        return 100 * (1 - available / total), "UCD-SNMP-MIB"
    used, unused = sum(column(CISCO_POOL_USED, found)), sum(column(CISCO_POOL_FREE, found))
    if min(used, unused) >= 0 and used + unused > 0:
        return 100 * used / (used + unused), "CISCO-MEMORY-POOL-MIB"
    percents = column(f"{FORTINET}.4", found)
    if len(percents) == 1 and 0 <= percents[0] <= 100:
        return float(percents[0]), "FORTINET-FORTIGATE-MIB"
    for oid, kind in found.items():
        if oid.startswith(f"{HR_STORAGE}.2.") and kind == _RAM:
            row = oid.rpartition(".")[2]
            size, taken = (_number(f"{HR_STORAGE}.{number}.{row}", found) for number in (5, 6))
            if size and taken is not None and 0 <= taken <= size:
                return 100 * taken / size, "HOST-RESOURCES-MIB"
    return None


def column(table: str, found: Walked) -> Sequence[int]:
    """The numbers under an object identifier."""
    return [value for oid, value in found.items() if oid.startswith(f"{table}.") and isinstance(value, int)]


def _number(oid: str, found: Walked) -> int | None:
    value = found.get(oid)
    return value if isinstance(value, int) else None


def _difference(oid: str, earlier: Walked, later: Walked) -> int | None:
    """Of a 32-bit counter, which starts again from 0 when it is full."""
    before, after = _number(oid, earlier), _number(oid, later)
    return None if before is None or after is None else (after - before) % (1 << 32)
