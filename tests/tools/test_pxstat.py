"""pxstat: its exit codes and sentences for each state of a bus, and its JSON member by member."""
import json
import os
import signal
import struct
import subprocess
import time

import pytest

from px_tools import (BIN, CONN_LIVE, CONN_WAITING, GAP, LIVE, QUIET, SHM, STALE, bus_name, pxstat,
                      remove, stat, state_of, tool, until)
from px_tools import feeder, new_writer, writer  # noqa: F401  (fixtures)

SYMBOL = "binance:BTCUSDT"


def one_line(text):
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.strip()


def healthy(w):
    w.say(f"bind {SYMBOL}", f"pin {SYMBOL} 2 3", f"quality {SYMBOL} {LIVE} 0",
          f"trade {SYMBOL} 61837.63000000 0.02000000")


def expect(w, code, state, words):
    """The same verdict as text and as JSON; one sentence on stderr for 2 only."""
    text = pxstat(w.bus)
    obj = pxstat(w.bus, "--json")
    assert (text.returncode, obj.returncode) == (code, code), text.stdout
    data = json.loads(obj.stdout)
    assert data["feeder"]["state"] == state
    assert words in data["health"]["text"]
    assert words.split()[0] in text.stdout
    if code == 2:
        assert words in one_line(text.stderr)
        assert text.stderr.startswith(f"pxstat: {w.bus}: ")
    else:
        assert text.stderr == "" and obj.stderr == ""
    return data


def test_live_bus_is_exit_0(writer):
    healthy(writer)
    expect(writer, 0, "live", "1 of 1 subscribed symbols are live")


def test_nothing_subscribed_is_idle_and_exit_0(writer):
    expect(writer, 0, "idle", "nothing is subscribed")


def test_stopped_feeder_is_exit_1_then_2(writer):
    healthy(writer)
    writer.signal(signal.SIGSTOP)
    until(lambda: pxstat(writer.bus).returncode == 1, "exit 1", 5)
    expect(writer, 1, "stalled", "is stopped by a signal")
    until(lambda: pxstat(writer.bus).returncode == 2, "exit 2", 25)
    data = expect(writer, 2, "stalled", "no sign of life")
    assert data["feeder"]["heartbeat_age_ms"] > 5000
    assert data["subscriptions"][0]["state"] == "stale"
    writer.signal(signal.SIGCONT)
    until(lambda: pxstat(writer.bus).returncode == 0, "exit 0 again")


def test_hanging_feeder_is_told_from_a_stopped_one(writer):
    healthy(writer)
    writer.say("silent")
    until(lambda: pxstat(writer.bus).returncode == 1, "exit 1", 5)
    expect(writer, 1, "stalled", "hangs")


def test_killed_feeder_is_exit_2_at_once(writer):
    healthy(writer)
    writer.kill()
    data = expect(writer, 2, "gone", "the feeder is gone")
    time.sleep(0.3)  # a clock that must not go on
    assert abs(stat(writer.bus)["feeder"]["uptime_s"] - data["feeder"]["uptime_s"]) <= 0.1
    assert data["subscriptions"][0]["symbol"] == SYMBOL


def test_closed_bus_is_exit_2_and_says_that_it_ended_in_order(writer):
    healthy(writer)
    writer.close()
    expect(writer, 2, "closed", "ended in order")


def test_stale_symbol_is_exit_1_with_its_cause(writer):
    healthy(writer)
    writer.say(f"quality {SYMBOL} {STALE} 4")
    data = expect(writer, 1, "live", f"{SYMBOL} is stale")
    assert data["subscriptions"][0]["state"] == "stale"
    assert "connection" in data["subscriptions"][0]["cause"]
    assert "stale" in pxstat(writer.bus).stdout


def test_symbol_in_gap_is_exit_1(writer):
    healthy(writer)
    writer.say(f"quality {SYMBOL} {GAP} 9")
    expect(writer, 1, "live", "missing ticks")


