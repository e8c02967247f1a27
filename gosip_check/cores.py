"""One function for many items, on all cores. Knows nothing of what it is called with.

An item that ends its process, by what it asks of memory for example, costs its own result only.
"""

import os
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_MEMORY = 2 * 1024 * 1024 * 1024
"Octets of address space for one process: what wants more gets a MemoryError, and nobody else does."

_AHEAD = 8
"Items that wait for each core: enough that none is idle, few enough that large ones do not fill the memory."


def on_all_cores(
    function: Callable[[Item], Result], items: Iterable[Item], lost: Callable[[Item], Result]
) -> Iterator[Result]:
    """The results in the order of the items. function: one that can be pickled. lost: the result of an item whose
    process died.
    """
    cores = len(os.sched_getaffinity(0))
    pool = _pool(cores)
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            try:
                future = pool.submit(function, item)
            except BrokenProcessPool:
                pool.shutdown()
                pool = _pool(cores)
                future = pool.submit(function, item)
            waiting.append((item, future))
            if len(waiting) >= cores * _AHEAD:
                yield _result(function, *waiting.popleft(), lost)
        while waiting:
            yield _result(function, *waiting.popleft(), lost)
    finally:
        pool.shutdown(cancel_futures=True)


def _result(
    function: Callable[[Item], Result], item: Item, future: Future[Result], lost: Callable[[Item], Result]
) -> Result:
    """A process that died took others' results with it: each of those is tried again in a process of its own."""
    try:
        return future.result()
    except BrokenProcessPool:
        pass
    with _pool(1) as alone:
        try:
            return alone.submit(function, item).result()
        except BrokenProcessPool:
            return lost(item)


def _pool(cores: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(cores, initializer=_begin)


def _begin() -> None:
    """The process that asked hears Ctrl-C, and ends these."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    bound = MOST_MEMORY if most == resource.RLIM_INFINITY else min(most, MOST_MEMORY)
    resource.setrlimit(resource.RLIMIT_AS, (bound, most))
