"""The defaults file: what it may say, what goes before it, and that its mistakes are sentences."""

from pathlib import Path

import click
import pytest

from gosip_check.cli.app import gosip_check
from gosip_check.cli.defaults import known_options, variable_of
from tests.saved import here


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for key in known_options():
        monkeypatch.delenv(variable_of(key), raising=False)
    path = tmp_path / "gosip-check" / "config.toml"
    path.parent.mkdir()
    return path


def params(*arguments: str) -> dict[str, object]:
    """The options that a command line comes to, with nothing run."""
    context = gosip_check.make_context("gosip-check", list(arguments))
    name, command, rest = gosip_check.resolve_command(context, list(arguments))
    assert command is not None
    return command.make_context(name, rest, parent=context).params


def test_the_path_is_the_users(file: Path) -> None:
    assert here("config", "path") == (0, f"{file}\n")
    code, text = here("config", "check")
    assert (code, "there is no such file" in text) == (0, True)


def test_a_file_sets_options_of_every_kind(file: Path) -> None:
    file.write_text(
        'reflector = "rx.example"\nchannels = 30\ndns_server = ["192.0.2.1", "192.0.2.2"]\nduration = 5\n'
        'quiet = true\ncompany = "Ħaż-Żebbuġ Telecom"\nskip = "host.*"\nfind-capacity = true\n'
    )
    assert here("config", "check")[0] == 0
    chosen = params("run")
    assert (chosen["reflector"], chosen["channels"], chosen["duration_s"]) == ("rx.example", 30, 5.0)
    assert (chosen["dns_servers"], chosen["skip"]) == (("192.0.2.1", "192.0.2.2"), ("host.*",))
    assert (chosen["quiet"], chosen["company"]) == (True, "Ħaż-Żebbuġ Telecom")
    assert params("bandwidth")["find_capacity"] is True
    assert params("health")["dns_servers"] == ("192.0.2.1", "192.0.2.2")
    assert params("demo")["company"] is None


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("channels = 30")
    assert params("run")["channels"] == 30
    assert "channels            30                        defaults file" in here("config", "show")[1]
    monkeypatch.setenv("GOSIP_CHECK_CHANNELS", "40")
    monkeypatch.setenv("GOSIP_CHECK_DNS_SERVER", "192.0.2.1 192.0.2.2")
    assert params("run")["channels"] == 40
    assert params("run")["dns_servers"] == ("192.0.2.1", "192.0.2.2")
    assert (
        "channels            40                        environment, GOSIP_CHECK_CHANNELS" in here("config", "show")[1]
    )
    assert params("run", "--channels", "50")["channels"] == 50


def test_every_default_is_shown(file: Path) -> None:
    code, text = here("config", "show")
    assert code == 0
    assert text.startswith(f"{file} (there is no such file)\n")
    assert [line.split()[0] for line in text.splitlines()[2:]] == list(known_options())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('reflektor = "x"', "there is no option 'reflektor'; did you mean 'reflector'?"),
        ("frob = 1", "there is no option 'frob'."),
        ('form = "f.toml"', "form is no default: it belongs to one customer. Give it with --form."),
        ('account = "a.toml"', "account is no default: each try counts towards the lock of the account."),
        ("channels = 0", "channels: 0 is not in the range 1<=x<=2000."),
        ('channels = "many"', "channels: 'many' is not a valid integer range."),
        ("channels = true", "channels: takes a number or a text in quotes."),
        ("quiet = 1", "quiet: takes true or false."),
        ('reflector = ["a", "b"]', "reflector: takes one value, not a list."),
        ("[run]\nchannels = 3", "there is no option 'run'"),
        ("channels 3", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_a_sentence_for_check_and_for_run(file: Path, content: str, sentence: str) -> None:
    file.write_text(content)
    for command in (["config", "check"], ["config", "show"], ["srv"], ["run", "--quiet"]):
        code, text = here(*command)
        assert code == 2
        assert f"{file}: " in text
        assert sentence in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('checklist = "gone"', "There is no checklist 'gone'"),
        ('reflector = "a:b"', "--reflector 'a:b'"),
        ('sign_key_file = "/nowhere/key"', "/nowhere/key"),
    ],
)
def test_check_finds_what_a_run_would_refuse(file: Path, content: str, sentence: str) -> None:
    file.write_text(content)
    code, text = here("config", "check")
    assert code == 2
    assert sentence in text


def test_a_wrong_file_is_unknown_to_nagios(file: Path) -> None:
    file.write_text("frob = 1")
    code, text = here("health", "--nagios")
    assert (code, text.partition(" - ")[0]) == (3, "UNKNOWN")


def test_a_wrong_file_keeps_nobody_from_reading_the_help(file: Path) -> None:
    file.write_text("frob = 1")
    for command in (["run", "--help"], ["--help"], ["config", "path"], ["explain"]):
        assert here(*command)[0] == 0


def test_no_home_folder_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert params("run")["channels"] == 10
    assert here("config", "path") == (
        2,
        "Error: This user has no home folder; XDG_CONFIG_HOME can name one instead.\n",
    )
    assert here("config", "show")[0] == 0


def test_a_variable_that_does_not_fit_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOSIP_CHECK_CHANNELS", "many")
    with pytest.raises(click.BadParameter):
        params("run")
