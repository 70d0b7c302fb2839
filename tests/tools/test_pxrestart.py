"""pxrestart: recycles a real feeder, and fails with one sentence when it cannot."""
import json
import os
import signal
import subprocess
import time

import pytest

from px_tools import BIN, bus_name, stat, tool, until
from px_tools import feeder, new_writer, tail, writer  # noqa: F401  (fixtures)

SYMBOL = "binance:BTCUSDT"


def pxrestart(bus, *args, **how):
    return tool("pxrestart", *args, bus=bus, **{"timeout": 60, **how})


def one_line(text):
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.strip()


def test_restart_brings_a_new_epoch_and_prices(feeder, tail):
    t = tail(feeder.bus, SYMBOL)
    until(lambda: t.find(kind="trade"), "prices")
    before = stat(feeder.bus)
    done = pxrestart(feeder.bus, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["ok"] is True and data["killed"] is False and data["reason"] is None
    assert data["epoch_before"] == before["bus"]["epoch"]
    assert data["epoch_after"] == data["epoch_before"] + 1
    assert data["pid_before"] == before["feeder"]["pid"]
    assert data["blackout_ms"] > 0 and data["refreshed"] > 0
    assert isinstance(data["ticks_lost"], int) and isinstance(data["gaps"], int)
    assert data["rss_before_bytes"] is None or data["rss_before_bytes"] > 0
    print({k: data[k] for k in ("blackout_ms", "took_ms", "ticks_lost", "gaps")})
    after = stat(feeder.bus)
    assert after["bus"]["epoch"] == data["epoch_after"]
    assert after["bus"]["sequence"] > before["bus"]["sequence"]
    count = len(t.lines())
    until(lambda: len(t.lines()) > count + 3, "the reader goes on")
    assert t.process.poll() is None


def test_text_says_memory_blackout_and_loss(feeder):
    until(lambda: stat(feeder.bus)["memory"]["rss_bytes"], "memory is sampled")
    done = pxrestart(feeder.bus)
    assert done.returncode == 0, done.stderr
    for words in ("epoch 1 -> 2", "MiB before", "blackout", " ms from the last price",
                  "ticks lost", "that were live have a new price"):
        assert words in done.stdout, done.stdout


def test_no_bus_is_exit_1():
    done = pxrestart(bus_name())
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such bus" in one_line(done.stderr)


def test_no_feeder_is_exit_1(writer):
    writer.say(f"trade {SYMBOL} 1 1")
    done = pxrestart(writer.bus, "--timeout", 2)
    assert done.returncode == 1
    assert "no control socket" in one_line(done.stderr)
    writer.close()
    done = pxrestart(writer.bus, "--timeout", 2)
    assert done.returncode == 1
    assert "no feeder runs" in one_line(done.stderr)


def test_feeder_that_comes_back_without_prices_is_exit_1(feeder):
    feeder.signal_exchanges(signal.SIGSTOP)
    try:
        done = pxrestart(feeder.bus, "--timeout", 3)
        assert done.returncode == 1
        assert "back in epoch 2 and brings no price" in one_line(done.stderr)
    finally:
        feeder.signal_exchanges(signal.SIGCONT)


def test_hanging_feeder_is_exit_1_without_force(feeder):
    feeder.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    done = pxrestart(feeder.bus, "--timeout", 4)
    assert done.returncode == 1
    assert "does not answer" in one_line(done.stderr)
    assert time.monotonic() - begin < 10
    feeder.process.send_signal(signal.SIGCONT)
    assert feeder.process.poll() is None


def test_force_kills_a_hanging_feeder_and_awaits_its_supervisor(feeder):
    feeder.process.send_signal(signal.SIGSTOP)
    process = subprocess.Popen([BIN / "pxrestart", "-b", feeder.bus, "--force", "--json"],
                               stdout=subprocess.PIPE, text=True)
    assert feeder.process.wait(20) == -signal.SIGKILL
    feeder.start()
    out = process.communicate(timeout=40)[0]
    data = json.loads(out)
    assert process.returncode == 0, out
    assert data["killed"] is True and data["epoch_after"] == data["epoch_before"] + 1
    assert data["pid_after"] == feeder.process.pid


def test_force_without_a_supervisor_is_exit_1(feeder):
    feeder.process.send_signal(signal.SIGSTOP)
    done = pxrestart(feeder.bus, "--force", "--timeout", 4)
    assert done.returncode == 1
    assert "supervisor" in one_line(done.stderr)
    assert feeder.process.wait(5) == -signal.SIGKILL


def test_force_kills_nobody_who_does_not_hold_the_bus(writer):
    """The pid in the segment is that of a stranger by now: it is left alone."""
    writer.say(f"trade {SYMBOL} 1 1")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        segment = f"/dev/shm/px-{writer.bus}"
        writer.signal(signal.SIGSTOP)
        with open(segment, "r+b") as file:
            file.seek(48)
            file.write(stranger.pid.to_bytes(4, "little"))
        done = pxrestart(writer.bus, "--force", "--timeout", 2)
        assert done.returncode == 1
        assert "left alone" in one_line(done.stderr)
        assert stranger.poll() is None
        stranger.kill()


def test_another_user_is_refused(feeder):
    if os.geteuid() != 0:
        pytest.skip("needs root to be another user")
    for path in (f"/dev/shm/px-{feeder.bus}",):
        os.chmod(path, 0o644)
    done = pxrestart(feeder.bus, "--timeout", 3, user=65534, group=65534)
    assert done.returncode == 1
    one_line(done.stderr)
    assert stat(feeder.bus)["bus"]["epoch"] == 1


def test_usage_is_exit_2():
    for args in (("--timeout", "x"), ("--nonsense",), ("operand",), ("--timeout", "0")):
        done = tool("pxrestart", *args)
        assert (done.returncode, done.stdout) == (2, ""), args
        assert one_line(done.stderr).startswith("pxrestart: ")
