"""The faults of test_feeder_faults.py by a server that is not ours, plain and over TLS: what readers see,
what pxstat says, how long it took. A simulator of our own cannot find our own misunderstandings."""
import json
import re

import pytest

import faulty_venue
from faulty_venue import (
    WARM_UP, FaultyVenue, again, broken_json, closing, cut_in_a_frame, endless, giant, half_frame,
    hole, mute, not_utf8, refusal, silent)
from px import measured, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, check_told, expected, prices, trade

FIRST_ID = json.loads(trade(0))["data"]["t"]
SILENCE_MS = 1000
NO_SILENCE_MS = 20000  # where nothing is to be taken for it, however busy the machine
BACKOFF_S = 0.2  # at most, to an endpoint of one's own
CLOSES = ((1001, "going away"), (1008, "policy"), (1012, "restarting"), (1013, "come back later"),
          (4003, "of our own"))
BOTH = pytest.mark.parametrize("secure", (False, True), ids=("plain", "tls"))


def start(bus, tmp_path, url, tls, connect_ms=60000, silence_ms=NO_SILENCE_MS):  # noqa: F811
    """A feeder on this venue, and a reader, whose subscription opens the connection."""
    config = tmp_path / "feeder.ini"
    config.write_text(f"[bus]\nconnect_ms = {connect_ms}\n[binance]\nsilence_ms = {silence_ms}\n")
    bus.feeder(endpoint=url, config=config, **({"tls_ca": tls.ca} if tls else {}))
    return bus.tail_process(BTC)


def check_prices(ticks):
    """Each trade is the one that the venue made under this id; what is missing is told."""
    trades = [t for t in ticks if t["kind"] == "trade"]
    assert prices(trades) == expected([trade(int(t["trade_id"]) - FIRST_ID) for t in trades])
    check_told(ticks)


def check_ill(bus, reason):  # noqa: F811
    """Until pxstat has this reason; then symbol and exit code say that prices are old."""
    def told():
        conn = bus.connection()
        return conn and re.search(reason, conn["reason"] or "") and conn["state"] != "live"
    wait_for(told, what=reason)
    wait_for(lambda: bus.stat()[0] == 1, what="exit code 1 of pxstat")
    assert bus.subscription(BTC)["state"] == "stale"


def check_well(bus, tail):  # noqa: F811
    seen = len(prices(tail.lines()))
    tail.wait_lines(lambda ticks: len(prices(ticks)) > seen + 50, what="prices after it")
    wait_for(lambda: bus.stat()[0] == 0, what="exit code 0 of pxstat")
    assert bus.subscription(BTC)["state"] == "live"
    check_prices(tail.lines())


def check_lost(bus, tmp_path, tls, what, talk, reason, cause="lost", bound_s=1.0):  # noqa: F811
    """A connection that was live ends by this; readers are told, and nothing is wrong after it."""
    cause = {"lost": "the connection was lost", "mute": "the connection brings nothing"}[cause]
    silence_ms = SILENCE_MS if "nothing" in cause else NO_SILENCE_MS
    with FaultyVenue(talk=talk, tls=tls) as venue:
        tail = start(bus, tmp_path, venue.url, tls, silence_ms=silence_ms)
        check_ill(bus, reason)
        stale, = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"])
        assert (stale["symbol"], stale["cause"]) == (BTC, cause)
        measured(what, stale["recv_ts_ns"] / 1e9 - venue.fault_at, bound_s)
        assert len(prices(tail.lines())) == WARM_UP
        venue.heal()
        check_well(bus, tail)
        assert [t["count"] for t in tail.lines() if t.get("event") == "gap"] == [faulty_venue.SKIP]


def check_kept(bus, tmp_path, tls, **fault):  # noqa: F811
    """A fault that costs no connection: the ticks of a second and more."""
    with FaultyVenue(tls=tls, **fault) as venue:
        tail = start(bus, tmp_path, venue.url, tls)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 300, what="ticks")
        wait_for(lambda: bus.stat()[0] == 0, what="exit code 0 of pxstat")
        assert bus.connection()["state"] == "live" and bus.connection()["reconnects"] == 0
        check_prices(tail.lines())
        return tail


def use(secure, certificates):  # noqa: F811
    return certificates if secure else None


