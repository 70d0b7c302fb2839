"""The nine promises of the bus, each with a test of its name, on real processes."""
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import time
from decimal import Decimal

import pytest

from px import CAPTURES, Sim, measured, program, run, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)

BTC, ETH, SOL = "binance:BTCUSDT", "binance:ETHUSDT", "binance:SOLUSDT"
SYMBOLS = (BTC, ETH, SOL)


def prices(ticks):
    return [t for t in ticks if t["kind"] != "status"]


def events(ticks, name):
    return [t for t in ticks if t.get("event") == name]


# ---- 1 ----

def independent(path):
    """What the decoder that is not ours says, in our words."""
    def plain(text):
        return None if text is None else format(Decimal(text), "f")

    with gzip.open(path, "rt") as lines:
        for line in lines:
            e = json.loads(line)
            time_ns = e["exch_ts_us"] * 1000 if e["exch_ts_us"] is not None else None
            if e["kind"] == "trade":
                yield ("trade", plain(e["price"]), plain(e["size"]), e["side"], e["trade_id"], time_ns)
            else:
                yield ("quote", plain(e["bid"]), plain(e["bid_size"]), plain(e["ask"]),
                       plain(e["ask_size"]), time_ns)


def ours(ticks):
    return [("trade", t["price"], t["size"], t["side"], t["trade_id"], t["exch_ts_ns"])
            if t["kind"] == "trade" else
            ("quote", t["bid"], t["bid_size"], t["ask"], t["ask_size"], t["exch_ts_ns"])
            for t in prices(ticks)]


def check_recorded_session(bus, tls=None):  # noqa: F811
    name = "binance_busy_btcusdt"
    frames = CAPTURES / f"{name}.jsonl.gz"
    if not frames.exists():
        pytest.skip(f"no recorded frames in {CAPTURES}")
    want = list(independent(CAPTURES / "expected" / f"{name}.expected.jsonl.gz"))
    with Sim(replay=frames, speed="max", tls=tls) as sim:
        bus.feeder(endpoint=sim.url, ring=262144, **({"tls_ca": tls.ca} if tls else {}))
        # the exchange begins when the reader's subscription has come through: it misses nothing
        tail = bus.tail_process(BTC)
        wait_for(lambda: tail.out().count("\n") >= len(want), 60, "all ticks of the session")
    got = ours(tail.lines())
    assert len(got) == len(want)
    assert got == want
    seqs = [t["seq"] for t in prices(tail.lines())]
    assert seqs == sorted(set(seqs))


def test_never_a_wrong_price_in_a_recorded_session(bus):  # noqa: F811
    check_recorded_session(bus)


def test_never_a_wrong_price_in_a_recorded_session_over_tls(bus, certificates):  # noqa: F811
    check_recorded_session(bus, certificates)


# ---- 2 ----

def test_never_a_silent_stall_when_the_feeder_is_stopped(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda t: len(prices(t)) > 20)
        feeder.send(signal.SIGSTOP)
        stopped = time.monotonic()
        tail.wait_lines(lambda t: events(t, "stale"), 5, "the reader's own word of the stall")
        measured("feeder stopped", time.monotonic() - stopped, 1)
        code, stat = bus.stat()
        assert code in (1, 2)
        assert stat["subscriptions"][0]["state"] == "stale", stat["subscriptions"]
        wait_for(lambda: bus.stat()[0] == 2, 25, "critical after five seconds")
        feeder.send(signal.SIGCONT)
        seen = len(prices(tail.lines()))
        tail.wait_lines(lambda t: len(prices(t)) > seen + 20, what="prices again")
        wait_for(lambda: bus.stat()[0] == 0, what="health")


# ---- 3 ----

