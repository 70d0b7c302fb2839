"""A venue that ends each of its connections in another way, in turn: a close frame, a reset, an upgrade
refused, the end without a word, what is no answer, nobody there, and silence until the client gives
up; over TLS a certificate that is not trusted, and the end in the middle of the handshake. While
`keep` is set it feeds the next connection instead."""
import json
import re
import socket
import ssl
import struct
import threading
import time

from test_feeder import trade, upgrade_reply

ENDS = ("clean", "reset", "refused", "cut", "nonsense", "away") * 3 + ("mute",)
TLS_ENDS = ("untrusted", "half a handshake")
AWAY_S = 0.01


class EndingServer(threading.Thread):
    def __init__(self, tls=None, untrusted=None):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = self.listener.getsockname()
        self.tls, self.untrusted = tls, untrusted
        self.ends = ENDS + TLS_ENDS * 3 if tls else ENDS
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.address[1]}"
        self.keep = threading.Event()
        self.feeding = threading.Event()
        self.count = self.ticks = 0
        self.start()

    def run(self):
        while True:
            sock = self.listener.accept()[0]
            end = "feed" if self.keep.is_set() else self.ends[self.count % len(self.ends)]
            self.count += 1
            try:
                sock.settimeout(20)
                self.begin(sock, end)
            except OSError:
                pass  # the client may end first
            sock.close()
            if end == "away":
                self.go_away()

    def begin(self, sock, end):
        """The ends before there is a WebSocket, and those of one."""
        if end == "nonsense":
            sock.sendall(b"\0nonsense\r\n\r\n")
            self.mute(sock)
        elif end == "half a handshake":
            sock.recv(4096)
            sock.sendall(b"\x16\x03\x03\x00\x7a\x02")
        elif end not in ("cut", "away"):
            with self.secure(sock, end) as secured:
                self.serve(secured, end)

    def secure(self, sock, end):
        if not self.tls:
            return sock
        shown = self.untrusted if end == "untrusted" else self.tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.cert, shown.key)
        return context.wrap_socket(sock, server_side=True)

    def go_away(self):
        """For some attempts nobody listens."""
        self.listener.close()
        time.sleep(AWAY_S)
        self.listener = socket.create_server(self.address, backlog=64)

    def serve(self, sock, end):
        head = _until(sock, b"\r\n\r\n")
        if end == "refused":
            sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return
        sock.sendall(upgrade_reply(re.search(rb"(?i)sec-websocket-key: (\S+)", head).group(1)))
        _send(sock, json.dumps({"result": None, "id": json.loads(_receive(sock))["id"]}))
        self.tick(sock)
        getattr(self, end)(sock)

    def tick(self, sock):
        self.ticks += 1
        _send(sock, trade(self.ticks))

    def feed(self, sock):
        self.feeding.set()
        while self.keep.is_set():
            self.tick(sock)
            time.sleep(0.01)
        self.feeding.clear()

    def clean(self, sock):
        sock.sendall(b"\x88\x02\x03\xe8")
        self.mute(sock)

    @staticmethod
    def reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @staticmethod
    def mute(sock):
        while sock.recv(4096):
            pass


def _until(sock, mark):
    data = b""
    while mark not in data:
        more = sock.recv(4096)
        if not more:
            raise OSError("ended")
        data += more
    return data


def _receive(sock):
    """One masked text message of less than 64 KiB."""
    data = b""

    def need(n):
        nonlocal data
        while len(data) < n:
            more = sock.recv(4096)
            if not more:
                raise OSError("ended")
            data += more
    need(4)
    size, at = data[1] & 127, 2
    if size == 126:
        size, at = int.from_bytes(data[2:4], "big"), 4
    need(at + 4 + size)
    mask = data[at:at + 4]
    return bytes(b ^ mask[i % 4] for i, b in enumerate(data[at + 4:at + 4 + size]))


def _send(sock, text):
    data = text.encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else b"\x81\x7e" + struct.pack(">H", len(data))
    sock.sendall(head + data)
