"""A checklist that extends another one: what comes out of it, and whose fault an error is."""

import hashlib
import re
from pathlib import Path

import msgspec
import pytest

from gosip_check.checklist import EXPLAINING, load, load_file, parse, shipped
from gosip_check.records import Requirement
from gosip_check.tomlfile import TomlError, data_folder
from tests.saved import DATA, here

CHILD = """
[checklist]
id = "mine"
title = "Mine"
version = "1"
source = "a guide"
date = "2026-01-01"
extends = "go-native"
"""
ADDED = """
[[requirement]]
id = "{id}"
title = "New"
level = "should"
probe = "host"
expect = [{{ fact = "cpu_pct", operator = "max", value = 50 }}]
hint = "wait"
source = "a guide"
{more}
"""
SHIPPED = load("go-native")


WORDS = (
    "title",
    "titles",
    "means",
    "figure",
    "explains",
    "explained_if",
    "decided_by",
    "decided_if",
    "hint",
    "hint_if",
)
"How a verdict is told, and with which others: what is demanded does not depend on it."


def child(text: str = "") -> "list[Requirement]":
    return parse((CHILD + text).encode(), "mine.toml").requirements


def ids(requirements: list[Requirement]) -> list[str]:
    return [requirement.id for requirement in requirements]


def refused(text: str) -> str:
    with pytest.raises(TomlError) as caught:
        parse(text.encode(), "mine.toml")
    return str(caught.value)


# What is worded otherwise than in go-gateway.toml before it extended go-native, so that a checklist of another provider
# can take it over.
REWORDED = {
    ("firewall.signalling-every-target", "source"): ("networks; Geo", "networks, and Geo"),
    ("health.latency", "source"): (". The guide asks for minimal", "; GO SIP Trunk Configuration Guide: minimal"),
    ("media.jitter", "source"): (
        ". The guide asks for minimal jitter. J",
        "; GO SIP Trunk Configuration Guide: minimal jitter; j",
    ),
    ("media.latency", "source"): (". The guide asks for minimal", "; GO SIP Trunk Configuration Guide: minimal"),
    ("media.dscp", "source"): ("the guide asks for a", "GO SIP Trunk Configuration Guide: a"),
}


def test_the_gateway_demands_what_it_did_when_its_file_stood_alone() -> None:
    before, now = load_file(DATA / "go-gateway-alone.toml"), load("go-gateway")
    as_before = [requirement for requirement in now.requirements if requirement.id in ids(before.requirements)]
    assert ids(as_before) == ids(before.requirements)  # others may have come since
    for old, new in zip(before.requirements, as_before, strict=True):
        expected = msgspec.structs.asdict(old)
        for (id_, field), (was, is_) in REWORDED.items():
            if id_ == old.id:
                assert was in expected[field]
                expected[field] = expected[field].replace(was, is_)
        came_later = {field: getattr(new, field) for field in (*WORDS, *EXPLAINING)}
        assert msgspec.structs.asdict(new) == {**expected, **came_later}
    later = ("provider", "guide", "data_sheet", "device", "country_code", "national_digits")
    named = {name: getattr(now.trunk, name) for name in later}
    assert now.trunk == msgspec.structs.replace(before.trunk, **named)
    assert (now.identity.id, now.identity.title, now.source, now.date) == (
        before.identity.id,
        before.identity.title,
        before.source,
        before.date,
    )
    assert now.extends == "go-native"


def test_a_file_of_the_first_version_is_read_as_it_was() -> None:
    old = load_file(DATA / "go-native-first.toml")
    assert (old.extends, old.trunk.provider, old.trunk.device) == (None, "the provider", "PBX")
    assert old.requirements[0].hint.startswith("Let the PBX and this machine use a resolver")


def test_a_child_that_says_nothing_demands_the_same() -> None:
    assert child() == SHIPPED.requirements


def test_a_change_takes_the_keys_that_it_names_and_no_others() -> None:
    changed = child('[[change]]\nid = "dns.ttl"\nexpect = [{ fact = "ttl_max_s", operator = "max", value = 60 }]')
    at = ids(changed).index("dns.ttl")
    assert changed[at].expect[0].value == 60
    assert msgspec.structs.replace(changed[at], expect=SHIPPED.requirements[at].expect) == SHIPPED.requirements[at]
    assert changed[:at] + changed[at + 1 :] == SHIPPED.requirements[:at] + SHIPPED.requirements[at + 1 :]


def test_what_is_dropped_is_gone_and_may_be_written_again() -> None:
    drop = '[drop]\nrequirements = ["dns.ttl", "link.wired"]\n'
    assert ids(child(drop)) == [id_ for id_ in ids(SHIPPED.requirements) if id_ not in ("dns.ttl", "link.wired")]
    drop = '[drop]\nrequirements = ["dns.targets-resolve"]\n'
    again = child(drop + ADDED.format(id="dns.targets-resolve", more='after = "dns.srv-answers"'))
    assert again[1].title == "New"
    assert ids(again) == ids(SHIPPED.requirements)