def test_quiet_symbol_is_exit_0(writer):
    healthy(writer)
    writer.say(f"quality {SYMBOL} {QUIET} 6")
    data = expect(writer, 0, "live", "0 of 1")
    assert data["subscriptions"][0]["state"] == "quiet"


def test_open_breaker_is_exit_1_with_its_reason(writer):
    healthy(writer)
    writer.say(f"conn 0 binance wss://x:9443 {CONN_WAITING} 1 7 HTTP 429, retry after 60 s")
    expect(writer, 1, "live", "breaker of binance is open: HTTP 429, retry after 60 s")


def test_memory_at_warning_is_exit_1_and_critical_is_exit_2(writer):
    healthy(writer)
    writer.say("memory 100000000 50000000", "verdict 2 1 50000000 990000 2 7200")
    data = expect(writer, 1, "live", "memory is high")
    assert data["memory"]["owner"] == "tls"
    writer.say("verdict 2 2 50000000 990000 2 600")
    expect(writer, 2, "live", "memory is critical")


def test_no_bus_is_exit_3():
    for args in ((), ("--json",), ("--watch",), ("--explain",)):
        done = pxstat(bus_name(), *args)
        assert done.returncode == 3 and done.stdout == ""
        assert "no such bus" in one_line(done.stderr)


def test_usage_is_exit_3():
    for args in (("--nonsense",), ("operand",), ("--watch", "x"), ("--history", "yesterday"),
                 ("--bus",), ("--bus=",), ("--watch=0",), ("--json=1",)):
        done = tool("pxstat", *args)
        assert (done.returncode, done.stdout) == (3, ""), args
        assert one_line(done.stderr).startswith("pxstat: ")


@pytest.mark.parametrize("bad", ["../md", "a/b", "x" * 33, "a b"])
def test_bad_bus_name_is_exit_3(bad):
    done = tool("pxstat", f"--bus={bad}")
    assert done.returncode == 3
    assert "not a name of a bus" in one_line(done.stderr)


def altered(bus, change):
    """A copy of a real segment with bytes changed, under a name of its own."""
    name = bus_name()
    data = bytearray((SHM / f"px-{bus}").read_bytes())
    (SHM / f"px-{name}").write_bytes(change(data))
    return name


def put(data, offset, fmt, value):
    struct.pack_into(fmt, data, offset, value)
    return data


def refuse(name, words):
    try:
        done = pxstat(name, "--json")
        assert (done.returncode, done.stdout) == (3, "")
        assert words in one_line(done.stderr)
        tail = tool("pxtail", "--all", bus=name)
        assert tail.returncode == 1 and words in one_line(tail.stderr)
    finally:
        remove(name)


def test_segment_with_altered_lengths_is_refused(writer):
    bus = writer.bus
    refuse(altered(bus, lambda d: d[:-4096]), "lengths do not fit")
    refuse(altered(bus, lambda d: put(d, 24, "<Q", 1 << 40)), "lengths do not fit")
    header = 4096
    for region in range(10):
        offset = header + 168 + 16 * region
        refuse(altered(bus, lambda d, o=offset: put(d, o, "<Q", 1 << 62)), "lengths do not fit")
        refuse(altered(bus, lambda d, o=offset + 12: put(d, o, "<I", 0xffffffff)),
               "lengths do not fit")


def test_segment_of_another_layout_version_is_refused(writer):
    refuse(altered(writer.bus, lambda d: put(d, 16, "<I", 77)), "another layout version")
    refuse(altered(writer.bus, lambda d: put(d, 8, "<Q", 77)), "another layout version")


def test_foreign_file_is_refused(writer):
    refuse(altered(writer.bus, lambda d: put(d, 0, "<Q", 77)), "not a segment of ours")
    name = bus_name()
    (SHM / f"px-{name}").write_text("something else entirely\n" * 1000)
    refuse(name, "not a segment of ours")


def test_empty_file_and_directory_are_refused():
    name = bus_name()
    (SHM / f"px-{name}").write_bytes(b"")
    refuse(name, "not a segment of ours")
    name = bus_name()
    (SHM / f"px-{name}").mkdir()
    refuse(name, "not a segment of ours")


