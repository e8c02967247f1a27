"""What to order: Erlang B against published tables and the formula itself, and every row of the guide's tables."""

import json
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.recommend import Need, channels_for, erlang_b, load_orders, recommend
from gosip_check.report.to_json import to_json
from gosip_check.tomlfile import TomlError, data_folder
from tests.saved import here
from tests.unit.records import report, verdict

ORDERS = load_orders(data_folder() / "orders.toml")


@pytest.mark.parametrize(
    ("channels", "blocking", "erlang"),
    # ITU-T E.500 supplements and every textbook: the traffic that N channels carry at 1 % and 0.1 % blocking.
    [(1, 0.01, 0.0101), (5, 0.01, 1.36), (10, 0.01, 4.46), (30, 0.01, 20.3), (60, 0.01, 46.9), (10, 0.001, 3.09)],
)
def test_erlang_b_is_that_of_the_tables(channels: int, blocking: float, erlang: float) -> None:
    assert erlang_b(erlang, channels) == pytest.approx(blocking, rel=0.02)
    assert channels_for(erlang * 0.99, blocking) == channels
    assert channels_for(erlang * 1.02, blocking) == channels + 1


@given(st.floats(0.1, 60), st.integers(0, 80))
def test_the_recursion_is_the_formula(erlang: float, channels: int) -> None:
    terms = [erlang**k / math.factorial(k) for k in range(channels + 1)]
    assert erlang_b(erlang, channels) == pytest.approx(terms[-1] / sum(terms), rel=1e-9)


@pytest.mark.parametrize("wrong", [(1.0, 0.0), (1.0, 1.0), (-1.0, 0.1), (math.nan, 0.1), (math.inf, 0.1)])
def test_what_cannot_be_computed(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="cannot be computed"):
        channels_for(*wrong)


@pytest.mark.parametrize(
    ("lines", "step", "kbps"),
    [(1, 4, 400), (4, 4, 400), (5, 10, 1000), (10, 10, 1000), (30, 30, 3000), (60, 60, 6000), (61, 120, 12000)],
)
def test_the_smallest_step_that_is_enough(lines: int, step: int, kbps: int) -> None:
    """Ten channels need 1 Mb/s, as the guide says."""
    advice = recommend(Need(lines=lines), ORDERS)
    assert (advice.channels, advice.step, advice.kbps) == (lines, step, kbps)


def test_above_the_largest_step_there_is_none() -> None:
    advice = recommend(Need(lines=121), ORDERS)
    assert (advice.step, advice.kbps) == (None, 12100)


@pytest.mark.parametrize(
    ("pbx", "channels", "model"),
    [
        ("bri", 4, "4131 with 2 BRI ports"),
        ("bri", 5, "4131 with 4 BRI ports"),
        ("bri", 8, "4131 with 4 BRI ports"),
        ("pri", 9, "4171 with 1 PRI port"),
        ("pri", 30, "4171 with 1 PRI port"),
        ("pri", 31, "5301"),
        ("pri", 61, "5501"),
        ("pri", 201, None),
        ("pstn", 8, "4141 with 8 PSTN ports"),
        ("sip", 8, None),
        ("sip-without-srv", 8, None),
    ],
)
def test_the_gateway_of_the_guide_that_fits(pbx: str, channels: int, model: str | None) -> None:
    assert recommend(Need(lines=channels, pbx=pbx), ORDERS).gateway == model


def test_who_is_to_be_asked_stands_in_the_data() -> None:
    other = msgspec.structs.replace(ORDERS, tariff=msgspec.structs.replace(ORDERS.tariff, provider="Example Telecom"))
    assert recommend(Need(lines=201, pbx="pri"), other).reasons[-1].endswith("201 channels: ask Example Telecom.")
    assert "ask Example Telecom whether" in recommend(Need(lines=31, pbx="pri"), other).reasons[-1]


def test_a_pbx_without_srv_gets_the_sbc() -> None:
    assert any("SIP to SIP SBC" in reason for reason in recommend(Need(lines=1, pbx="sip-without-srv"), ORDERS).reasons)


