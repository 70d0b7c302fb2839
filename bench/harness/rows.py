"""The table: what is measured, beside what. Goals are those of the design."""

import os
import re
import shutil

from . import frames
from .model import Figure, Group, Variant
from .runner import Failed, Missing

YIELDS = "its threads or daemon share the two cores with reader and writer, which yield"
CROWDED = "oversubscribed"
TABLE = [("ck_ring", "ck", "", "libck-dev"), ("boost spsc_queue", "boost", "", "libboost-dev"),
         ("iceoryx", "iceoryx", "roudi", "libiceoryx-binding-c-dev"),
         ("pipe", "pipe", "", ""), ("ZeroMQ ipc", "zmq", "", "libzmq3-dev"),
         ("Redis pub/sub", "redis", "redis", "libhiredis-dev")]


def peer(program, *args, full_ms=250, package=""):
    """run() of one mode of a peer_* program."""
    def run(ctx):
        return ctx.program(f"peer_{program}", *args, "--ms", str(ctx.ms(full_ms)), package=package)
    return run


def peers(*args, only=None, full_ms=250, note=""):
    out = []
    for name, program, daemon, package in TABLE:
        if only is None or program in only:
            said = note or (YIELDS if program in ("zmq", "redis") else "")
            out.append(Variant(name, peer(program, *args, full_ms=full_ms, package=package),
                               daemon=daemon, note=said))
    return out


def bare(*args, name="bare ring", full_ms=250, note=""):
    return Variant(name, peer("bare", *args, full_ms=full_ms), "control", note=note)


def ours(*args, name="px", full_ms=250, note=""):
    return Variant(name, peer("px", *args, full_ms=full_ms), "ours", note=note)


def micro():
    def costs(ctx):
        return ctx.program("micro", "costs")

    return [
        Group("ring", (Figure("ring_write_ns", "write into a ring of 256 entries", "ns"),),
              (Variant("bare ring", costs, "control"),)),
        Group("last", (Figure("slot_read_ns", "the last price of a symbol, uncontended", "ns",
                              10),), (
            Variant("px_bus_last_at", lambda ctx: ctx.program("last_px"), "ours"),
            Variant("px_bus_last", lambda ctx: ctx.program("last_px", "--clock"), "ours"),
            Variant("bare seqlock", costs, "control"),
        )),
    ]


def publish():
    return Group("publish", (
        Figure("publish_ns", "publish, no reader polling, sustained", "ns/tick", 12),
    ), (
        ours("publish"),
        ours("publish", "--idle", "64", name="px, 64 attached readers that lag",
             note="a flush per 64 ticks looks at 64 flags"),
        bare("publish", name="bare ring, 65,536 entries"),
        bare("publish", "--entries", "256", name="bare ring, 256 entries, in cache"),
        *peers("publish", only=("iceoryx",)),
    ))


def stream():
    return Group("stream", (
        Figure("publish_ns", "publish, one reader polling, sustained", "ns/tick", 20),
        Figure("mticks_s", "throughput to one polling reader", "M ticks/s",
               50, 0.95, "higher"),
        Figure("lost_share", "share of ticks overrun at full speed", "of 1"),
    ), (ours("stream"), bare("stream"), *peers("stream")))


def crowd():
    return Group("crowd", (
        Figure("mticks_s", "throughput to each of 8 polling readers, oversubscribed",
               "M ticks/s", better="higher"),
    ), (ours("stream", "--readers", "8", note=CROWDED),
        bare("stream", "--readers", "8", note=CROWDED),
        *peers("stream", "--readers", "8", note=CROWDED)))


def burst():
    return Group("burst", (
        Figure("burst_ns", "publish, one reader polling, bursts of 16, p50", "ns/tick", 25),
    ), (ours("burst"), bare("burst"), *peers("burst", only=("ck", "boost", "iceoryx", "pipe"))))


def latency():
    return Group("latency", (
        Figure("p50_ns", "one-way latency, 100,000 ticks/s, polling, p50", "ns",
               90, 1.15),
        Figure("p99_ns", "one-way latency, 100,000 ticks/s, polling, p99", "ns"),
    ), (ours("latency", full_ms=400), bare("latency", full_ms=400),
        *peers("latency", full_ms=400)))


def wake():
    only = ("pipe", "iceoryx", "zmq", "redis")
    return Group("wake", (
        Figure("p50_ns", "wake-up of a sleeping reader, p50", "ns", ratio=1.1),
        Figure("p99_ns", "wake-up of a sleeping reader, p99", "ns"),
    ), (ours("wake", full_ms=400), bare("wake", name="bare futex", full_ms=400),
        *peers("wake", only=only, full_ms=400)))