def test_every_contract_member_is_in_the_json(writer):
    healthy(writer)
    writer.say(f"quote {SYMBOL} 61837.63 1 61837.64 2",
               f"conn 0 binance wss://stream.binance.com:9443 {CONN_LIVE} 0 12345",
               "latency 0 1000 98", "latency 0 41000 2",
               f"conn 0 binance wss://stream.binance.com:9443 {CONN_LIVE} 0 12345",
               "reader 0 5151 pxtail 1 7 9", "error bad_frame unexpected token at byte 12",
               "memory 9437184 1310720", "verdict 1 0 0 990000 4 -1")
    data = stat(writer.bus)
    assert data["bus"] == {"name": writer.bus, "epoch": 1, "capacity": 100, "symbols": 1,
                           "evictions": 0, "ring": 4096,
                           "bytes": (SHM / f"px-{writer.bus}").stat().st_size,
                           "sequence": data["bus"]["sequence"]}
    assert data["bus"]["sequence"] >= 2
    feeder = data["feeder"]
    assert feeder["pid"] == writer.process.pid
    assert feeder["state"] == "live" and feeder["version"] == "test"
    assert 0 <= feeder["heartbeat_age_ms"] < 1000 and 0 <= feeder["uptime_s"] < 60
    memory = data["memory"]
    assert (memory["heap_bytes"], memory["rss_bytes"]) == (1310720, 9437184)
    assert memory["shm_bytes"] == data["bus"]["bytes"]
    assert memory["growth_mb_per_hour"] == 0.0 and memory["trend"] == "flat"
    assert memory["confidence"] == 0.99
    assert memory["owner"] is None and memory["time_to_limit_s"] is None
    assert set(memory["by_owner"]) == {"feeder", "websocket", "tls", "json"}
    assert memory["by_owner"]["feeder"] == 655360
    assert memory["objects"]["connections"] == 2 and memory["objects"]["timers"] == 5
    assert memory["objects"]["subscriptions"] == 1
    (conn,) = data["connections"]
    assert conn["venue"] == "binance" and conn["endpoint"] == "wss://stream.binance.com:9443"
    assert conn["state"] == "live" and conn["breaker"] == "closed"
    assert (conn["reconnects"], conn["gaps"], conn["messages"]) == (0, 0, 12345)
    assert 0 <= conn["message_age_ms"] < 5000
    latency = conn["latency_us"]
    assert 0.8 <= latency["p50"] <= 1.1 and latency["p99"] >= 40
    assert latency["p99"] <= latency["p999"] <= latency["max"] == 41.0
    (symbol,) = data["subscriptions"]
    assert symbol["symbol"] == SYMBOL and symbol["kinds"] == ["trade", "quote"]
    assert symbol["readers"] == 2 and symbol["state"] == "live"
    assert 0 <= symbol["age_ms"] < 5000
    (reader,) = data["readers"]
    assert {k: reader[k] for k in ("pid", "name", "subscriptions", "lag", "lost")} == \
        {"pid": 5151, "name": "pxtail", "subscriptions": 1, "lag": 7, "lost": 9}
    (error,) = data["errors"]
    assert {k: error[k] for k in ("kind", "count", "text")} == \
        {"kind": "bad_frame", "count": 1, "text": "unexpected token at byte 12"}


def test_what_is_not_known_is_null(writer):
    writer.say(f"bind {SYMBOL}", f"pin {SYMBOL} 1 1",
               f"conn 0 binance wss://x {CONN_LIVE} 0 0")
    data = stat(writer.bus)
    memory = data["memory"]
    assert memory["growth_mb_per_hour"] is None and memory["trend"] == "unknown"
    assert memory["confidence"] is None and memory["time_to_limit_s"] is None
    assert memory["rss_bytes"] is None
    assert data["subscriptions"][0]["age_ms"] is None
    assert data["connections"][0]["latency_us"] == \
        {"p50": None, "p99": None, "p999": None, "max": None}


