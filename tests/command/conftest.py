"""The count of failed attempts is never this machine's own."""

from tests.unit.probes.account.conftest import count_files

__all__ = ["count_files"]
