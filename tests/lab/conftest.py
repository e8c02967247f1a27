"""Every test in this folder is marked `lab`, and is skipped with the reason where this machine cannot hold one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import GENEROUS, Lab, missing, site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Given all items of the run, whatever folder they lie in."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With -v: what test_run_table.py saw, a line for each state of the site."""
    lines = [
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == "run table"
    ]
    if lines and terminalreporter.config.get_verbosity() > 0:
        terminalreporter.section("state of the site: what gosip-check run says, beside sipsak")
        terminalreporter.write("\n".join([*lines, ""]))


@pytest.fixture(scope="session", autouse=True)
def _possible() -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lab(_possible: None) -> Iterator[Lab]:
    """One site for a whole file of tests; each test enters the state that it is about.

    Its routers ration, so a test may find them with fewer quotes left than six. Where that matters, take `fresh`.
    """
    with site() as built:
        yield built


@pytest.fixture
def fresh(_possible: None) -> Iterator[Lab]:
    """A site of the test's own, whose routers ration as Linux does and have not quoted anything yet."""
    with site() as built:
        yield built


@pytest.fixture(scope="module")
def generous(_possible: None) -> Iterator[Lab]:
    """A site for a whole file, whose routers quote whatever dies in them. A test that takes it says why it must."""
    with site(hops=GENEROUS) as built:
        yield built