def test_json_stays_valid_whatever_texts_hold(writer):
    nasty = "say \"no\" \\ \x01\x1b[31m \u20ac \u0085"
    writer.say(f"bind {SYMBOL}", f"pin {SYMBOL} 1 1", f"text {SYMBOL} {nasty}",
               f"error odd {nasty}", f"quality {SYMBOL} 5 8")
    data = stat(writer.bus)
    assert data["errors"][0]["text"] == nasty
    assert data["subscriptions"][0]["text"] == nasty
    text = pxstat(writer.bus, "--errors", "--subscriptions").stdout
    assert "\x1b" not in text and "\x85" not in text and "\x01" not in text and "\u20ac" in text


def test_sections_print_their_part_in_full(writer):
    healthy(writer)
    writer.say(f"conn 0 binance wss://stream.binance.com:9443 {CONN_LIVE} 0 12345",
               "reader 0 5151 pxtail 1 7 9", "error bad_frame text", "memory 9437184 1310720",
               "bind kraken:BTC/USD")
    for section, words in {"--memory": "rss_bytes", "--connections": "wss://stream.binance.com:9443",
                           "--subscriptions": SYMBOL, "--readers": "5151",
                           "--symbols": "kraken:BTC/USD", "--latency": "p99",
                           "--errors": "bad_frame", "--counters": "ticks_trade"}.items():
        done = pxstat(writer.bus, section)
        assert done.returncode == 0 and words in done.stdout, section
    assert "kraken" not in pxstat(writer.bus, "--subscriptions").stdout
    both = pxstat(writer.bus, "--memory", "--errors").stdout
    assert "rss_bytes" in both and "bad_frame" in both


def test_screen_fits_80_columns_and_24_lines(writer):
    for i in range(60):
        name = f"binance:{'LONG' * 9}{i}"
        writer.say(f"bind {name}", f"pin {name} 1 7", f"quality {name} {i % 6} {i % 17}")
    for i in range(8):
        writer.say(f"conn {i} venue{i} wss://{'x' * 100} {i % 9} {i % 3} 123456789 {'why ' * 25}",
                   f"reader {i} {i + 1} reader{i} 12 123456789 123456789",
                   f"error kind{i} {'words ' * 20}")
    writer.say("memory 9437184 1310720", "verdict 2 2 50000000 990000 2 7200")
    lines = pxstat(writer.bus).stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert any("stale" in line for line in lines)


def test_explain_names_unit_and_meaning(writer):
    everything = pxstat(writer.bus, "--explain")
    assert everything.returncode == 0
    for name in ("ticks_trade", "test_frames", "growth_mb_per_hour"):
        assert name in everything.stdout
    one = pxstat(writer.bus, "--explain", "test_frames").stdout
    assert one.count("\n") == 1 and "frames that a test pretended to receive" in one
    assert "MB/hour" in pxstat(bus_name(), "--explain", "growth_mb_per_hour").stdout
    unknown = pxstat(writer.bus, "--explain", "nonsense")
    assert unknown.returncode == 3 and "nonsense" in one_line(unknown.stderr)


def test_every_json_number_is_explained(writer):
    healthy(writer)
    data = stat(writer.bus)
    for name in ("epoch", "sequence", "capacity", "ring", "bytes"):
        assert name in data["bus"]
    for name in [*data["bus"], *data["feeder"], *data["memory"]]:
        if name in ("name", "pid", "version", "by_owner", "objects"):
            continue
        assert pxstat(writer.bus, "--explain", name).returncode == 0, name


