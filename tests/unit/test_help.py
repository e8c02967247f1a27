"""The help of every command: nothing is cut, each shows an example that is right, and a wrong name is answered."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete

from gosip_check.cli.app import SECTIONS, gosip_check
from tests.saved import here


def commands(
    group: click.Group = gosip_check, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_help_fits_80_columns_and_ends_in_a_command_line_that_is_right(path: tuple[str, ...]) -> None:
    code, text = here(*path, "--help")
    assert code == 0
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "...\n" not in text.partition("Options:")[0].partition("\n")[2]
    examples = re.findall(r"^ +gosip-check (.+)$", text.partition("Example:")[2], re.MULTILINE)
    assert examples
    for example in examples:
        _parse(shlex.split(example))


def _parse(arguments: list[str]) -> None:
    """Raises click.UsageError for a command line that Click refuses."""
    group: click.Command = gosip_check
    while isinstance(group, click.Group) and arguments and not arguments[0].startswith("-"):
        command = group.get_command(click.Context(group), arguments[0])
        assert command is not None, arguments
        group, arguments = command, arguments[1:]
    if not isinstance(group, click.Group):
        group.make_context(group.name, arguments)


@pytest.mark.parametrize(
    "path", [(), *(path for path, command in COMMANDS.items() if isinstance(command, click.Group))], ids=" ".join
)
def test_a_list_of_commands_has_a_line_for_each_and_cuts_none(path: tuple[str, ...]) -> None:
    _, text = here(*path, "--help")
    listed = [name[-1] for name in COMMANDS if name[:-1] == path]
    rows = [line for line in text.splitlines() if re.match(rf"  ({'|'.join(map(re.escape, listed))})  ", line)]
    assert [row.split()[0] for row in rows] == listed
    assert all(row.endswith((".", "?")) for row in rows), rows


def test_the_commands_stand_in_sections_and_the_exit_codes_once() -> None:
    _, text = here("--help")
    assert [line[:-1] for line in text.splitlines() if line.rstrip(":") in SECTIONS] == list(SECTIONS)
    assert "Exit codes:" in text
    assert [path for path in COMMANDS if "Exit codes:" in here(*path, "--help")[1]] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("rnu",), "No such command 'rnu'; did you mean 'gosip-check run'?"),
        (("explian",), "did you mean 'gosip-check explain'?"),
        (("version",), "did you mean 'gosip-check --version'?"),
        (("help",), "did you mean 'gosip-check --help'?"),
        (("compare",), "did you mean 'gosip-check report compare'?"),
        (("report", "shwo"), "did you mean 'gosip-check report show'?"),
        (("frob",), "No such command 'frob'."),
    ],
)
def test_a_wrong_command_is_answered_with_a_right_one(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(click.UsageError, match=re.escape(sentence)):
        gosip_check.main(list(arguments), prog_name="gosip-check", standalone_mode=False)


def test_without_a_terminal_nobody_is_asked() -> None:
    code, text = here()
    assert code == 2
    assert "At the site:" in text


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["run", "--checklist", "go-"], {"go-native", "go-gateway"}),
        (["demo", "--fault", "nx"], {"nxdomain"}),
        (["demo", "--fault", "l"], {"list", "loss"}),
        (["run", "--skip", "alg."], {"alg.absent", "alg.answers-unchanged"}),
        (["explain", "gateway."], {"gateway.management", "gateway.path-mtu", "gateway.ntp"}),
        (["explain", "open"], {"openwrt"}),
        (["checklist", "show", "go-g"], {"go-gateway"}),
        (["run", "--checklist", "gone", "--skip", "a"], set()),
        (["conf"], {"config"}),
        (["pbx", "rehearse", "--skip", "a-s"], {"a-silent"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_shell_is_offered(typed: list[str], offered: set[str]) -> None:
    assert offered <= _completions(typed)
    assert all(each.startswith(typed[-1]) for each in _completions(typed))


def test_the_shell_is_offered_an_interface_for_each_line() -> None:
    first = _completions(["run", "--link", ""])
    assert all(each.startswith("Internet-1=") for each in first)
    for each in first:
        assert all(more.startswith("Internet-2=") for more in _completions(["run", "--link", each, "--link", ""]))


def _completions(typed: list[str]) -> set[str]:
    complete = ShellComplete(gosip_check, {}, "gosip-check", "_GOSIP_CHECK_COMPLETE")
    return {item.value for item in complete.get_completions(typed[:-1], typed[-1])}