def decode_variant(name, program, text, *args, role="peer", package=""):
    def run(ctx):
        given = text(ctx)
        if not given:
            raise Missing("recorded frames")
        return ctx.program(program, *args, "--ms", str(ctx.ms(120)), package=package, text=given)
    return Variant(name, run, role)


def decode():
    def today(_ctx):
        return frames.trades_today()

    def old(_ctx):
        return frames.trades_old()

    def recorded(ctx):
        return frames.recorded(ctx, "binance_busy_btcusdt.jsonl.gz", '"e":"trade"')

    groups = []
    for name, title, text in (
            ("decode", "a Binance trade in today's form, 168 bytes", today),
            ("decode-old", "a Binance trade in the form of old recordings, 153 bytes", old),
            ("decode-recorded", "recorded Binance trades, 168 bytes", recorded)):
        groups.append(Group(name, (
            Figure("decode_ns", f"decode of {title}", "ns/frame",
                   ratio=1.15),
        ), (
            decode_variant("px, to ticks", "decode_px", text, "--venue", "binance", role="ours"),
            decode_variant("simdjson on-demand, fields only", "decode_simdjson", text,
                           role="control", package="libsimdjson-dev"),
            decode_variant("jansson", "decode_jansson", text, package="libjansson-dev"),
        )))
    return groups


# What a venue sends in a row: recorded sessions where there are some, in today's protocol.
SESSIONS = [("binance", "binance_busy_btcusdt.jsonl.gz"), ("binance_us", "binance_us.jsonl"),
            ("binance_tr", "binance_tr.jsonl"), ("binance_usdm", "binance_usdm.jsonl"),
            ("binance_coinm", "binance_coinm.jsonl"), ("coinbase", "coinbase.jsonl"),
            ("kraken", "converted/kraken_v2.jsonl"), ("bybit", "converted/bybit_v5.jsonl"),
            ("okx", "okx.jsonl"), ("bitstamp", "bitstamp.jsonl"), ("deribit", "deribit.jsonl"),
            ("gemini", "gemini_v2.jsonl"), ("bitfinex", "bitfinex.jsonl"),
            ("kucoin", "kucoin.jsonl"), ("gateio", "gateio.jsonl"), ("htx", "htx.jsonl"),
            ("upbit", "upbit.jsonl")]


def decode_sessions(name, sessions, program, *args, role="peer", package=""):
    """One program over the session of each venue; a venue without a recording gives no figure."""
    def run(ctx):
        figures = {}
        for venue, file in sessions:
            text = frames.recorded(ctx, file)
            if not text:
                continue
            said = ctx.program(program, *args, "--venue", venue, "--ms", str(ctx.ms(120)),
                               package=package, text=text)
            if said["refused_share"] > 0:
                raise Failed(f"{program} refuses frames of {file}")
            figures[f"{venue}_ns"] = said["decode_ns"]
        if not figures:
            raise Missing("recorded frames")
        return figures
    return Variant(name, run, role)


def decode_venues(source):
    """A row for each venue that there is and of which there is a recording."""
    table = (source / "feeder" / "venues" / "venues.def").read_text(encoding="utf-8")
    known = re.findall(r"^PX_VENUE\((\w+)\)", table, re.MULTILINE)
    sessions = [s for s in SESSIONS if s[0] in known]
    return Group("decode_venues", tuple(
        Figure(f"{venue}_ns", f"decode of {venue}'s session, all kinds of frames", "ns/frame")
        for venue, _file in sessions
    ), (
        decode_sessions("px, to events", sessions, "decode_px", role="ours"),
        decode_sessions("simdjson on-demand, every value visited", sessions, "decode_simdjson",
                        "--walk", role="control", package="libsimdjson-dev"),
        decode_sessions("jansson, tree", sessions, "decode_jansson", "--walk",
                        package="libjansson-dev"),
    ))


def receiver(ctx, name):
    """argv of a receiver of frames, by its short name."""
    if name == "node":
        node = shutil.which("node")
        if node is None or not os.path.isdir("/usr/share/nodejs/ws"):
            raise Missing("node-ws")
        return ["env", "NODE_PATH=/usr/share/nodejs", "taskset", "-c", "1", node,
                ctx.source / "bench" / "frame_ws.js"]
    if name == "python":
        if not os.path.isdir("/usr/lib/python3/dist-packages/websockets"):
            raise Missing("python3-websockets")
        return ["taskset", "-c", "1", "/usr/bin/python3", ctx.source / "bench" / "frame_ws.py"]
    package = {"frame_lws": "libwebsockets-dev", "frame_bare": "libsimdjson-dev"}[name]
    return [ctx.path(name, package)]