def test_never_a_silent_loss_after_ten_seconds_asleep(bus):  # noqa: F811
    """A stopped reader is told its exact loss; meanwhile the others lose nothing."""
    with Sim(rate=2000) as sim:
        bus.feeder(*SYMBOLS, endpoint=sim.url, ring=4096)
        slow, steady = bus.tail_process(*SYMBOLS), bus.tail_process(*SYMBOLS)
        slow.wait_lines(lambda t: len(prices(t)) > 100)
        steady.wait_lines(lambda t: len(prices(t)) > 100)
        slow.send(signal.SIGSTOP)
        end = time.monotonic() + 10  # the contract's ten seconds; the condition is the clock
        wait_for(lambda: time.monotonic() > end, 30)
        slow.send(signal.SIGCONT)
        lost = slow.wait_lines(lambda t: events(t, "lost"), what="word of the loss")
        slow.wait_lines(lambda t: t.index(lost[0]) < len(t) - 50, what="ticks after it")
        ticks = slow.lines()
        at = next(i for i, t in enumerate(ticks) if t.get("event") == "lost")
        before = max(t["seq"] for t in ticks[:at] if t["seq"])
        after = next(t["seq"] for t in ticks[at + 1:] if t["seq"])
        assert ticks[at]["count"] == after - before - 1, ticks[at]
        assert ticks[at]["count"] > 10000
        # every sequence is a tick of one of the symbols: the other reader's stream has no hole
        # (from where the last of its three subscriptions had come through)
        sequences = [t["seq"] for t in steady.lines() if t["seq"]][100:]
        assert not events(steady.lines(), "lost")
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


# ---- 4 ----

def test_memory_stays_flat_over_a_hundred_thousand_frames(bus):  # noqa: F811
    with Sim(rate=20000) as sim:
        bus.feeder(*SYMBOLS, endpoint=sim.url)

        def heap_at(frames):
            wait_for(lambda: bus.counter("frames_in") >= frames, 60, f"{frames} frames")
            # the sample is taken each second: wait for the next one
            seen = bus.counter("frames_in")
            wait_for(lambda: bus.counter("frames_in") > seen + 40000, 60)
            return bus.stat()[1]["memory"]

        warm, later = heap_at(20000), heap_at(120000)
        assert later["heap_bytes"] == warm["heap_bytes"], (warm, later)
        assert later["objects"] == warm["objects"]


# ---- 5 ----

def sim_stats(sim):
    """pxsim says what it has done when asked."""
    before = sim.out().count('"connections"')
    sim.send(signal.SIGUSR1)
    wait_for(lambda: sim.out().count('"connections"') > before, what="the exchange's count")
    return json.loads([line for line in sim.out().splitlines() if '"connections"' in line][-1])


def test_readers_cannot_hurt_when_killed_asleep(bus):  # noqa: F811
    with Sim(rate=0) as sim:  # a market without a word: every reader sleeps
        bus.feeder(BTC, endpoint=sim.url)
        readers = [bus.tail_process(ETH, kinds="trade") for _ in range(20)]
        steady = bus.tail_process(BTC)

        def asleep():
            rows = bus.stat()[1]["readers"]
            return len(rows) == 21 and all(r["sleeping"] for r in rows)

        wait_for(asleep, what="21 sleeping readers")
        assert "ethusdt@trade" in sim_stats(sim)["subscribed"]
        for reader in readers:
            reader.send(signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: len(bus.stat()[1]["readers"]) == 1, what="20 readers gone")
        measured("readers killed", time.monotonic() - killed, 1)
        wait_for(lambda: bus.subscription(ETH) is None or bus.subscription(ETH)["readers"] == 0, 5)
        wait_for(lambda: "ethusdt@trade" not in sim_stats(sim)["subscribed"], 30, "unsubscribed upstream")
        assert "btcusdt@trade" in sim_stats(sim)["subscribed"]
        assert steady.running()


# ---- 6 ----

def epoch_of(bus):  # noqa: F811
    _, stat = bus.stat()
    return stat["bus"]["epoch"] if stat is not None else None


