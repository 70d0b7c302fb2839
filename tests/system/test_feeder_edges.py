"""The feeder at its edges: names, addresses, descriptors, a segment that is taken away, a reader that
comes first, many symbols."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import px
from px import Sim, free_port, measured, run, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, prices

SLOW = {"LD_PRELOAD": str(px.BUILD / "tests" / "libslow_names.so")}


def heartbeat_ms(bus):  # noqa: F811
    return bus.stat()[1]["feeder"]["heartbeat_age_ms"]


def test_a_name_that_takes_half_a_minute_delays_nothing(bus):  # noqa: F811
    with Sim(venue="binance_us", rate=500) as sim:
        bus.feeder(BTC, "binance_us:BTCUSD", "--endpoint", f"binance_us={sim.url}",
                   endpoint=f"ws://slow-name.test:{free_port()}", env=SLOW)
        tail = bus.tail_process("binance_us:BTCUSD", wait=True)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 50, what="prices of the other venue")
        assert bus.connection("binance")["state"] == "resolving"
        assert max(heartbeat_ms(bus) for _ in range(20)) < 1000


def test_a_slow_name_is_used_when_it_is_there(bus):  # noqa: F811
    with Sim() as sim:
        bus.feeder(BTC, endpoint=f"ws://slow-name.test:{sim.port}",
                   env={**SLOW, "SLOW_NAMES_MS": "700"})
        bus.wait_live()


def test_a_name_that_takes_longer_than_an_attempt_is_used_all_the_same(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nconnect_ms = 300\n")
    with Sim() as sim:
        bus.feeder(BTC, endpoint=f"ws://slow-name.test:{sim.port}", config=config,
                   env={**SLOW, "SLOW_NAMES_MS": "1500"})
        bus.wait_live()


def test_a_name_that_cannot_be_resolved_is_said_and_tried_again(bus):  # noqa: F811
    feeder = bus.feeder(BTC, endpoint=f"ws://fails-always.test:{free_port()}", env=SLOW)
    feeder.wait_err("fails-always.test cannot be resolved")
    wait_for(lambda: (bus.counter("connect_failures") or 0) > 3, what="further attempts")


def test_a_feeder_ends_at_once_while_a_name_is_resolved(bus):  # noqa: F811
    feeder = bus.feeder(BTC, endpoint=f"ws://slow-name.test:{free_port()}", env=SLOW)
    wait_for(lambda: (bus.connection() or {}).get("state") == "resolving")
    assert feeder.stop(timeout=5) == 0


def test_an_address_that_refuses_gives_way_to_the_next(bus):  # noqa: F811
    with Sim() as sim:  # localhost is ::1 and 127.0.0.1 on most machines; the simulator has one
        bus.feeder(BTC, endpoint=f"ws://localhost:{sim.port}")
        bus.wait_live()


def test_a_connection_is_opened_only_when_something_is_wanted(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        bus.feeder(endpoint=sim.url)
        assert bus.stat()[1]["connections"] == []
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 5)
        assert bus.connection()["state"] == "live"


def test_the_connection_goes_when_nothing_is_wanted_any_more(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\ngrace_ms = 100\n")
    with Sim(rate=500) as sim:
        bus.feeder(endpoint=sim.url, config=config)
        assert len(bus.tail(BTC, n=5)) >= 5
        wait_for(lambda: bus.stat()[1]["connections"] == [], what="the end of the connection")


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def rss_kb(process):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1])


def check_reconnects(bus, reconnects, tls=None):  # noqa: F811
    options = {"tls_ca": tls.ca} if tls else {}
    with Sim(rate=500, tls=tls, fault="half-frame:20") as sim, \
            Sim(rate=500, tls=tls, fault="close-mid-frame:20") as other:
        # both ends of every connection fail again and again
        feeder = bus.feeder(BTC, "binance_us:BTCUSD", "--endpoint", f"binance_us={other.url}",
                            endpoint=sim.url, **options)
        wait_for(lambda: (bus.counter("connects") or 0) >= 10, 60, "a few connections")
        before, memory = descriptors(feeder), rss_kb(feeder)
        wait_for(lambda: bus.counter("connects") >= 10 + reconnects, 90, "many connections")
        assert descriptors(feeder) <= before + 2  # one more or less is between two attempts
        assert rss_kb(feeder) < memory + 1024
        assert bus.counter("links") == 2 and bus.counter("timers") <= 3


def test_reconnects_leave_no_descriptor_and_no_memory(bus):  # noqa: F811
    check_reconnects(bus, 60)


def test_reconnects_over_tls_leave_no_descriptor_and_no_memory(bus, certificates):  # noqa: F811
    check_reconnects(bus, 60, certificates)


def test_a_segment_that_is_removed_is_said_once_and_feeding_goes_on(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        tail = bus.tail_process(BTC, wait=True)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 5)
        bus.segment().unlink()
        removed = time.monotonic()
        feeder.wait_err("was removed")
        measured("segment removed", time.monotonic() - removed, 1)
        seen = len(prices(tail.lines()))
        tail.wait_lines(lambda ticks: len(prices(ticks)) > seen + 50, what="prices after it")
        assert feeder.err().count("was removed") == 1
        assert feeder.stop() == 0


def test_many_symbols_share_connections_within_the_limits_of_the_venue(bus, tmp_path):  # noqa: F811
    names = [f"S{i}USDT" for i in range(600)]
    config = tmp_path / "feeder.ini"
    lines = "\n   ".join(" ".join(names[i:i + 10]) for i in range(0, len(names), 10))
    config.write_text(f"[binance]\nsymbols = {lines}\n")
    with Sim(rate=2000) as sim:
        bus.feeder(config=config, endpoint=sim.url, limits="venue")

        def settled():
            _, stat = bus.stat()
            connections = stat["connections"]
            return len(connections) == 2 and all(c["state"] == "live" for c in connections)
        wait_for(settled, 60, "two live connections")
        wait_for(lambda: bus.stat()[0] == 0, 60, "all symbols live")


def test_a_restart_while_a_reader_reads_is_no_end_for_it(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder = bus.feeder(endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 5)
        for epoch in (2, 3, 4):
            assert run("pxrestart", "-b", bus.name).returncode == 0
            seen = len(prices(tail.lines()))
            tail.wait_lines(lambda ticks: len(prices(ticks)) > seen + 20)
            assert bus.stat()[1]["bus"]["epoch"] == epoch
        assert tail.running() and feeder.running()
        assert feeder.stop() == 0


def test_sigterm_during_a_restart_wins(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        bus.wait_live()
        restart = subprocess.Popen([px.program("pxrestart"), "-b", bus.name, "--timeout", "1"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        feeder.wait_err("restarting")
        feeder.send(signal.SIGTERM)
        assert feeder.wait() == 0
        restart.wait(20)
