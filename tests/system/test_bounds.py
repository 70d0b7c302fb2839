"""How long each trouble takes to be noticed: the rows of "Bounds" in docs/operations.md that no other
test measures. Each prints what it measured, and fails at five times the bound."""
import signal
import socket
import time

import pytest

from faulty_venue import FaultyVenue
from px import Blackhole, Sim, measured, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, logged, prices, read_client_frames, upgrade
from test_feeder_edges import SLOW
from test_feeder_independent import BOTH, SILENCE_MS, check_ill, check_well, start, use
from test_promises import sim_stats
from wire import Wire

STEP_MS = 400


# ---- the feeder ----

@pytest.mark.parametrize("end", (signal.SIGKILL, signal.SIGSTOP))
def test_prices_of_a_feeder_that_is_gone_or_stopped_are_stale_in_a_second(
        bus, end):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder = bus.feeder(endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 20)
        feeder.send(end)
        gone = time.monotonic()
        stale = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"])
        measured(f"feeder and {end.name}", time.monotonic() - gone, 1)
        assert stale[0]["cause"] == "the feeder gives no sign of life"
        assert bus.stat()[0] in ((2,) if end == signal.SIGKILL else (1, 2))  # 2 after five seconds
        assert bus.subscription(BTC)["state"] == "stale"


def test_a_close_frame_that_is_not_answered_is_waited_for_no_longer_than_said(
        bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text(f"[bus]\ngrace_ms = 0\nclose_ms = {STEP_MS}\n")
    with Blackhole() as hole:
        bus.feeder(endpoint=f"ws://127.0.0.1:{hole.port}", config=config)
        reader = bus.tail_process(BTC)
        venue = hole.accepted()
        upgrade(venue)
        wait_for(lambda: (bus.connection() or {}).get("state") == "subscribing")
        reader.kill()
        left = time.monotonic()
        assert read_client_frames(venue)[-1] == 8  # and then it hangs up
        measured("close frame without an answer", time.monotonic() - left, STEP_MS / 1000)


# ---- readers ----

def test_a_symbol_that_nobody_wants_is_unsubscribed_after_the_grace_time(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        bus.feeder("binance:ETHUSDT", endpoint=sim.url, grace_ms=STEP_MS)
        reader = bus.tail_process(BTC)
        reader.wait_lines(lambda ticks: len(prices(ticks)) > 5)
        assert "btcusdt@trade" in sim_stats(sim)["subscribed"]
        reader.kill()
        left = time.monotonic()
        wait_for(lambda: "btcusdt@trade" not in sim_stats(sim)["subscribed"], what="the unsubscribe")
        measured("grace time", time.monotonic() - left, STEP_MS / 1000)


# ---- the steps of an attempt ----

def deaf_port():
    """A port whose queue of connections is full: it does not answer."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        waiting.append(client)
    return listener, waiting


def check_step(bus, url, reason, env=None):  # noqa: F811
    feeder = bus.feeder(BTC, endpoint=url, connect_ms=STEP_MS, env=env)
    feeder.wait_err(reason)
    measured(reason, logged(feeder, reason)[0] - logged(feeder, "epoch 1")[0], STEP_MS / 1000)
    wait_for(lambda: bus.counter("connect_failures") > 1, what="the next attempt's end")
    code, stat = bus.stat()
    assert code == 1 and stat["subscriptions"][0]["state"] == "stale"
    assert stat["subscriptions"][0]["cause"] == "not connected yet"


def test_a_name_that_is_not_resolved_ends_the_attempt_at_its_deadline(bus):  # noqa: F811
    check_step(bus, "ws://slow-name.test:1", "the name was not resolved in time", SLOW)


def test_a_host_that_does_not_answer_ends_the_attempt_at_its_deadline(bus):  # noqa: F811
    listener, waiting = deaf_port()
    with listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        check_step(bus, url, "no answer to the connection attempt")
        for client in waiting:
            client.close()


@pytest.mark.parametrize("scheme, reason", (
    ("wss", "the TLS handshake was not answered in time"),
    ("ws", "the upgrade request was not answered in time")))
def test_a_venue_that_accepts_and_is_silent_ends_the_attempt_at_its_deadline(
        bus, scheme, reason):  # noqa: F811
    with Blackhole() as hole:
        check_step(bus, f"{scheme}://127.0.0.1:{hole.port}", reason)


# ---- a live connection ----

def check_dead(bus, tmp_path, tls, what, die, revive):  # noqa: F811
    """A peer that goes without a word: noticed by its silence."""
    with FaultyVenue(tls=tls) as venue, Wire(venue.port) as wire:
        venue.heal()
        url = venue.url.replace(str(venue.port), str(wire.port))
        tail = start(bus, tmp_path, url, tls, silence_ms=SILENCE_MS)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 20)
        die(wire)
        dead = time.time()
        check_ill(bus, "nothing was received for too long")
        stale, = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"])
        assert stale["cause"] == "the connection brings nothing"
        measured(what, stale["recv_ts_ns"] / 1e9 - dead, SILENCE_MS / 1000)
        revive(wire)
        check_well(bus, tail)


@BOTH
def test_a_peer_whose_packets_vanish_is_noticed_by_its_silence(
        bus, tmp_path, certificates, secure):  # noqa: F811
    def revive(wire):
        wire.pass_on()
        wire.cut()
    check_dead(bus, tmp_path, use(secure, certificates), "packets that vanish", Wire.vanish, revive)


@BOTH
def test_a_server_that_is_stopped_is_noticed_by_its_silence(
        bus, tmp_path, certificates, secure):  # noqa: F811
    tls = use(secure, certificates)
    with Sim(rate=200, tls=tls) as sim:
        tail = start(bus, tmp_path, sim.url, tls, silence_ms=SILENCE_MS)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 20)
        sim.send(signal.SIGSTOP)
        stopped = time.time()
        check_ill(bus, "nothing was received for too long")
        stale, = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"])
        measured("server stopped", stale["recv_ts_ns"] / 1e9 - stopped, SILENCE_MS / 1000)
        sim.send(signal.SIGCONT)
        seen = len(prices(tail.lines()))
        tail.wait_lines(lambda ticks: len(prices(ticks)) > seen + 20, what="prices again")
        wait_for(lambda: bus.stat()[0] == 0, what="exit code 0 of pxstat")
