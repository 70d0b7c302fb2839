"""The way between the feeder and a venue, in the hands of the test: it passes bytes on, until it is
told to lose them, to stop in the middle, or to break.

    with Wire(venue.port) as wire:
        bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{wire.port}")
        wire.vanish()       # both ends think that they are connected
        wire.pass_on()"""
import asyncio
import socket
import struct
import time

from loop_thread import LoopThread


class Wire:
    def __init__(self, port):
        self.target = port
        self.passes = None  # bytes of the venue that a connection still gets; None: all
        self._tear = None   # how the next bytes of the venue end
        self.accepted = []  # time.time() of each connection
        self._open = set()
        self._thread = LoopThread()

    def pass_on(self):
        """New connections get everything again."""
        self.passes = None

    def hold_after(self, count):
        """Of the venue's bytes each new connection gets so many; what is open now goes on."""
        self.passes = count

    def vanish(self):
        """Nothing passes any more, in either direction, whether the connection is new or not."""
        self._thread.do(self._vanish())

    def cut(self, reset=False):
        """End what is open now, between two records."""
        self._thread.do(self._cut(reset))

    def tear(self, reset=False):
        """The next bytes of the venue come without the last ten; then the connection ends."""
        self._tear = reset

    def __enter__(self):
        self._server = self._thread.do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self._thread.soon(self._server.close)
        self._thread.stop()

    async def _vanish(self):
        self.passes = 0
        for connection in self._open:
            connection.left = 0
            connection.deaf = True

    async def _cut(self, reset):
        for connection in list(self._open):
            connection.end(reset)

    async def _serve(self, reader, writer):
        self.accepted.append(time.time())
        connection = Connection(self, writer)
        self._open.add(connection)
        try:
            up_reader, connection.up = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(connection.ask(reader), connection.answer(up_reader))
        except OSError:
            pass  # either end may go first
        finally:
            self._open.discard(connection)
            connection.end(False)

    def take_tear(self):
        tear, self._tear = self._tear, None
        return tear


class Connection:
    def __init__(self, wire, down):
        self.wire, self.down, self.up = wire, down, None
        self.left, self.deaf = wire.passes, False
        down.transport.set_write_buffer_limits(0)  # drain() means: the kernel has it

    async def ask(self, reader):
        while data := await reader.read(65536):
            if not self.deaf:
                self.up.write(data)
                await self.up.drain()
        self.end(False)

    async def answer(self, reader):
        while data := await reader.read(65536):
            tear = self.wire.take_tear()
            if tear is not None:
                data = data[:-10]
            if self.left is not None:
                data = data[:self.left]
                self.left -= len(data)
            self.down.write(data)
            await self.down.drain()
            if tear is not None:
                self.end(tear)
        self.end(False)

    def end(self, reset):
        if reset:
            self.down.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                          struct.pack("ii", 1, 0))
            self.down.transport.abort()
        self.down.close()
        if self.up is not None:
            self.up.transport.abort()