def names_in(value, found):
    """Names of all members, but for those that name something themselves: counters, owners."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name in ("counters", "health", "objects"):
                continue
            found.add(name)
            if name != "by_owner":
                names_in(member, found)
    elif isinstance(value, list):
        for member in value:
            names_in(member, found)
    return found


def test_every_member_of_the_json_is_explained_with_its_source(writer):
    healthy(writer)
    writer.say(f"conn 0 binance wss://x:9443 {CONN_LIVE} 0 7", "reader 0 5151 pxtail 1 7 9",
               "error bad_frame text")
    lines = pxstat(writer.bus, "--explain").stdout.splitlines()
    explained = {line.split()[0] for line in lines if line and not line.startswith("of ")}
    tables = {"bus", "feeder", "memory", "connections", "subscriptions", "readers", "errors"}
    assert names_in(stat(writer.bus), set()) - tables <= explained
    numbers = [line for line in lines if line and not line.startswith(("of ", "counters of"))]
    assert [n for n in numbers if "written by" not in n and "derived from" not in n] == []


def test_explain_names_the_module_that_writes_and_what_a_value_is_derived_from(feeder):
    done = pxstat(feeder.bus, "--explain", "bytes_in")
    assert "bytes received from venues" in done.stdout and "by feeder/link.c" in done.stdout
    assert "by libbus" in pxstat(feeder.bus, "--explain", "evictions").stdout
    rate = pxstat(feeder.bus, "--explain", "messages_per_s").stdout
    assert "derived from messages" in one_line(rate)
    # a counter and a value of connections have this name
    both = pxstat(feeder.bus, "--explain", "gaps").stdout
    assert "of a connection" in both and "publish_quality.c" in both


def test_history_without_a_database_says_who_writes_it(tmp_path):
    done = tool("pxstat", "--history", "24h", env={"XDG_STATE_HOME": str(tmp_path)})
    assert done.returncode == 3 and done.stdout == ""
    assert "no database at" in one_line(done.stderr) and "pxmon" in done.stderr


def test_closed_pipe_is_exit_0(writer):
    healthy(writer)
    writer.say(f"quality {SYMBOL} {STALE} 4")
    for args in ((), ("--json",), ("--watch", "0.1")):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([BIN / "pxstat", "-b", writer.bus, *args], stdout=write_end,
                              stderr=subprocess.PIPE, timeout=10, check=False)
        os.close(write_end)
        assert (done.returncode, done.stderr) == (0, b""), args
    with subprocess.Popen([BIN / "pxstat", "-b", writer.bus, "--watch", "30"],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()  # it sleeps, and notices
        assert process.wait(10) == 0


def test_help_and_version_fit_one_screen():
    for name in ("pxstat", "pxtail", "pxrestart"):
        text = tool(name, "--help").stdout
        assert text.startswith(f"usage: {name}") and len(text.splitlines()) <= 30
        assert max(map(len, text.splitlines())) <= 100
        assert tool(name, "--version").stdout.startswith(f"{name} ")


def test_bus_comes_from_the_environment(writer):
    assert tool("pxstat", env={"PX_BUS": writer.bus}).returncode == 0
    assert tool("pxstat", "-b", writer.bus, env={"PX_BUS": "nosuch"}).returncode == 0


def test_another_user_is_told_gone_by_nobody_answering(writer):
    if os.geteuid() != 0:
        pytest.skip("needs root to be another user")
    healthy(writer)
    (SHM / f"px-{writer.bus}").chmod(0o644)
    done = pxstat(writer.bus, user=65534, group=65534)
    assert done.returncode == 0, done.stderr
    writer.kill()
    # no lock to look at and no socket to knock at: the heartbeat decides
    until(lambda: pxstat(writer.bus, user=65534, group=65534).returncode == 1, "exit 1", 5)


def test_watch_prints_plain_screens_without_a_terminal(writer):
    healthy(writer)
    with subprocess.Popen([BIN / "pxstat", "-b", writer.bus, "--watch", "0.05", "--json"],
                          stdout=subprocess.PIPE, text=True) as process:
        sequence = []
        for i in range(3):
            sequence.append(json.loads(process.stdout.readline())["bus"]["sequence"])
            writer.say(f"trade {SYMBOL} 1.0{i} 1")
        process.terminate()
        assert process.wait(10) == 0
    assert sequence == sorted(sequence)


def test_snapshot_of_a_stopped_feeder_is_quick(writer):
    healthy(writer)
    writer.signal(signal.SIGSTOP)
    assert state_of(writer.process.pid) == "T"
    begin = time.monotonic()
    pxstat(writer.bus)
    assert time.monotonic() - begin < 5