def test_phones_and_lines_together() -> None:
    """40 phones are 4 Erlang, which need 10 channels; more lines of today count, fewer do not."""
    assert recommend(Need(phones=40), ORDERS).channels == 10
    assert recommend(Need(phones=40, lines=6), ORDERS).channels == 10
    assert recommend(Need(phones=40, lines=12), ORDERS).channels == 12
    assert recommend(Need(phones=1), ORDERS).channels == 1  # never more than there are phones


@pytest.mark.parametrize(
    ("need", "says"), [(Need(), "say how many"), (Need(lines=1, pbx="fax"), "'fax' is no kind of PBX; there are sip, ")]
)
def test_a_need_that_says_nothing(need: Need, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        recommend(need, ORDERS)


def test_data_that_is_wrong_is_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "orders.toml"
    wrong.write_text("[tariff]\nchannels = 4")
    with pytest.raises(TomlError, match=r"orders\.toml: "):
        load_orders(wrong)


def test_every_figure_has_a_source_and_a_date() -> None:
    assert ORDERS.tariff.source
    assert ORDERS.tariff.date == "2019-07-01"
    assert ORDERS.gateways.source
    assert ORDERS.traffic.source


def test_the_command() -> None:
    code, printed = here("recommend", "--phones", "40", "--pbx", "bri")
    assert code == 0
    assert "Order: 10 channels (of 4, 10, 30, 60, 120)." in printed
    assert "Bandwidth: 1 Mb/s in each direction" in printed
    assert json.loads(here("recommend", "--calls", "20.3", "--json")[1])["step"] == 30
    code, printed = here("recommend", "--pbx", "x", "--lines", "1")
    assert code == 2
    assert "Error: 'x' is no kind of PBX" in printed
    assert here("recommend")[0] == 2


@pytest.mark.parametrize(
    ("need", "shared", "overflow", "alone"),
    [
        (Need(lines=8, trunks=2), [4, 4], [4, 4], [10, 10]),
        (Need(lines=12, trunks=2), [10, 10], [10, 4], [30, 30]),
        (Need(lines=200, trunks=2), [120, 120], [120, 120], [None, None]),
        (Need(lines=500, trunks=2), [None, None], [None, None], [None, None]),
        (Need(lines=9, trunks=3), [4, 4, 4], [4, 4, 4], [10, 10, 10]),
    ],
)
def test_channels_for_each_of_several_trunks(
    need: Need, shared: list[int | None], overflow: list[int | None], alone: list[int | None]
) -> None:
    ways = {sharing.use: sharing for sharing in recommend(need, ORDERS).sharing}
    assert [ways[use].channels for use in ("load-sharing", "overflow", "each carries all")] == [shared, overflow, alone]


def test_trunks_that_share_the_load_need_more_channels_than_one_divided() -> None:
    """Erlang B: 4 Erlang need 10 channels at 1 %, and 2 Erlang need 7, not 5."""
    advice = recommend(Need(calls=4, trunks=2), ORDERS)
    assert advice.channels == 10
    assert channels_for(2, 0.01) == 7
    assert advice.sharing[0].channels == [10, 10]


def test_one_trunk_is_not_shared() -> None:
    assert recommend(Need(lines=8), ORDERS).sharing == []


@pytest.mark.parametrize(
    ("outcome", "needs", "says"),
    [
        ("pass", "the native trunk", "The PBX asks DNS for SRV records"),
        ("fail", "SIP to SIP SBC", "The PBX does not ask DNS for SRV records"),
        ("unknown", "the native trunk", "Whether the PBX asks for SRV records is open"),
    ],
)
def test_a_report_of_the_pbx_says_whether_it_needs_the_sbc(outcome: str, needs: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "pbx.json"
    shown = verdict(outcome, id="pbx.asks-srv", group="pbx", link="PBX")
    path.write_text(to_json(report(shown, command="pbx trace")))
    code, printed = here("recommend", "--lines", "6", "--report", path)
    assert code == 0
    assert printed.startswith(says)
    assert needs in printed
    as_json = json.loads(here("recommend", "--lines", "6", "--report", path, "--json")[1])
    assert as_json["reasons"][0].startswith(says)
    assert here("recommend", "--lines", "6", "--report", path, "--pbx", "bri")[0] == 2


def test_a_report_of_a_site_does_not_say_it(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(to_json(report(verdict(), command="run")))
    code, printed = here("recommend", "--lines", "6", "--report", path)
    assert code == 2
    assert "does not say whether the PBX asks for SRV records" in printed
