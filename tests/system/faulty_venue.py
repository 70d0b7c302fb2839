"""A venue on Python's websockets, in a thread of the test: an independent opinion on each fault. Its
first connection suffers the fault and those that follow are held at the upgrade until heal(), so that
what the tools say in between stands still. The market goes on: the SKIP trades before each new
connection are missed.

    with FaultyVenue(talk=half_frame) as venue:
        bus.feeder(BTC, endpoint=venue.url)
        ... the end of the connection, and what is said of it
        venue.heal()

`upgrade` answers upgrade requests in place of the venue, until heal(). `talk` befalls the first
connection after WARM_UP trades; when it returns, the trades go on."""
import asyncio
import http
import json
import socket
import ssl
import time

import websockets

from loop_thread import LoopThread
from test_feeder import text_frame, trade

WARM_UP = 20
SKIP = 5
PAUSE_S = 0.005
OP_TEXT = 1


class FaultyVenue:
    def __init__(self, upgrade=None, talk=None, tls=None, listens=True, pongs=True):
        self.upgrade, self.talk, self.pongs = upgrade, talk, pongs
        self.attempts = []  # time.time() of each upgrade request
        self.next_id = 0
        self.fault_at = None  # time.time() of the fault
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if tls:
            self.show(tls)
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.port}"
        self._server = None
        self._healed = asyncio.Event()
        self._thread = LoopThread()
        if listens:
            self.listen()

    def listen(self):
        """Until then connections are refused."""
        self._server = self._thread.do(self._listen())

    def show(self, tls):
        """The certificate of every handshake from now on."""
        self.context.load_cert_chain(tls.cert, tls.key)

    def heal(self):
        self._thread.soon(self._healed.set)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._server is not None:
            self._thread.soon(self._server.server.close)
        self._thread.stop()
        self.socket.close()

    async def _listen(self):
        return await websockets.serve(
            self._serve, sock=self.socket, ssl=self.context, compression=None, ping_interval=None,
            process_request=self._upgrade, create_protocol=self._protocol)

    def _protocol(self, *args, **kwargs):
        protocol = websockets.WebSocketServerProtocol(*args, **kwargs)
        if not self.pongs:
            protocol.pong = lambda _data=b"": asyncio.sleep(0)
        return protocol

    async def _upgrade(self, _path, _headers):
        self.attempts.append(time.time())
        if self._healed.is_set():
            return None
        if self.upgrade is not None:
            self.fault_at = self.fault_at or time.time()
            return await self.upgrade(self)
        if len(self.attempts) > 1:
            await self._healed.wait()
        return None

    async def _serve(self, ws):
        request = json.loads(await ws.recv())
        await ws.send(json.dumps({"result": None, "id": request["id"]}))
        if self.next_id > 0:
            self.next_id += SKIP
        for _ in range(WARM_UP):
            await self._tick(ws)
        if self.talk is not None and self.fault_at is None:
            self.fault_at = time.time()
            await self.talk(self, ws)
        while True:
            await self._tick(ws)

    async def _tick(self, ws):
        await ws.send(trade(self.next_id))
        self.next_id += 1
        await asyncio.sleep(PAUSE_S)

    async def healed(self):
        await self._healed.wait()


# ---- upgrade ----

async def silent(venue):
    await venue.healed()


def refusal(status, **headers):
    async def answer(_venue):
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return http.HTTPStatus(status), fields, b""
    return answer


# ---- talk ----

async def mute(venue, _ws):
    await venue.healed()


def closing(code, reason):
    async def talk(_venue, ws):
        await ws.close(code, reason)
    return talk


async def half_frame(venue, ws):
    ws.transport.write(text_frame(trade(venue.next_id))[:60])
    await venue.healed()


async def cut_in_a_frame(venue, ws):
    ws.transport.write(text_frame(trade(venue.next_id))[:60])
    await asyncio.sleep(0.05)  # over TLS, for the record to leave
    ws.transport.abort()
    await ws.wait_closed()


async def giant(_venue, ws):
    await ws.send("x" * 17_000_000)
    await ws.wait_closed()


async def endless(_venue, ws):
    async def pieces():
        while ws.open:
            yield "x" * 65536
            await asyncio.sleep(0)  # so that the end is heard
    await ws.send(pieces())
    await ws.wait_closed()


async def not_utf8(_venue, ws):
    await ws.write_frame(True, OP_TEXT, b"\xff\xfe\xfd")
    await ws.wait_closed()


async def broken_json(venue, ws):
    for _ in range(3):
        await ws.send(trade(venue.next_id)[:60])


async def hole(venue, _ws):
    venue.next_id += 7


async def again(venue, ws):
    for i in range(venue.next_id - 3, venue.next_id):
        await ws.send(trade(i))
