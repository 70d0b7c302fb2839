"""A pxsim of one's own, and clients for it: Python's websockets and a raw socket."""
import asyncio
import contextlib
import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

PXSIM = Path(os.environ.get("PX_BUILD", "build")) / "bin" / "pxsim"
DEADLINE_S = 20
TWO = "btcusdt@trade/btcusdt@bookTicker"


class Sim:
    """One pxsim on a port of its own; stopped, and its exit status checked, at the end."""

    def __init__(self, *args, venue="binance", program=PXSIM):
        named = ["--venue", venue] if program == PXSIM else [venue]
        self.process = subprocess.Popen(
            [program, *named, "--port", "0", *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()
        if not self.line:
            pytest.fail(self.process.communicate()[1])
        self.port = int(self.line.rsplit(":", 1)[1])

    def url(self, path="/ws", scheme="ws", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}{path}"

    def counts(self):
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def counts_when(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition(counts := self.counts()):
            assert time.monotonic() < end, counts
            time.sleep(0.01)
        return counts

    def socket(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def upgraded(self, path="/ws/" + TWO, rcvbuf=None):
        """A raw socket behind the upgrade, and what came with the reply."""
        s = self.socket()
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.sendall(upgrade_request(path))
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            assert more, data
            data += more
        head, rest = data.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        return s, rest

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()


@contextlib.contextmanager
def pxsim(*args, **kwargs):
    sim = Sim(*args, **kwargs)
    try:
        yield sim
    except BaseException:
        sim.process.kill()
        print(sim.process.communicate()[1])
        raise
    assert sim.stop() == 0, sim.process.stderr.read()
    sim.process.communicate()


def upgrade_request(path):
    return (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S))


def refused(*args):
    done = subprocess.run([PXSIM, *map(str, args)], capture_output=True, text=True, timeout=10)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pxsim: "), done
    return done.returncode, lines[0]


async def ask(ws, method, params=None, ident=1):
    request = {"method": method, "id": ident}
    if params is not None:
        request["params"] = params
    await ws.send(json.dumps(request))
    return await reply(ws)


async def reply(ws):
    """The next message that is no market data."""
    while True:
        m = json.loads(await ws.recv())
        if "id" in m or "error" in m:
            return m


async def take(ws, count, wanted=lambda m: True):
    got = []
    while len(got) < count:
        m = json.loads(await ws.recv())
        if "result" not in m and wanted(m):
            got.append(m)
    return got


async def quiet(ws, seconds=0.4):
    with pytest.raises(asyncio.TimeoutError):
        print(await asyncio.wait_for(ws.recv(), seconds))
    return True


def read_frames(data):
    """(fin, opcode, payload) of each whole frame, and the bytes that are left."""
    frames = []
    while len(data) >= 2:
        size, at = data[1] & 0x7F, 2
        assert not data[1] & 0x80, "a server does not mask"
        if size > 125:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[2:2 + width], "big"), 2 + width
        if len(data) < at + size:
            break
        frames.append((data[0] >> 7, data[0] & 0x0F, data[at:at + size]))
        data = data[at + size:]
    return frames, data


def receive_until(s, data, enough):
    """Read a raw socket until enough(frames, rest), or the end; returns both and whether it ended."""
    s.settimeout(DEADLINE_S)
    while True:
        frames, rest = read_frames(data)
        if enough(frames, rest):
            return frames, rest, False
        more = s.recv(1 << 20)
        if not more:
            return frames, rest, True
        data += more


def still_open_and_silent(s, seconds=0.4):
    s.settimeout(seconds)
    with pytest.raises(socket.timeout):
        print(s.recv(65536))
    return True


def frames_file(path, count, size=0):
    lines = [json.dumps({"stream": "x@trade", "data": {"n": i, "p": "0.10", "pad": "ü" * (i % 300)}},
                        ensure_ascii=False).ljust(size) for i in range(count)]
    data = ("\n".join(lines) + "\n").encode()
    if path.name.endswith(".gz"):
        data = gzip.compress(data)
    path.write_bytes(data)
    return lines


async def whole_replay(ws, lines):
    for i, line in enumerate(lines):
        got = await ws.recv()
        assert got == line, f"frame {i}"
    await quiet(ws, 0.3)


def trusting(ca):
    return ssl.create_default_context(cafile=str(ca))
