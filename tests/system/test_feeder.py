"""The feeder against a simulated exchange: what it publishes, what it does when connections fail,
how it ends, and what it says when it cannot start."""
import base64
import datetime
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from px import Blackhole, Certificates, Sim, free_port, measured, run, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)

BTC = "binance:BTCUSDT"
BACK_S = 0.5  # the back-off to an endpoint of one's own, 200 ms, and the steps of an attempt


def trade(i, symbol="BTCUSDT"):
    t = 1723161255342 + i
    return (f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":{t + 1},"s":"{symbol}",'
            f'"t":{3735683259 + i},"p":"{61837 + i % 7}.{i % 100:02d}000000","q":"0.{i % 9}2000000",'
            f'"T":{t},"m":{"true" if i % 2 else "false"},"M":true}}}}')


def quote(i, symbol="BTCUSDT"):
    return (f'{{"stream":"{symbol.lower()}@bookTicker","data":{{"u":{259345545 + 3 * i},'
            f'"s":"{symbol}","b":"{61837 - i % 5}.1000","B":"6500.{i % 10}","a":"61838.2{i % 10}",'
            f'"A":"27122.00000000"}}}}')


def write_frames(path, frames):
    path.write_text("".join(f"{f}\n" for f in frames))
    return path


def prices(ticks):
    """What identifies a tick, in words of the venue."""
    return [(t["trade_id"], t["price"], t["size"], t["side"]) if t["kind"] == "trade"
            else (t["bid"], t["bid_size"], t["ask"], t["ask_size"])
            for t in ticks if t["kind"] in ("trade", "quote")]


def expected(frames):
    out = []
    for frame in frames:
        d = json.loads(frame)["data"]
        out.append((str(d["t"]), d["p"], d["q"], "sell" if d["m"] else "buy") if "e" in d
                   else (d["b"], d["B"], d["a"], d["A"]))
    return out


# In the tests of replays the reader's subscription opens the connection, so that it misses nothing.
def check_replay(bus, tmp_path, tls=None):  # noqa: F811
    frames = [f for i in range(500) for f in (trade(i), quote(i))]
    path = write_frames(tmp_path / "frames.jsonl", frames)
    options = {"tls_ca": tls.ca} if tls else {}
    with Sim(replay=path, speed="max", tls=tls) as sim:
        bus.feeder(endpoint=sim.url, **options)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) >= 1000, what="1000 ticks")
        assert prices(tail.lines()) == expected(frames)
        assert bus.connection()["gaps"] == 0


def test_every_frame_of_a_replay_becomes_its_tick(bus, tmp_path):  # noqa: F811
    check_replay(bus, tmp_path)


def test_every_frame_of_a_replay_over_tls_becomes_its_tick(bus, tmp_path, certificates):  # noqa: F811
    check_replay(bus, tmp_path, certificates)


def test_prices_of_a_random_walk_flow_and_are_live(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        bus.feeder(BTC, "binance:ETHUSDT", endpoint=sim.url)
        assert len(bus.tail(BTC, n=20)) >= 20
        code, stat = bus.stat()
        assert code == 0, stat
        assert {s["state"] for s in stat["subscriptions"]} == {"live"}


def test_a_hole_in_trade_ids_is_a_gap_tick_with_its_ids(bus, tmp_path):  # noqa: F811
    frames = [trade(i) for i in (0, 1, 2, 10, 11, 12)]
    path = write_frames(tmp_path / "frames.jsonl", frames)
    with Sim(replay=path, speed="max") as sim:
        bus.feeder(endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) >= 6)
        gaps = [t for t in tail.lines() if t.get("event") == "gap"]
        assert [(g["first_id"], g["last_id"], g["count"]) for g in gaps] == [
            (str(3735683259 + 3), str(3735683259 + 9), 7)]
        flagged = [t["trade_id"] for t in tail.lines() if "gap" in t.get("flags", [])]
        assert flagged == [str(3735683259 + 10)]
        wait_for(lambda: bus.subscription(BTC)["state"] == "live", what="live after the gap")