@BOTH
def test_an_independent_server_that_refuses_is_tried_until_it_listens(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tls = use(secure, certificates)
    with FaultyVenue(tls=tls, listens=False) as venue:
        tail = start(bus, tmp_path, venue.url, tls)
        check_ill(bus, "cannot connect: Connection refused")
        wait_for(lambda: bus.counter("connect_failures") > 3, what="further attempts")
        venue.heal()
        venue.listen()
        check_well(bus, tail)


@BOTH
def test_an_independent_server_that_says_too_many_is_left_alone_as_long_as_it_says(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tls = use(secure, certificates)
    with FaultyVenue(upgrade=refusal(429, Retry_After="1"), tls=tls) as venue:
        tail = start(bus, tmp_path, venue.url, tls)
        check_ill(bus, "refused the upgrade: 429 Too Many Requests, try again after 1 s")
        wait_for(lambda: len(venue.attempts) >= 3, what="two more attempts")
        pauses = [b - a for a, b in zip(venue.attempts, venue.attempts[1:])]
        assert min(pauses) > 0.8, pauses  # the clocks of two processes, and a busy machine
        venue.heal()
        check_well(bus, tail)


@BOTH
def test_an_independent_server_that_is_unavailable_is_tried_until_it_is_not(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tls = use(secure, certificates)
    with FaultyVenue(upgrade=refusal(503), tls=tls) as venue:
        tail = start(bus, tmp_path, venue.url, tls)
        check_ill(bus, "refused the upgrade: 503 Service Unavailable")
        wait_for(lambda: len(venue.attempts) > 8, what="further attempts")
        pauses = [b - a for a, b in zip(venue.attempts, venue.attempts[1:])]
        measured("longest pause of the back-off", max(pauses), BACKOFF_S)
        assert prices(tail.lines()) == []
        venue.heal()
        check_well(bus, tail)


@BOTH
def test_an_independent_server_that_never_answers_the_upgrade_is_left_at_the_deadline(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tls = use(secure, certificates)
    with FaultyVenue(upgrade=silent, tls=tls) as venue:
        tail = start(bus, tmp_path, venue.url, tls, connect_ms=500)
        check_ill(bus, "the upgrade request was not answered in time")
        wait_for(lambda: len(venue.attempts) > 1, what="the next attempt")
        measured("silent upgrade", venue.attempts[1] - venue.attempts[0], 0.5 + BACKOFF_S)
        venue.heal()
        check_well(bus, tail)


@pytest.mark.parametrize("code, words", CLOSES)
@BOTH
def test_an_independent_server_that_closes_is_quoted_with_code_and_words(
        bus, tmp_path, certificates, secure, code, words):  # noqa: F811
    check_lost(bus, tmp_path, use(secure, certificates), f"close {code}", closing(code, words),
               f"closed by the venue with code {code}: {words}")


@BOTH
def test_an_independent_server_that_cuts_in_a_frame_costs_no_wrong_price(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tls = use(secure, certificates)
    check_lost(bus, tmp_path, tls, "cut in a frame", cut_in_a_frame,
               "the connection ended without close_notify|without a close frame|reset by peer")


@BOTH
def test_an_independent_server_that_falls_silent_is_given_up_for_dead(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_lost(bus, tmp_path, use(secure, certificates), "mute", mute,
               "nothing was received for too long", "mute", SILENCE_MS / 1000)


@BOTH
def test_an_independent_server_that_stops_in_a_frame_is_given_up_for_dead(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_lost(bus, tmp_path, use(secure, certificates), "half a frame", half_frame,
               "nothing was received for too long", "mute", SILENCE_MS / 1000)


@BOTH
def test_an_independent_server_with_a_giant_of_a_message_is_left(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_lost(bus, tmp_path, use(secure, certificates), "giant frame", giant,
               "longer than the limit of 16777216")


@BOTH
def test_an_independent_server_with_fragments_without_end_is_left(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_lost(bus, tmp_path, use(secure, certificates), "endless fragments", endless,
               "longer than the limit of 16777216", bound_s=3.0)


@BOTH
def test_an_independent_server_with_text_that_is_not_utf8_is_left(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_lost(bus, tmp_path, use(secure, certificates), "bad UTF-8", not_utf8, "text is not UTF-8")


@BOTH
def test_an_independent_server_that_answers_no_ping_and_sends_none_is_kept(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_kept(bus, tmp_path, use(secure, certificates), pongs=False)


@BOTH
def test_an_independent_server_with_broken_messages_is_kept_and_they_are_counted(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_kept(bus, tmp_path, use(secure, certificates), talk=broken_json)
    assert bus.counter("frames_bad") == 3
    assert any("broken JSON" in e["text"] for e in bus.stat()[1]["errors"])


@BOTH
def test_an_independent_server_that_skips_trades_is_kept_and_they_are_named(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tail = check_kept(bus, tmp_path, use(secure, certificates), talk=hole)
    gap, = [t for t in tail.lines() if t.get("event") == "gap"]
    assert (gap["first_id"], gap["last_id"], gap["count"]) == (
        str(FIRST_ID + WARM_UP), str(FIRST_ID + WARM_UP + 6), 7)


@BOTH
def test_an_independent_server_that_repeats_itself_is_kept_and_published_once(
        bus, tmp_path, certificates, secure):  # noqa: F811
    check_kept(bus, tmp_path, use(secure, certificates), talk=again)
    assert bus.counter("duplicates") == 3