def test_the_feeder_comes_and_goes_two_hundred_times(bus):  # noqa: F811
    """kill -9 under traffic, 200 times, with one pxtail attached throughout."""
    with Sim(rate=3000, limits="off") as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda t: len(prices(t)) > 5)
        for epoch in range(1, 201):
            wait_for(lambda: epoch_of(bus) == epoch, 30, "the new feeder")  # noqa: B023
            before = tail.out_path.stat().st_size
            wait_for(lambda: tail.out_path.stat().st_size > before + 2000, 30, "prices")  # noqa: B023
            feeder.kill()
            bus.processes.remove(feeder)
            feeder = bus.feeder(endpoint=sim.url, ready=False)
        wait_for(lambda: epoch_of(bus) == 201, 30, "the last feeder")
        before = tail.out_path.stat().st_size
        wait_for(lambda: tail.out_path.stat().st_size > before + 2000, 30, "prices after the last")
        assert tail.running()
        ticks = tail.lines()
        sequences = [t["seq"] for t in ticks if t["seq"]]
        assert sequences == sorted(set(sequences))
        trades = [int(t["trade_id"]) for t in ticks if t["kind"] == "trade"]
        assert trades == sorted(set(trades))
        # each death was seen: what was missed is named, and prices said that they were carried
        words = {t["event"] for t in ticks if t["kind"] == "status"}
        assert words & {"carried", "stale"}, words
        missing = sum(b - a - 1 for a, b in zip(trades, trades[1:]))
        named = sum(t["count"] for t in events(ticks, "gap"))
        assert named == missing, (named, missing)


def test_the_feeder_comes_and_goes_only_with_a_configuration_that_is_right(bus, tmp_path):  # noqa: F811
    """A restart reads the file anew: with an error in it the feeder that runs stays."""
    config = tmp_path / "feeder.conf"
    config.write_text("[binance]\nsymbols = BTCUSDT\n")
    with Sim(rate=500) as sim:
        bus.feeder("--config", config, endpoint=sim.url)
        bus.wait_live()
        config.write_text("[binance]\nsimbols = BTCUSDT\n")
        done = run("pxrestart", "-b", bus.name)
        said = one_sentence(done)
        assert "simbols" in said, said
        assert bus.stat()[1]["bus"]["epoch"] == 1
        assert bus.stat()[0] == 0
        config.write_text("[binance]\nsymbols = BTCUSDT ETHUSDT\n")
        assert run("pxrestart", "-b", bus.name).returncode == 0
        assert bus.stat()[1]["bus"]["epoch"] == 2


# ---- 7 ----

def test_reconnects_never_storm(bus):  # noqa: F811
    """Upgrades refused with 429 and Retry-After: that long nothing is tried, whatever else happens."""
    with Sim(rate=100, fault="429:3", fault_connections=2) as sim:
        bus.feeder(BTC, endpoint=sim.url)
        start = time.monotonic()
        wait_for(lambda: sim_stats(sim)["attempts"] >= 2, 30, "the second attempt")
        first_pause = time.monotonic() - start
        assert first_pause > 2.5, first_pause
        bus.wait_live(deadline_s=30)
        assert time.monotonic() - start > 5.5
        assert sim_stats(sim)["attempts"] == 3


# ---- 8 ----

