"""A leak that is put in on purpose is found, named, forecast and recycled away. The watch runs faster
than the clock (--test-watch-scale), and growth is that of its hour. Not under sanitizers, whose
allocator keeps no count of the heap."""
import re

from px import Sim, wait_for
from px import bus  # noqa: F401  (fixture)
from test_memory import BTC, RATE, SCALE

BYTES = 4000  # leaked by each message
HARD_MB = 60


def grows(bus):  # noqa: F811
    _, stat = bus.stat()
    memory = (stat or {}).get("memory") or {}
    return (memory, stat["counters"]["frames_in"]) if memory.get("owner") else None


def leak(bus, owner, soft_mb=0):  # noqa: F811
    with Sim(rate=RATE) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, test_leak=f"{owner}:{BYTES}",
                            test_watch_scale=SCALE, memory_soft_mb=soft_mb, memory_hard_mb=HARD_MB,
                            restart_min_s=1)
        memory, frames = wait_for(lambda: grows(bus), 60, "the verdict")
        assert memory["owner"] == owner and memory["trend"] == "growing", memory
        assert memory["level"] == "critical" and bus.stat()[0] == 2
        assert memory["confidence"] > 0.99
        # what it says of the hour, in bytes of a message
        per_message = memory["growth_mb_per_hour"] * 1e6 / 3600 * SCALE / RATE
        assert 0.8 * BYTES < per_message < 1.25 * (BYTES + 64), memory
        feeder.wait_err("above the hard limit", 60)
        grown = bus.counter("frames_in") - frames
        forecast = memory["time_to_limit_s"] / SCALE * RATE
        assert 0.8 * grown < forecast < 1.2 * grown, (grown, forecast, memory)
        feeder.wait_err("recycling: memory is above the hard limit")
        feeder.wait_err("epoch 2, adopted segment")
        assert "rear-guard" not in feeder.err()  # memory that is short is not to be had twice
        assert len(re.findall("memory: grows", feeder.err())) <= 2  # once a change, not once a verdict
        wait_for(lambda: bus.stat()[1]["memory"]["rss_bytes"] < HARD_MB << 20, what="less memory")


def test_a_leak_of_the_feeder_is_found_named_forecast_and_recycled_away(bus):  # noqa: F811
    leak(bus, "feeder")


def test_a_leak_of_libwebsockets_is_found_named_forecast_and_recycled_away(bus):  # noqa: F811
    leak(bus, "websocket")


def test_a_leak_of_openssl_is_found_named_forecast_and_recycled_away(bus):  # noqa: F811
    leak(bus, "tls")


def test_a_leak_of_the_parser_is_found_named_forecast_and_recycled_away(bus):  # noqa: F811
    leak(bus, "json")


def test_a_leak_above_the_soft_limit_is_judged_as_well(bus):  # noqa: F811
    leak(bus, "websocket", soft_mb=1)
