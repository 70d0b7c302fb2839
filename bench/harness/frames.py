"""Frames for the decoders, and the pairs of sender and receiver."""

import contextlib
import gzip
import itertools
import os
import pathlib
import re
import subprocess

from .runner import Failed

LONGEST = 2048  # snapshots of whole books are not what a second is made of


def trades_today():
    """Combined Binance trades in today's form, of our own making after the venue's documents."""
    return "".join(
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
        f'"t":{3735683259 + i},"p":"{61000 + i}.{i % 100:02d}000000",'
        f'"q":"0.{1000 + i % 97:04d}0000",'
        f'"T":1723161255342,"m":{"true" if i % 3 == 0 else "false"},"M":true}}}}\n'
        for i in range(512))


def trades_old():
    """The same of 153 bytes in the form of old recordings, with the order ids b and a."""
    lines = []
    for i in range(512):
        sell = "true" if i % 3 == 0 else "false"
        line = ('{"e":"trade","E":1723161255342,"s":"BTCUSDT",'
                f'"t":{3735683259 + i},"p":"{61000 + i}.{i % 100:02d}000000",'
                f'"q":"0.{1000 + i % 97:04d}0000","b":{pad(4, i)},"a":{pad(4 + (i % 3 == 0), i)},'
                f'"T":1723161255342,"m":{sell},"M":true}}')
        assert len(line) == 153, len(line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def pad(digits, i):
    return f"{10 ** (digits - 1) + i}"


def captures(ctx):
    """Recorded frames, beside the checkout and never copied into it."""
    return pathlib.Path(os.environ.get("PX_CAPTURES", ctx.source.parent / "shared" / "captures"))


def recorded(ctx, file, holds="", most=1024):
    """Up to `most` frames of a recording that hold a text; "" if there is no recording."""
    path = captures(ctx) / file
    if not path.exists():
        return ""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as f:
        picked = (line for line in f if holds in line and len(line) <= LONGEST)
        return "".join(itertools.islice(picked, most))


def start_sender(ctx, *args, program="wsend", tls=False, **kwargs):
    """The sender and the port that it listens on."""
    argv = [ctx.path(program, "libssl-dev"), *args]
    if tls:
        cert, key = ctx.certificate()
        argv += ["--tls", cert, "--key", key]
    sender = ctx.start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    match = re.fullmatch(r"port (\d+)\n", sender.stdout.readline())
    if not match:
        ctx.stop(sender)
        raise Failed("the sender did not start")
    return sender, int(match.group(1))


def through(ctx, receiver, sent, tls=False):
    """Figures of a receiver (argv without the port), and of the sender, which may be its reader."""
    sender, port = start_sender(ctx, *sent, tls=tls)
    try:
        figures = ctx.run([*receiver, "--port", port])
        figures.update(ctx.finish(sender))
        return figures
    finally:
        ctx.stop(sender)


@contextlib.contextmanager
def feeder(ctx, bus, port, *options, tls=False):
    """The real feeder, subscribed to nothing, its only venue the sender."""
    folder = ctx.dir / bus
    folder.mkdir()
    argv = ["taskset", "-c", "1", ctx.path("feeder"), "-b", bus, "--kinds", "trade",
            "--endpoint", f"binance={'wss' if tls else 'ws'}://127.0.0.1:{port}/ws",
            "--state-dir", folder, "--runtime-dir", folder, "--log-level", "error", *options]
    if tls:
        argv += ["--tls-ca", ctx.certificate()[0]]
    process = ctx.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        ctx.stop(process)
        with contextlib.suppress(Failed):
            ctx.run([ctx.path("feeder"), "-b", bus, "--remove"])


def through_feeder(ctx, sent, *how, tls=False):
    """Figures of frame_px behind a feeder: its CPU time per frame, or with --stamps the time to a
    reader of the bus that sleeps between ticks."""
    bus = ctx.name()
    sender, port = start_sender(ctx, *sent, tls=tls)
    try:
        with feeder(ctx, bus, port, tls=tls):
            return ctx.program("frame_px", "--bus", bus, *how, *sent)
    finally:
        ctx.stop(sender)


def around_feeder(ctx, sent):
    """To the bus and back: the feeder never sleeps and the sender is the reader. Another reader
    only holds the subscription."""
    bus, holder = ctx.name(), None
    sender, port = start_sender(ctx, *sent, "--follow", bus, program="wsend_px")
    try:
        with feeder(ctx, bus, port, "--busy-poll"):
            holder = ctx.start([ctx.path("frame_px"), "--bus", bus, "--idle"])
            return ctx.finish(sender)
    finally:
        if holder is not None:
            ctx.stop(holder)
        ctx.stop(sender)