@pytest.mark.parametrize(
    ("id_", "more", "before"),
    [
        ("dns.new", "", "dns.ttl"),  # the last of its group
        ("mine.new", "", "pbx.unregisters"),  # a group of its own: at the end
        ("mine.new", 'after = "nat.single"', "nat.single"),
    ],
)
def test_where_an_added_one_stands(id_: str, more: str, before: str) -> None:
    found = ids(child(ADDED.format(id=id_, more=more)))
    assert found[found.index(id_) - 1] == before
    assert sorted(found) == sorted([*ids(SHIPPED.requirements), id_])


def test_added_ones_of_a_new_group_stay_together() -> None:
    added = ADDED.format(id="mine.a", more='after = "nat.single"') + ADDED.format(id="mine.b", more="")
    found = ids(child(added))
    assert found[found.index("nat.single") :][1:3] == ["mine.a", "mine.b"]


def test_a_chain_from_folder_to_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "parent.toml").write_text(CHILD + '[drop]\nrequirements = ["dns.ttl"]\n')
    bottom = tmp_path / "deep" / "child.toml"
    bottom.write_text(
        CHILD.replace("go-native", "../parent.toml").replace('"mine"', '"bottom"') + "[trunk]\nport = 5070\n"
    )
    checklist = load_file(bottom)
    assert (checklist.extends, checklist.identity.id, checklist.trunk.port) == ("mine", "bottom", 5070)
    assert ids(checklist.requirements) == [id_ for id_ in ids(SHIPPED.requirements) if id_ != "dns.ttl"]


def test_the_identity_covers_what_the_parent_says(tmp_path: Path) -> None:
    parent, own = tmp_path / "parent.toml", tmp_path / "child.toml"
    own.write_text(CHILD.replace("go-native", "parent.toml"))
    seen = set()
    for port in (5060, 5070):
        parent.write_text(f"{CHILD}[trunk]\nport = {port}\n")
        seen.add(load_file(own).identity.sha256)
        assert load_file(own).identity == load_file(own).identity
    own.write_text(own.read_text() + "\n")
    seen.add(load_file(own).identity.sha256)
    assert len(seen) == 3


def test_the_sha256_is_that_of_the_parents_a_newline_and_the_file() -> None:
    """By hand: `{ sha256sum FILE | cut -c -64; cat NEXT; } | sha256sum`, with what is included, then with the child."""
    names = ("go-native.toml", "pbx.toml", "go-gateway.toml")
    first, *others = ((data_folder() / name).read_bytes() for name in names)
    by_hand = [hashlib.sha256(first).hexdigest()]
    for content in others:
        by_hand.append(hashlib.sha256(f"{by_hand[-1]}\n".encode() + content).hexdigest())
    assert [load(name).identity.sha256 for name in ("go-native", "go-gateway")] == by_hand[1:]


def test_what_is_included_is_taken_from_beside_the_file_and_else_from_the_shipped_ones(tmp_path: Path) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_bytes((data_folder() / "go-native.toml").read_bytes())
    assert load_file(copy).identity == load("go-native").identity
    (tmp_path / "pbx.toml").write_text("")
    assert not any(requirement.ways for requirement in load_file(copy).requirements)
    for name, wrong in (("gone.toml", "cannot be read"), ("../pbx.toml", "a file beside this one")):
        copy.write_text(CHILD.replace('extends = "go-native"', f'includes = ["{name}"]'))
        with pytest.raises(TomlError, match=rf"copy\.toml: \[checklist\]: includes: .*{wrong}"):
            load_file(copy)
    copy.write_text(CHILD.replace('extends = "go-native"', 'includes = ["pbx.toml"]'))
    (tmp_path / "pbx.toml").write_text("[trunk]\n")
    with pytest.raises(TomlError, match=r"pbx\.toml: there is no key 'trunk'"):
        load_file(copy)


def test_another_providers_child_takes_over_no_address_and_no_paper() -> None:
    """Else the site would be held against the networks of somebody else, and packets would go there."""
    text = (DATA / "other-provider.toml").read_text()
    assert len(text.splitlines()) < 30
    lean = "\n".join(line for line in text.splitlines() if not line.startswith(("management_", "ntp_")))
    assert refused(lean) == (
        "mine.toml: requirement 'gateway.management': title: {management_ports} stands for nothing: "
        "[trunk] does not name it."
    )
    trunk = parse(lean.replace("go-gateway", "go-native").encode(), "mine.toml").trunk
    assert (trunk.own_networks, trunk.own_networks_date, trunk.guide, trunk.data_sheet) == ([], "", "", "")
    for name in ("domain", "networks"):
        without = "\n".join(line for line in text.splitlines() if not line.startswith(f"{name} = "))
        assert refused(without) == f"mine.toml: [trunk]: {name} is missing; it differs from provider to provider."


