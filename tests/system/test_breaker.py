"""Breaker and budget of an endpoint, as they are seen from outside: by the server that counts, by pxstat,
and by the next feeder."""
import re
import signal
import time

from px import PATIENCE_S, Blackhole, run, wait_for
from px import bus  # noqa: F401  (fixture)
from test_feeder import BTC, upgrade
from test_feeder_ends import close_frame, refuse

TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\n\r\n"


def url(hole):
    return f"ws://127.0.0.1:{hole.port}"


def state_file(bus):  # noqa: F811
    return bus.state / f"{bus.name}.breakers"


def wait_open(bus, venue="binance"):  # noqa: F811
    """Until the record says that the breaker is open; returns the record."""
    def is_open():
        conn = bus.connection(venue)
        return conn if conn and conn["breaker"] == "open" and conn["state"] == "waiting" else None
    return wait_for(is_open, what="an open breaker")


def test_a_venue_that_refuses_opens_the_breaker_and_pxstat_says_why_and_until_when(bus):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder(BTC, endpoint=url(hole), limits="venue")
        refuse(hole, TOO_MANY % 600)
        conn = wait_open(bus)
        assert 500_000 < conn["next_attempt_ms"] <= 601_000
        assert bus.counter("breaker_opens") == 1
        shown = run("pxstat", "-b", bus.name, "--connections")
        assert shown.returncode == 1
        assert re.search(r"^binance +waiting +open ", shown.stdout, re.M), shown.stdout
        assert "429 Too Many Requests, try again after 600 s" in shown.stdout
        assert re.search(r"next attempt in (10 min|9 min)", shown.stdout), shown.stdout
        sentence = bus.stat()[1]["health"]["text"]
        assert "the breaker of binance is open: the venue refused the upgrade: 429" in sentence


def test_one_connection_is_on_trial_and_the_others_of_the_venue_wait_for_it(bus):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder("binance_usdm:BTCUSDT", endpoint=url(hole), venue="binance_usdm",
                   limits="venue")
        refuse(hole, TOO_MANY % 2)
        refuse(hole, TOO_MANY % 2)  # trades and quotes come over connections of their own
        wait_for(lambda: bus.counter("connect_failures") == 2)
        assert wait_open(bus, "binance_usdm")
        with hole.accepted() as trial:
            assert hole.accepted(2) is None
            states = [c["state"] for c in bus.stat()[1]["connections"]]
            assert sorted(states) == ["upgrading", "waiting"], states
            assert [c["breaker"] for c in bus.stat()[1]["connections"]] == ["half-open"] * 2
            upgrade(trial)
            trial.sendall(close_frame(1013, "come back later"))
        conn = wait_open(bus, "binance_usdm")
        assert 5_000 < conn["next_attempt_ms"] <= 31_000
        reasons = [c["reason"] for c in bus.stat()[1]["connections"]]
        assert any(re.search(r"code 1013: come back later, try again after [123]\d s", r)
                   for r in reasons), reasons


def test_what_a_venue_asked_for_survives_every_kind_of_end(bus):  # noqa: F811
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=url(hole), limits="venue")
        refuse(hole, TOO_MANY % 600)
        before = wait_open(bus)
        assert run("pxrestart", "-b", bus.name, "-t", 1).returncode == 1  # no prices
        after = wait_open(bus)
        assert after["reason"] == before["reason"]
        assert after["next_attempt_ms"] <= before["next_attempt_ms"] + 100
        for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
            feeder.stop(end)
            feeder = bus.feeder(BTC, endpoint=url(hole), limits="venue")
            conn = wait_open(bus)
            assert conn["next_attempt_ms"] > 400_000 and bus.stat()[0] == 1
            assert "429 Too Many Requests" in conn["reason"]
        assert hole.accepted(0) is None
        assert "failures 1 " in state_file(bus).read_text()


def test_a_feeder_that_is_killed_in_each_attempt_waits_as_one_that_runs(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"  # a waiting time of seconds is one of ten thousand
    config.write_text("[bus]\nbackoff_min_ms = 86400000\nbackoff_max_ms = 86400000\n")
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=url(hole), limits="venue", config=config)
        hole.accepted().close()
        for _ in range(4):
            feeder.stop(signal.SIGKILL)
            feeder = bus.feeder(BTC, endpoint=url(hole), limits="venue", config=config)
            wait_open(bus)
        assert hole.accepted(0) is None


def test_feeders_killed_in_a_loop_keep_the_budget_of_the_venue(bus, tmp_path):  # noqa: F811
    """OKX allows three attempts in a second. Whatever this machine delays, sixteen cannot have been made
    within five windows."""
    config = tmp_path / "feeder.ini"  # no back-off to speak of: the budget alone holds them
    config.write_text("[bus]\nbackoff_min_ms = 1\nbackoff_max_ms = 1\n")
    options = {"venue": "okx", "limits": "venue", "config": config}
    with Blackhole() as hole:
        started = time.monotonic()
        feeder = bus.feeder("okx:BTC-USDT", endpoint=url(hole), **options)
        for attempt in range(1, 17):
            accepted = hole.accepted(PATIENCE_S)
            assert accepted is not None, attempt
            if attempt % 3 == 0:
                feeder.stop(signal.SIGKILL)
                feeder = bus.feeder("okx:BTC-USDT", endpoint=url(hole), **options)
            accepted.close()
        assert time.monotonic() - started >= 5
        wait_for(lambda: bus.counter("budget_waits") > 0, what="an attempt that was put off")


def test_an_attempt_is_written_down_before_it_is_made(bus):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder(BTC, endpoint=url(hole), limits="venue")
        with hole.accepted():
            text = state_file(bus).read_text()
        assert len(re.findall(r"^attempt \d+$", text, re.M)) == 1
        assert re.search(rf"^endpoint binance 127.0.0.1:{hole.port} .* trying 1 ", text, re.M)


def test_an_endpoint_of_ones_own_is_tried_often_and_leaves_no_file(bus):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder(BTC, endpoint=url(hole))
        for _ in range(12):
            hole.accepted().close()
        assert not state_file(bus).exists()
