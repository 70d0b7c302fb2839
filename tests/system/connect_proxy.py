"""An HTTP proxy that knows CONNECT, in a thread of the test: standard library alone.

    with ConnectProxy(names={"venue.test": sim.port}, user="me:secret") as proxy:
        ... endpoint ws://venue.test:80, proxy proxy.url ...
        assert proxy.targets() == ["venue.test:80"]

`answer` is what it does instead of opening a tunnel: a status, or bytes to send before it closes, or
SILENT. `behind` are bytes that go out in one piece with a good reply, as the target's first."""
import asyncio
import base64

from loop_thread import LoopThread

SILENT = object()
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n"


class ConnectProxy:
    def __init__(self, names=None, user=None, answer=None, behind=b"", drip=False):
        self.names, self.user, self.answer = names or {}, user, answer
        self.behind, self.drip = behind, drip
        self.requests = []  # heads, as they came
        self._open = set()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.user + '@' if self.user else ''}{self.address}"

    def targets(self):
        """HOST:PORT of each request so far."""
        return [head.split(b" ")[1].decode() for head in list(self.requests)]

    def cut(self):
        """Close all tunnels."""
        self._thread.soon(lambda: [w.close() for w in self._open])

    def __enter__(self):
        self._thread = LoopThread()
        self._server = self._thread.do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self._thread.soon(self._server.close)
        self._thread.stop()

    async def _serve(self, reader, writer):
        self._open.add(writer)
        try:
            await self._handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _handle(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        if self.answer is SILENT:
            await reader.read()
            return
        reply = self._reply(head)
        for piece in [reply[i:i + 1] for i in range(len(reply))] if self.drip else [reply]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if not reply.startswith(ESTABLISHED):
            return
        host, port = head.split(b" ")[1].decode().rsplit(":", 1)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.names.get(host, port))
        self._open.add(up_writer)
        try:
            await asyncio.gather(self._copy(reader, up_writer), self._copy(up_reader, writer))
        finally:
            self._open.discard(up_writer)
            up_writer.close()

    def _reply(self, head):
        told = base64.b64encode((self.user or "").encode()).decode()
        if self.user and f"Proxy-Authorization: Basic {told}\r\n".encode() not in head:
            return b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        answer = self.answer(head) if callable(self.answer) else self.answer
        if isinstance(answer, bytes):
            return answer
        if answer is not None:
            # a proxy that repeats what it was told must not make us repeat it
            return f"HTTP/1.1 {answer} {self.user} {told}\r\nX: {self.user}\r\n\r\n".encode()
        return ESTABLISHED + self.behind

    @staticmethod
    async def _copy(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