def test_a_trade_that_comes_twice_is_published_once(bus, tmp_path):  # noqa: F811
    frames = [trade(0), trade(1), trade(1), trade(0), trade(2), quote(0), quote(0), quote(1)]
    path = write_frames(tmp_path / "frames.jsonl", frames)
    with Sim(replay=path, speed="max") as sim:
        bus.feeder(endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) >= 5)
        assert prices(tail.lines()) == expected([frames[i] for i in (0, 1, 4, 5, 7)])
        assert bus.counter("duplicates") == 3


def check_told(ticks):
    """Trade ids never go back, and each that is missing between the first and the last is named by
    exactly one gap."""
    ids = [int(t["trade_id"]) for t in ticks if t["kind"] == "trade"]
    assert ids == sorted(set(ids))
    missing = [i for a, b in zip(ids, ids[1:]) for i in range(a + 1, b)]
    named = [i for t in ticks if t.get("event") == "gap"
             for i in range(int(t["first_id"]), int(t["last_id"]) + 1)]
    assert [i for i in named if ids[0] < i < ids[-1]] == missing


def logged(feeder, pattern):
    """time.time() of each line of its log with this."""
    times = [line.split(" ", 1)[0] for line in feeder.err().splitlines() if re.search(pattern, line)]
    return [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")).timestamp() for t in times]


# Each fault befalls the first connection; then the feeder must be live again by itself.
def check_recovery(bus, fault, reason, pause_s=0.0, exchange=None, **options):  # noqa: F811
    """The end of the first connection is told with this reason; after its pause, which is the venue's
    or that of the back-off, prices are live, and what was missed is told."""
    with Sim(rate=200, fault=fault, fault_connections=1, **(exchange or {})) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, **options)
        tail = bus.tail_process(BTC, wait=True)
        failed = wait_for(lambda: logged(feeder, f"warning.*{reason}"), what=reason)[0]
        back = wait_for(lambda: [t for t in logged(feeder, "live at") if t >= failed],
                        what="its return")[0]
        measured(f"{fault}: live again", back - failed, pause_s + BACK_S)
        bus.wait_live()
        seen = len(prices(tail.lines()))
        tail.wait_lines(lambda ticks: len(prices(ticks)) > seen + 10, what="prices after it")
        wait_for(lambda: bus.stat()[0] == 0, what="exit code 0 of pxstat")
        assert bus.subscription(BTC)["state"] == "live"
        assert any(e["kind"] == "connection" for e in bus.stat()[1]["errors"])
        check_told(tail.lines())
        feeder.failures = bus.counter("connect_failures")  # more follow when the simulator goes
        return feeder, tail


CUT = "ended the connection without a close frame|Connection reset by peer"


def test_a_refused_upgrade_is_tried_again(bus):  # noqa: F811
    check_recovery(bus, "refuse:3", "cannot connect: Connection refused", pause_s=3)


def test_a_server_error_at_the_upgrade_is_tried_again(bus):  # noqa: F811
    check_recovery(bus, "503", "refused the upgrade: 503 Service Unavailable, try again after 1 s",
                   pause_s=1)


def test_retry_after_is_obeyed(bus):  # noqa: F811
    started = time.monotonic()
    feeder, _ = check_recovery(bus, "429:2", "refused the upgrade: 429 Too Many Requests", pause_s=2)
    assert time.monotonic() - started >= 2
    assert feeder.failures == 1  # the back-off alone would have made many


def test_a_close_right_after_accepting_is_tried_again(bus):  # noqa: F811
    check_recovery(bus, "close-after-accept", CUT)


