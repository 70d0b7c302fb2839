"""Steady state allocates nothing: calls to libc's allocator are counted from outside, over 100,000
frames after a warm-up."""
import re
import signal
import tempfile
from pathlib import Path

import px
from px import Process, Sim, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, quote, trade, write_frames
from test_feeder_servers import python_server

WARM_UP = 2000
FRAMES = 100_000
RATE = 20_000


class Counter:
    """The preloaded counter of one process."""

    def __init__(self, tmp_path):
        with tempfile.NamedTemporaryFile(dir=tmp_path, prefix="calls-", delete=False) as own:
            self.file = Path(own.name)
        self.env = {"LD_PRELOAD": str(px.BUILD / "tests" / "liballoc_count.so"),
                    "ALLOC_COUNT_FILE": str(self.file)}
        self.reports = 0

    def read(self, process):
        """(calls so far, where the last of them came from)."""
        self.reports += 1
        process.send(signal.SIGUSR2)

        def reported():
            text = self.file.read_text()
            parts = text.split("calls ")[1:]
            return parts[self.reports - 1] if len(parts) >= self.reports else None
        number, *places = wait_for(reported, what="the report").split("\n")
        return int(number), [p for p in places if p]


TOTAL = WARM_UP + FRAMES + FRAMES // 5


def all_frames(tmp_path):
    frames = [f for i in range(TOTAL // 2) for f in (trade(i), quote(i))]
    return write_frames(tmp_path / "frames.jsonl", frames)


def count(bus, tmp_path, url, **options):  # noqa: F811
    counter = Counter(tmp_path)
    feeder = bus.feeder(BTC, endpoint=url, env=counter.env, **options)
    assert counter.read(feeder)[0] > 0  # it counts
    wait_for(lambda: (bus.counter("frames_in") or 0) >= WARM_UP, what="the warm-up")
    before, _ = counter.read(feeder)
    seen = bus.counter("frames_in")
    wait_for(lambda: bus.counter("ticks_trade") + bus.counter("ticks_quote") == TOTAL,
             60, "all frames")
    after, places = counter.read(feeder)
    assert TOTAL - seen >= FRAMES, "the machine is too busy to count"
    assert after - before == 0, places


def check(bus, tmp_path, tls=None):  # noqa: F811
    options = {"tls_ca": tls.ca} if tls else {}
    with Sim(replay=all_frames(tmp_path), speed=1, rate=RATE, tls=tls) as sim:
        count(bus, tmp_path, sim.url, **options)


def test_no_compressed_frame_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[binance]\ndeflate = yes\n")
    argv = [*python_server(), all_frames(tmp_path), certificates.cert, certificates.key]
    with Process(argv, tmp_path, "server") as server:
        address = wait_for(lambda: re.search(r"listening on (\S+)", server.out()), what="the server")
        count(bus, tmp_path, f"wss://{address.group(1)}", tls_ca=certificates.ca, config=config)
        assert bus.counter("bytes_in") < TOTAL * 100


def test_no_frame_costs_an_allocation(bus, tmp_path):  # noqa: F811
    check(bus, tmp_path)


def test_no_frame_over_tls_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates)