@pytest.mark.parametrize("parent", ["go-native", "go-gateway"])
def test_nothing_of_another_providers_child_names_the_parents_provider(parent: str, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text((DATA / "other-provider.toml").read_text().replace("go-gateway", parent))
    checklist = load_file(path)
    for requirement in checklist.requirements:
        texts = " ".join([requirement.title, requirement.hint, requirement.source])
        assert "GO" not in texts, requirement.id
        assert "217.22" not in texts, requirement.id
        assert "{" not in texts, requirement.id
    assert "Example Telecom takes the user name" in " ".join(r.title for r in checklist.requirements)
    sources = {requirement.id: requirement.source for requirement in checklist.requirements}
    assert sources["dns.targets-resolve"] == "RFC 2782: a target must have address records"
    assert sources["alg.absent"] == f"the checklist {parent}, which has it from its own provider; RFC 4787 REQ-10"
    code, shown = here("checklist", "show", path)
    assert code == 0
    assert "GO" not in shown
    assert "217.22" not in shown
    assert f"extends {parent}\n" in shown
    assert "The SRV records lead to the three sites of Example" in shown


def test_the_example_of_the_page_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checklists.md").read_text()
    [example] = re.findall(r"```toml\n(\[checklist\]\n.*?)```", page, re.DOTALL)
    checklist = parse(example.encode(), "example.toml")
    assert (checklist.extends, checklist.trunk.provider) == ("go-native", "Example Telecom")
    assert "217.22" not in str(checklist)


def test_check_says_what_a_checklist_extends() -> None:
    path = DATA / "other-provider.toml"
    count = len(load_file(path).requirements)
    assert here("checklist", "check", path) == (
        0,
        f"{path}: right, with {count} requirements. It extends go-gateway.\n",
    )


WRONG: dict[str, tuple[str, str]] = {
    "unknown parent": (
        CHILD.replace("go-native", "go-nativ"),
        "mine.toml: [checklist]: extends: There is no checklist 'go-nativ'; did you mean 'go-native'? Shipped are "
        f"{', '.join(shipped())}. Name a file of your own by its path, such as ./mine.toml.",
    ),
    "no such file": (
        CHILD.replace("go-native", "gone/parent.toml"),
        "mine.toml: [checklist]: extends: gone/parent.toml: cannot be read: No such file or directory.",
    ),
    "no name of a file": (
        CHILD.replace("go-native", "a\\u0000.toml"),
        "mine.toml: [checklist]: extends: 'a\\x00.toml': cannot be read: embedded null byte.",
    ),
    "parent type": (
        CHILD.replace('"go-native"', "5"),
        "mine.toml: [checklist]: extends: expected str | null, got int.",
    ),
    "unknown table": (CHILD + "[change]\n", "mine.toml: change: each one starts with a line [[change]]."),
    "typo in a table": (CHILD + "[[chang]]\n", "mine.toml: there is no key 'chang'; did you mean 'change'?"),
    "trunk is no table": ("trunk = 5\n" + CHILD, "mine.toml: has no table [trunk]."),
    "drop is no table": ("drop = 5\n" + CHILD, "mine.toml: has no table [drop]."),
    "trunk typo": (CHILD + "[trunk]\nprot = 1\n", "mine.toml: [trunk]: there is no key 'prot'; did you mean 'port'?"),
    "drop typo": (
        CHILD + "[drop]\nrequirement = []\n",
        "mine.toml: [drop]: there is no key 'requirement'; did you mean 'requirements'?",
    ),
    "dropped unknown": (
        CHILD + '[drop]\nrequirements = ["dns.tll"]\n',
        "mine.toml: [drop]: go-native has no requirement 'dns.tll'; did you mean 'dns.ttl'?",
    ),
    "dropped trunk value unknown": (
        CHILD + '[drop]\ntrunk = ["session_timer"]\n',
        "mine.toml: [drop]: go-native has no 'session_timer' in [trunk]; did you mean 'session_timer_s'?",
    ),
    "dropped trunk value needed": (CHILD + '[drop]\ntrunk = ["port"]\n', "mine.toml: [trunk]: port is missing."),
    "dropped and needed": (
        CHILD + '[drop]\nrequirements = ["dns.srv-answers"]\n',
        "mine.toml: [drop]: dns.targets-resolve needs 'dns.srv-answers'; drop it as well, or change its needs.",
    ),
    "change without id": (
        CHILD + "[[change]]\nlevel = 'must'\n",
        'mine.toml: change 1: a line such as id = "dns.ttl" is missing.',
    ),
    "changed unknown": (
        CHILD + '[[change]]\nid = "dns.tll"\n',
        "mine.toml: change 'dns.tll': there is no such requirement to change; did you mean 'dns.ttl'?",
    ),
    "changed twice": (
        CHILD + '[[change]]\nid = "dns.ttl"\n' * 2,
        "mine.toml: change 'dns.ttl': appears twice; write one change with all that differs.",
    ),
    "change typo": (
        CHILD + '[[change]]\nid = "dns.ttl"\nlevle = "must"\n',
        "mine.toml: change 'dns.ttl': there is no key 'levle'; did you mean 'level'?",
    ),
    "change to what is wrong": (
        CHILD + '[[change]]\nid = "dns.ttl"\nlevel = "shall"\n',
        "mine.toml: requirement 'dns.ttl': level: invalid enum value 'shall'; "
        "one of must, should, info would be right.",
    ),
    "change of needs to what is wrong": (
        CHILD + '[[change]]\nid = "dns.ttl"\nneeds = 5\n[drop]\nrequirements = ["link.wired"]\n',
        "mine.toml: requirement 'dns.ttl': needs: expected array, got int.",
    ),
    "added without id": (
        CHILD + ADDED.format(id="mine.new", more="").replace('id = "mine.new"', ""),
        'mine.toml: requirement 1: a line such as id = "dns.ttl" is missing.',
    ),
    "added and there already": (
        CHILD + ADDED.format(id="dns.ttl", more=""),
        "mine.toml: requirement 'dns.ttl': there is one already; write [[change]] to change what is taken over.",
    ),
    "added twice": (
        CHILD + ADDED.format(id="mine.new", more="") * 2,
        "mine.toml: requirement 'mine.new': there is one already; write [[change]] to change what is taken over.",
    ),
    "added after nothing": (
        CHILD + ADDED.format(id="mine.new", more='after = "dns.tll"'),
        "mine.toml: requirement 'mine.new': after: there is no requirement 'dns.tll'; did you mean 'dns.ttl'?",
    ),
    "added after no id": (
        CHILD + ADDED.format(id="mine.new", more="after = [5]"),
        "mine.toml: requirement 'mine.new': after: there is no requirement [5].",
    ),
    "everything dropped": (
        CHILD + f"[drop]\nrequirements = {ids(SHIPPED.requirements)}\n",
        "mine.toml: has no requirements; each one starts with a line [[requirement]].",
    ),
    "dropped without a parent": (
        CHILD.replace('extends = "go-native"\n', "") + "[drop]\n",
        "mine.toml: 'drop' needs a line `extends` in [checklist].",
    ),
    "changed without a parent": (
        CHILD.replace('extends = "go-native"\n', "") + "[[change]]\n",
        "mine.toml: 'change' needs a line `extends` in [checklist].",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_child_is_refused_with_a_sentence(content: str, sentence: str) -> None:
    assert refused(content) == sentence


def test_a_mistake_in_the_parent_names_the_parent(tmp_path: Path) -> None:
    own = tmp_path / "child.toml"
    own.write_text(CHILD.replace("go-native", "./parent.toml"))
    parent = tmp_path / "parent.toml"
    parent.write_text(CHILD + "[trunk]\nport = 0\n")
    with pytest.raises(TomlError) as caught:
        load_file(own)
    assert str(caught.value) == f"{parent}: [trunk]: port: must lie between 1 and 65535."
    parent.write_text("[checklist")
    with pytest.raises(TomlError, match=r"/parent\.toml: is not valid TOML: "):
        load_file(own)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_circle(tmp_path: Path, length: int) -> None:
    names = [f"{number}.toml" for number in range(length)]
    for name, parent in zip(names, [*names[1:], names[0]], strict=True):
        (tmp_path / name).write_text(CHILD.replace("go-native", parent))
    with pytest.raises(TomlError) as caught:
        load_file(tmp_path / names[0])
    closes = tmp_path / names[-1]
    assert str(caught.value) == f"{closes}: [checklist]: extends: goes in a circle: {', '.join([*names, names[0]])}."


PLACES = {
    "trunk": "[trunk]\n",
    "drop": "[drop]\n",
    "change": '[[change]]\nid = "dns.ttl"\n',
    "added": ADDED.format(id="mine.new", more="").replace('source = "a guide"', ""),
}
KEYS = ("provider", "networks", "requirements", "trunk", "needs", "source", "after", "options")
VALUES = ("5", '""', "[5]", '["dns.ttl"]', "[[]]", "{ x = 1 }", "2026-01-01")


@pytest.mark.table
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_wrong_value_anywhere_is_a_sentence(place: str, key: str) -> None:
    accepted = 0
    for value in VALUES:
        try:
            child(f"{place}{key} = {value}\n")
        except TomlError:
            continue
        accepted += 1
    assert accepted < len(VALUES)
