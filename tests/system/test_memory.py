"""Memory: what does not leak raises no alarm, limits are kept. The watch runs faster than the clock
(--test-watch-scale): its hour is 36 seconds of ours."""
import re
import subprocess

import pytest

from px import PATIENCE_S, Sim, wait_for
from px import bus  # noqa: F401  (fixture)

BTC = "binance:BTCUSDT"
SCALE = 100
RATE = 1000   # messages a second


def test_a_feeder_that_does_not_leak_is_flat_and_raises_no_alarm(bus):  # noqa: F811
    with Sim(rate=RATE) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, test_watch_scale=SCALE)
        memory = wait_for(lambda: (m := bus.stat()[1]["memory"])["trend"] != "unknown" and m, 60,
                          "a verdict")
        assert (memory["trend"], memory["owner"], memory["level"]) == ("flat", None, "ok")
        assert memory["objects"]["descriptors"] > 5 and memory["objects"]["blocks"] > 0
        assert "memory:" not in feeder.err()


def test_the_soft_limit_makes_it_release_what_nobody_asks_for(bus):  # noqa: F811
    with Sim(rate=RATE) as sim:
        feeder = bus.feeder(endpoint=sim.url, test_watch_scale=SCALE, memory_soft_mb=1,
                            grace_ms=3600000)
        bus.tail(BTC, n=1)
        feeder.wait_err("above the soft limit")
        wait_for(lambda: bus.counter("wanted") == 0, what="the end of the grace time")
        wait_for(lambda: bus.counter("slots_reclaimed") == 1, what="the slot")
        assert bus.stat()[1]["bus"]["symbols"] == 0
        assert bus.counter("memory_soft_trims") >= 1 and bus.counter("memory_recovered") > 0
        assert bus.stat()[0] == 1


def test_a_control_group_that_grants_less_than_the_plan_is_refused(bus, tmp_path):  # noqa: F811
    (tmp_path / "memory.max").write_text("104857600\n")
    mount = f"mount --bind {tmp_path} /sys/fs/cgroup 2>/dev/null || exit 77; exec \"$@\""
    done = subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", *bus.feeder_argv()],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mount namespaces here")
    group = [p for p in open("/proc/self/cgroup", encoding="ascii") if p.startswith("0::")]
    if not group:
        pytest.skip("no control groups of version 2 here")
    assert done.returncode == 1
    assert re.fullmatch(r"feeder: \S+: the plan is [0-9.]+ MB and memory\.max of the control group is "
                        r"104\.9 MB: .*\n", done.stderr), done.stderr
    assert not bus.segment().exists()


def test_it_recycles_on_a_schedule(bus):  # noqa: F811
    with Sim(rate=RATE) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, restart_every="2s", restart_min_s=1)
        feeder.wait_err("recycling: it is time")
        feeder.wait_err("epoch 2, adopted segment")
        wait_for(lambda: bus.stat()[0] == 0, what="prices")


def test_it_does_not_recycle_again_before_the_interval_is_over(bus):  # noqa: F811
    with Sim(rate=RATE) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, test_watch_scale=SCALE, memory_soft_mb=1,
                            memory_hard_mb=1, restart_min_s=3600)
        wait_for(lambda: bus.counter("memory_hard_hits") > 100, what="hits")
        assert bus.stat()[1]["bus"]["epoch"] == 1 and "recycling" not in feeder.err()
        assert bus.stat()[0] == 2
