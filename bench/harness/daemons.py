"""Daemons that peers need, started for one group of measurements and stopped behind it."""

import contextlib
import os
import select
import shutil
import subprocess
import time

from .runner import Failed, Missing

ROUDI_CONFIG = """[general]
version = 1

[[segment]]

[[segment.mempool]]
size = 128
count = 4096
"""


def _wait_text(process, text, seconds):
    """Read stdout until it holds `text`; past Python's buffer, which select() does not see."""
    end = time.monotonic() + seconds
    fd, said = process.stdout.fileno(), b""
    while text not in said and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            part = os.read(fd, 4096)
            if not part:
                break
            said += part
    if text not in said:
        raise Failed(f"{process.args[0]} did not say {text.decode()!r}")


@contextlib.contextmanager
def roudi(ctx):
    """iceoryx: shared memory of its own and the registry of publishers."""
    if shutil.which("iox-roudi") is None:
        raise Missing("iceoryx")
    config = ctx.dir / "roudi.toml"
    config.write_text(ROUDI_CONFIG)
    process = ctx.start(["iox-roudi", "-m", "off", "-c", config], stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, cwd=ctx.dir)
    try:
        _wait_text(process, b"ready for clients", 10)
        yield
    finally:
        ctx.stop(process)


@contextlib.contextmanager
def redis(ctx):
    """redis-server on a unix socket, in memory only, never dropping a slow subscriber."""
    if shutil.which("redis-server") is None:
        raise Missing("redis-server")
    socket = ctx.dir / "redis.sock"
    process = ctx.start(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
                         "--appendonly", "no", "--dir", ctx.dir,
                         "--client-output-buffer-limit", "pubsub 0 0 0"],
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        _wait_text(process, b"ready to accept connections", 10)
        ctx.env["PX_BENCH_REDIS"] = str(socket)
        yield
    finally:
        ctx.stop(process)


DAEMONS = {"roudi": roudi, "redis": redis}