def test_a_frame_that_stops_in_its_middle_is_survived(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[binance]\nsilence_ms = 1000\n")
    _, tail = check_recovery(bus, "half-frame", "nothing was received for too long", config=config)
    assert all(t["price"] for t in tail.lines() if t["kind"] == "trade")


def test_a_close_in_the_middle_of_a_frame_is_survived(bus):  # noqa: F811
    check_recovery(bus, "close-mid-frame", CUT)


def test_a_mute_connection_is_noticed_and_replaced(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[binance]\nsilence_ms = 3000\n")
    with Sim(rate=200, fault="mute:50", fault_connections=1) as sim:
        bus.feeder(BTC, endpoint=sim.url, config=config)
        tail = bus.tail_process(BTC, wait=True)
        stale = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"])
        assert stale[0]["cause"] == "the connection brings nothing", stale[0]
        bus.wait_live()
        seen = len(prices(tail.lines()))
        tail.wait_lines(lambda ticks: len(prices(ticks)) > seen + 10, what="prices after it")


def test_an_upgrade_without_an_answer_ends_at_its_deadline(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nconnect_ms = 500\n")
    check_recovery(bus, "silent-upgrade", "upgrade request was not answered in time", config=config)


def test_a_connection_that_is_accepted_without_a_word_ends_at_its_deadline(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nconnect_ms = 500\n")
    check_recovery(bus, "silent-accept", "upgrade request was not answered in time", config=config)


def test_a_subscription_without_an_answer_ends_at_its_deadline(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nsubscribe_ms = 500\n")
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}", config=config)
        with hole.accepted() as connection:
            upgrade(connection)
            asked = time.time()
            feeder.wait_err("subscriptions were not answered in time")
            measured("subscriptions without an answer",
                     logged(feeder, "subscriptions were not answered")[0] - asked, 0.5)


def test_a_lost_connection_makes_its_symbols_stale_at_once(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        bus.feeder(BTC, endpoint=sim.url)
        tail = bus.tail_process(BTC, wait=True)
        tail.wait_lines(lambda ticks: len(prices(ticks)) > 5)
        sim.kill()
        stale = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"],
                                what="a stale tick")
        assert stale[0]["symbol"] == BTC
        wait_for(lambda: bus.subscription(BTC)["state"] == "stale")
        assert bus.stat()[0] == 1
        with Sim(rate=500, port=sim.port):
            wait_for(lambda: bus.subscription(BTC)["state"] == "live", what="live again")
            assert bus.connection()["reconnects"] == 1


def test_an_endpoint_that_refuses_is_tried_for_ever_and_often(bus):  # noqa: F811
    port = free_port()
    bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{port}")
    wait_for(lambda: (bus.counter("connect_failures") or 0) > 10, what="ten attempts")
    assert "refused" in wait_for(lambda: bus.connection())["reason"].lower()
    with Sim(port=port):
        bus.wait_live()


def test_a_venue_that_accepts_and_says_nothing_ends_at_the_deadline(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nconnect_ms = 300\n")
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}", config=config)
        feeder.wait_err("upgrade request was not answered in time")


def read_client_frames(connection):
    """Opcodes of the frames that a client sends, until it hangs up."""
    data = b""
    connection.settimeout(10)
    while chunk := connection.recv(65536):
        data += chunk
    opcodes = []
    while len(data) >= 6:
        length = data[1] & 127
        at = 2 if length < 126 else 4 if length == 126 else 10
        if length >= 126:
            length = int.from_bytes(data[2:at], "big")
        opcodes.append(data[0] & 15)
        data = data[at + 4 + length:]
    return opcodes


def test_sigterm_says_goodbye_to_the_venue_and_exits_0(bus):  # noqa: F811
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}")
        connection = hole.accepted()
        upgrade(connection)
        wait_for(lambda: (bus.connection() or {}).get("state") in ("subscribing", "live"))
        started = time.monotonic()
        feeder.send(signal.SIGTERM)
        opcodes = read_client_frames(connection)
        assert feeder.wait() == 0
        assert time.monotonic() - started < 5  # at most a second is promised
        assert opcodes[-1] == 8  # a close frame, the last thing that it said
    assert bus.stat()[0] == 2


def upgrade_reply(key):
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def upgrade(connection, extra=b""):
    """Answer an upgrade request by hand; `extra` goes into the same packet."""
    connection.settimeout(10)
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(4096)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request).group(1)
    connection.sendall(upgrade_reply(key) + extra)


def text_frame(text):
    data = text.encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else bytes(
        [0x81, 126]) + len(data).to_bytes(2, "big")
    return head + data


def test_a_message_in_the_packet_of_the_upgrade_reply_is_published(bus):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}")
        upgrade(hole.accepted(), text_frame(trade(0)) + text_frame(quote(0)))
        tail = bus.tail_process(BTC, wait=True, snapshot=True)
        wait_for(lambda: bus.counter("ticks_quote") == 1, what="the quote on the bus")
        tail.kill()
        assert bus.counter("ticks_trade") == 1


def test_a_second_feeder_says_who_holds_the_bus(bus):  # noqa: F811
    with Sim() as sim:
        first = bus.feeder(BTC, endpoint=sim.url)
        def files():  # of this bus: other tests run beside
            return sorted(f for f in os.listdir("/dev/shm") if bus.name in f)

        before = files()
        code, said = bus.feeder_fails(BTC, endpoint=sim.url)
        assert code == 1
        assert f"feeder: {bus.name}: bus {bus.name} is held by pid {first.pid}\n" == said
        assert files() == before
        bus.tail(BTC, n=5)


def check_sentence(bus, arguments, options, code, words):  # noqa: F811
    status, said = bus.feeder_fails(*arguments, **options)
    assert status == code, said
    assert said.startswith("feeder: ") and said.count("\n") == 1, said
    assert words in said
    assert not bus.segment().exists()


def test_a_malformed_symbol_gets_one_sentence(bus):  # noqa: F811
    check_sentence(bus, ["binance:btc usdt"], {}, 2, "btc usdt")


def test_an_unknown_venue_gets_one_sentence(bus):  # noqa: F811
    check_sentence(bus, ["nowhere:BTCUSDT"], {}, 2, "nowhere")


def test_a_url_of_another_kind_gets_one_sentence(bus):  # noqa: F811
    check_sentence(bus, [BTC], {"endpoint": "http://127.0.0.1:1"}, 2, "http://127.0.0.1:1")


def test_a_port_out_of_range_gets_one_sentence(bus):  # noqa: F811
    check_sentence(bus, [BTC], {"endpoint": "ws://127.0.0.1:99999"}, 2, "99999")


def test_certificates_that_are_not_there_get_one_sentence(bus):  # noqa: F811
    check_sentence(bus, [BTC], {"tls_ca": "/nowhere/ca.pem"}, 1, "/nowhere/ca.pem")


def test_an_unknown_key_is_named_with_file_and_line(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\ncapacity = 100\ncapacitty = 100\n")
    check_sentence(bus, [BTC], {"config": config}, 1, f"{config}:3")


def test_a_segment_that_does_not_fit_says_what_to_change(bus):  # noqa: F811
    if os.geteuid() != 0:
        pytest.skip("a small /dev/shm needs root")
    small = ["unshare", "-m", "sh", "-c",
             'mount -t tmpfs -o size=2m tmpfs /dev/shm && "$@"; s=$?; ls /dev/shm >&2; exit $s', "sh"]
    done = subprocess.run([*small, *bus.feeder_argv(BTC)], capture_output=True, text=True,
                          timeout=20, check=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no mount namespace here")
    said, *left = done.stderr.splitlines()
    assert done.returncode == 1
    assert "needs" in said and "--capacity" in said and "--ring" in said
    assert all(name.endswith(".lock") for name in left), left


def test_a_certificate_of_another_host_is_refused(bus, tmp_path):  # noqa: F811
    other = Certificates(tmp_path, names=("DNS:elsewhere.example",))
    with Sim(tls=other) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, tls_ca=other.ca)
        feeder.wait_err(r"TLS: .*(host|IP address|name).*")
        assert bus.counter("ticks_trade") == 0


def test_an_expired_certificate_is_refused(bus, tmp_path):  # noqa: F811
    old = Certificates(tmp_path, expired=True)
    with Sim(tls=old) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, tls_ca=old.ca)
        feeder.wait_err(r"TLS: .*expired.*")
        assert bus.counter("ticks_trade") == 0


def test_a_certificate_of_an_unknown_authority_is_refused(bus, certificates):  # noqa: F811
    with Sim(tls=certificates) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        feeder.wait_err(r"TLS: .*certificate.*")


def test_the_segment_of_an_ended_feeder_is_removed_on_demand(bus):  # noqa: F811
    with Sim() as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        held = run("feeder", "-b", bus.name, "--remove")
        assert held.returncode == 1 and f"held by pid {feeder.pid}" in held.stderr
        assert feeder.stop() == 0
        assert bus.segment().exists()
        assert run("feeder", "-b", bus.name, "--remove").returncode == 0
        assert not bus.segment().exists()
        gone = run("feeder", "-b", bus.name, "--remove")
        assert gone.returncode == 1 and gone.stderr.count("\n") == 1


def test_the_demo_needs_nothing_and_dies_with_its_exchange(bus):  # noqa: F811
    feeder = bus.feeder(demo=True)
    assert len(bus.tail("binance:ETHUSDT", n=5)) >= 5
    _, stat = bus.stat()
    assert len(stat["subscriptions"]) == 20
    port = int(re.search(r"live at ws://\S+:(\d+)", feeder.err()).group(1))
    feeder.kill()

    def refused():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) != 0
    wait_for(refused, what="the end of the simulated exchange")