def to_memory(title, name, full, *, tls=False, sent=(), role="peer"):
    """CPU time per frame of one receiver, frames back to back."""
    def run(ctx):
        count = str(ctx.count(full))
        argv = [*receiver(ctx, name), "--count", count] + (["--tls"] if tls else [])
        return frames.through(ctx, argv, ["--count", count, *sent], tls)
    return Variant(title, run, role)


def ours_to_memory(full, *, tls=False, sent=()):
    """CPU time per frame of the feeder."""
    def run(ctx):
        return frames.through_feeder(ctx, ["--count", str(ctx.count(full)), *sent], tls=tls)
    return Variant("px feeder", run, "ours")


RECORDS = ("--record", "frame")
OLD = ("--old",)


def frame_to_memory():
    cpu = "cpu_ns"
    lws = "libwebsockets' client role"
    return [
        Group("frame", (Figure(cpu, "frame to shared memory, 176 bytes, back to back, plain",
                               "ns CPU", 250),), (
            ours_to_memory(1000000),
            to_memory("bare reader: socket, simdjson, slot, ring", "frame_bare", 1000000,
                      role="control"),
            to_memory(lws, "frame_lws", 300000),
            to_memory("Node ws", "node", 120000),
            to_memory("Python websockets", "python", 50000),
        )),
        Group("frame-old", (
            Figure(cpu, "frame to shared memory, 207 bytes, in the form of old recordings",
                   "ns CPU", 250),
        ), (
            ours_to_memory(500000, sent=OLD),
            to_memory("bare reader: socket, simdjson, slot, ring", "frame_bare", 1000000, sent=OLD,
                      role="control"),
            to_memory(lws, "frame_lws", 300000, sent=OLD),
        )),
        Group("frame-tls", (Figure(cpu, "frame to shared memory, TLS 1.3, large records", "ns CPU",
                                   350),), (
            ours_to_memory(800000, tls=True),
            to_memory("bare reader on OpenSSL", "frame_bare", 800000, tls=True, role="control"),
            to_memory(lws, "frame_lws", 300000, tls=True),
        )),
        Group("frame-tls-records", (
            Figure(cpu, "frame to shared memory, TLS 1.3, a record per frame", "ns CPU"),
        ), (
            ours_to_memory(200000, tls=True, sent=RECORDS),
            to_memory("bare reader on OpenSSL", "frame_bare", 200000, tls=True, sent=RECORDS,
                      role="control"),
            to_memory(lws, "frame_lws", 100000, tls=True, sent=RECORDS),
        )),
    ]


RATE = 20000


def paced(full):
    return ["--count", str(full), "--rate", str(RATE)]


def to_reader(title, name, *args, role="peer", note=""):
    """p50 from the sender's stamp to the process that sees it."""
    def run(ctx):
        count = ctx.count(16000)
        return frames.through(ctx, [*receiver(ctx, name), "--count", str(count), "--stamps", *args],
                              paced(count))
    return Variant(title, run, role, note=note)


def bare_followed(ctx):
    """Bare reader, busy; the sender follows the ring, since two cores have no room for a third."""
    count = ctx.count(16000)
    ring = f"/dev/shm/px-{ctx.name()}"
    return frames.through(
        ctx, [*receiver(ctx, "frame_bare"), "--count", str(count), "--busy", "--ring", ring],
        [*paced(count), "--follow", ring])


def ours_to_reader(ctx):
    return frames.through_feeder(ctx, paced(ctx.count(16000)), "--stamps")


def ours_followed(ctx):
    return frames.around_feeder(ctx, paced(ctx.count(16000)))


def frame_to_reader():
    def figures(how):
        return (Figure("p50_ns", f"frame to reader at 20,000 frames/s, {how}, p50", "ns",
                       ratio=1.1),
                Figure("p99_ns", f"frame to reader at 20,000 frames/s, {how}, p99", "ns"))
    one = "one process: socket and reader are the same"
    return [
        Group("reach", figures("blocking"), (
            Variant("px, feeder and reader", ours_to_reader, "ours"),
            to_reader("bare, socket process and reader process", "frame_bare", "--hop",
                      role="control"),
            to_reader("bare, one process", "frame_bare", note=one),
            to_reader("Node ws", "node", note=one),
            to_reader("Python websockets", "python", note=one),
        )),
        Group("reach-busy", figures("busy-poll"), (
            Variant("px, feeder and reader", ours_followed, "ours",
                    note="the sender is the reader"),
            Variant("bare, socket process and reader process", bare_followed, "control",
                    note="the sender is the reader"),
            to_reader("bare, one process", "frame_bare", "--busy", note=one),
        )),
    ]


def groups(source):
    return [*micro(), publish(), stream(), burst(), crowd(), latency(), wake(), *decode(),
            decode_venues(source), *frame_to_memory(), *frame_to_reader()]
