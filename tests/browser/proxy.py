"""A small reverse proxy, as JupyterHub has one: it takes requests below a prefix of its address, and hands them to a
server with the prefix or without it."""

import contextlib
import socket
import socketserver
from threading import Thread
from urllib.parse import urlsplit

PREFIX = "/user/ann/proxy"


class Proxy:
    """Before a server at `url`; strip: whether the server is asked without the prefix. Web sockets pass. strangers: the
    paths that were asked for outside the prefix."""

    def __init__(self, url: str, strip: bool) -> None:
        strangers: list[str] = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = list(iter(lambda: self.rfile.readline().rstrip(b"\r\n").decode("latin-1"), ""))
                if not head:
                    return
                method, path, version = head[0].split(" ")
                if not path.startswith(PREFIX):
                    strangers.append(path)
                    self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
                path = (path.removeprefix(PREFIX) or "/") if strip else path
                fields = head[1:]
                # One request a connection, unless it becomes a web socket: no later one needs to be read.
                if not any(field.lower().startswith("upgrade:") for field in fields):
                    fields = [f for f in fields if not f.lower().startswith("connection:")] + ["Connection: close"]
                with socket.create_connection(("127.0.0.1", urlsplit(url).port)) as inner:
                    inner.sendall("\r\n".join([f"{method} {path} {version}", *fields, "", ""]).encode("latin-1"))
                    # What of a body was read along with the head.
                    Thread(target=_pass, args=(self.rfile.read1, inner), daemon=True).start()
                    _pass(inner.recv, self.connection)

        self.strangers = strangers
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://localhost:{self.server.server_address[1]}{PREFIX}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _pass(read, to: socket.socket) -> None:
    """Everything on, until one side ends."""
    with contextlib.suppress(OSError, ValueError):
        while piece := read(1 << 16):
            to.sendall(piece)
        to.shutdown(socket.SHUT_WR)