FAMILIES = {"binance", "coinbase", "kraken", "bybit_linear", "okx", "bitstamp"}


def all_families_live(bus):  # noqa: F811
    _, stat = bus.stat()
    live = {c["venue"] for c in stat["connections"] if c["state"] == "live"}
    prices = [s for s in stat["subscriptions"] if s["state"] == "live"]
    return live == FAMILIES and len(prices) == 20


def test_the_demo_runs_a_venue_of_each_family(bus):  # noqa: F811
    bus.feeder(demo=True)
    wait_for(lambda: all_families_live(bus), what="20 symbols of six families")
    shown = run("pxstat", "-b", bus.name, "--connections")
    assert shown.returncode == 0
    assert all(re.search(rf"^\s*{f}\b.*\blive\b", shown.stdout, re.M) for f in FAMILIES)


def test_a_restart_keeps_the_process_and_the_demo(bus):  # noqa: F811
    feeder = bus.feeder(demo=True)
    wait_for(lambda: all_families_live(bus), what="20 symbols of six families")
    done = run("pxrestart", "-b", bus.name)
    assert done.returncode == 0, done.stderr
    assert feeder.running()
    _, stat = bus.stat()
    assert stat["feeder"]["pid"] == feeder.pid and stat["bus"]["epoch"] == 2
    assert len(set(re.findall(r"live at (\S+)", feeder.err()))) == len(FAMILIES)
    assert feeder.stop() == 0