def test_the_tools_work_on_a_patient_that_is_dead(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder = bus.feeder(*SYMBOLS, endpoint=sim.url)
        bus.tail(BTC, n=20)
        feeder.kill()
        code, stat = bus.stat()
        assert code == 2
        assert stat["feeder"]["state"] == "gone"
        assert len(stat["subscriptions"]) == 3 and len(stat["connections"]) == 1
        for section in ("memory", "connections", "subscriptions", "readers", "symbols", "latency", "errors"):
            done = run("pxstat", "-b", bus.name, f"--{section}")
            assert done.returncode == 2 and done.stdout, section
            assert len(done.stderr.splitlines()) == 1, done.stderr
        last = run("pxtail", "-b", bus.name, "--snapshot", "--all", "--json")
        assert last.returncode == 0, last.stderr
        assert {json.loads(line)["symbol"] for line in last.stdout.splitlines()} >= set(SYMBOLS)


# ---- 9 ----

def one_sentence(done, code=1):
    assert done.returncode == code, (done.returncode, done.stderr)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert re.match(r"^[a-z]+: [^:]+: .+", done.stderr), done.stderr
    return done.stderr


def nothing_left(bus):  # noqa: F811
    left = [p for p in os.listdir("/dev/shm") if p.startswith(f"px-{bus.name}") and
            not p.endswith(".lock")]
    assert not left, left
    assert not list(bus.runtime.glob("*")) if bus.runtime.exists() else True


def feeder_ends(bus, *args, wrap=(), **options):  # noqa: F811
    return subprocess.run([*wrap, *bus.feeder_argv(*args, **options)], capture_output=True, text=True,
                          timeout=30, check=False)


def test_bad_input_gets_one_clear_sentence_when_shared_memory_is_small(bus):  # noqa: F811
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a small /dev/shm of its own takes root and unshare")
    left = bus.directory / "left"
    small = f"mount -t tmpfs -o size=1m tmpfs /dev/shm && \"$@\"; s=$?; ls /dev/shm >{left}; exit $s"
    done = feeder_ends(bus, BTC, wrap=["unshare", "-m", "sh", "-c", small, "sh"])
    assert [p for p in left.read_text().split() if not p.endswith(".lock")] == []
    said = one_sentence(done)
    assert "/dev/shm" in said and re.search(r"--(ring|capacity)", said), said


def test_bad_input_gets_one_clear_sentence_without_permission(bus):  # noqa: F811
    if os.geteuid() != 0:
        pytest.skip("to lose a permission one must have it: needs root")
    feeder = bus.feeder(BTC)
    bus.directory.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    wrap = nobody if shutil.which("setpriv") else pytest.skip("setpriv is not installed")
    read = subprocess.run([*wrap, program("pxstat"), "-b", bus.name], capture_output=True, text=True,
                          timeout=30, check=False)
    one_sentence(read, 3)
    second = feeder_ends(bus, BTC, wrap=wrap)
    one_sentence(second)
    assert feeder.running()


def test_bad_input_gets_one_clear_sentence_each(bus, tmp_path):  # noqa: F811
    config = tmp_path / "bad.conf"
    config.write_text("[bus]\nname = x\n\n[binance]\nsimbols = BTCUSDT\n")
    cases = [
        (["--config", str(config)], r"bad\.conf:5.*simbols"),
        (["nowhere:BTCUSDT"], "nowhere"),
        ([BTC, "--endpoint", "binance=http://example.com"], "http"),
        ([BTC, "--endpoint", "binance"], "endpoint"),
        ([BTC, "--tls-ca", str(tmp_path / "none.pem")], r"none\.pem"),
        ([BTC, "--capacity", "1"], "capacity"),
        ([BTC, "--ring", "1000"], "ring"),
        ([BTC, "--no-such-flag"], "no-such-flag"),
    ]
    for args, pattern in cases:
        done = feeder_ends(bus, *args)
        assert done.returncode in (1, 2), (args, done)
        assert len(done.stderr.splitlines()) == 1, (args, done.stderr)
        assert re.search(pattern, done.stderr), (args, done.stderr)
        nothing_left(bus)
    good = tmp_path / "good.conf"
    good.write_text(f"[bus]\ntls_ca = {tmp_path}/none.pem\n\n[binance]\nsymbols = BTCUSDT\n")
    checked = run("feeder", "--check", "--config", good)
    assert "none.pem" in one_sentence(checked)
    assert run("feeder", "--check", "--config", config).returncode == 1
    good.write_text("[binance]\nsymbols = BTCUSDT\n")
    assert run("feeder", "--check", "--config", good).returncode == 0
    bus.feeder(BTC)
    held = one_sentence(feeder_ends(bus, BTC))
    assert re.search(r"is held by pid \d+", held), held