def test_a_changed_file_is_applied_without_touching_the_connection(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\ngrace_ms = 100\n[binance]\nsymbols = BTCUSDT\n")
    with Sim(rate=200) as sim:
        feeder = bus.feeder(config=config, endpoint=sim.url)
        bus.wait_live()
        config.write_text("[bus]\ngrace_ms = 100\n[binance]\nsymbols = ETHUSDT\n")
        feeder.send(signal.SIGHUP)
        wait_for(lambda: (bus.subscription("binance:ETHUSDT") or {}).get("state") == "live")
        wait_for(lambda: bus.subscription(BTC) is None, what="the end of the other symbol")
        assert bus.connection()["reconnects"] == 0
        assert feeder.err().count("live at") == 1


def test_an_endpoint_with_a_path_is_used_as_it_is(bus):  # noqa: F811
    for path in ("/ws", "/stream"):  # raw frames and wrapped ones
        with Sim(rate=500) as sim:
            feeder = bus.feeder(endpoint=sim.url + path)
            assert len(bus.tail(BTC, n=10)) >= 10
            assert bus.connection()["endpoint"].endswith(path)
            assert feeder.stop() == 0


def test_a_failed_connection_is_kept_as_an_error(bus):  # noqa: F811
    port = free_port()
    bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{port}")
    wait_for(lambda: [e for e in bus.stat()[1]["errors"] if str(port) in e["text"]])


def test_a_reload_leaves_the_demo_as_it_is(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\ngrace_ms = 100\n")
    feeder = bus.feeder(demo=True, config=config)
    bus.wait_live()
    feeder.send(signal.SIGHUP)
    feeder.wait_err("configuration applied")
    bus.tail(all=True, n=100)  # a second: longer than the grace time
    assert len(bus.stat()[1]["subscriptions"]) == 20


def test_busy_polling_publishes_the_same(bus, tmp_path):  # noqa: F811
    frames = [trade(i) for i in range(200)]
    path = write_frames(tmp_path / "frames.jsonl", frames)
    with Sim(replay=path, speed="max") as sim:
        feeder = bus.feeder(endpoint=sim.url, busy_poll=True)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda ticks: len(prices(ticks)) >= 200)
        assert prices(tail.lines()) == expected(frames)
        assert feeder.stop() == 0
