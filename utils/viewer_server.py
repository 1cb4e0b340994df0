"""The viewer's server: a page in the browser, for this machine alone unless told otherwise, and for no other site's pages."""

import socket
from http import HTTPStatus
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from data.input_error import InputError, optional_packages

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_foreign(origin: str | None, asked: str, host: str) -> bool:
    """Say whether another site's page asks: its origin is not what it asks for, or it calls this machine by a strange name.

    A browser tells the origin of the page that asks; `asked` is the name and port that it asks for, `host` what is listened on.
    """
    if host in LOOPBACK and urlsplit(f"//{asked}").hostname not in LOOPBACK:
        return True  # a stranger's name that leads to this machine
    return origin is not None and origin != f"http://{asked}"


def open_server(host: str, port: int) -> Any:
    """Return a viser server that listens on `host` and the first free port from `port` on, and refuses other sites' pages.

    Raises `InputError` where viser is not installed, for a host that is none of this machine's, and for ports there are not.
    """
    if port > 65535:
        raise InputError(f"--port: found {port}, expected a port from 1 to 65535")
    with optional_packages("the viewer"):
        import viser
        import websockets.asyncio.server as websocket_server
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise InputError(f"--host: found {host} ({error.strerror}), expected an address of this machine") from None
    listen = websocket_server.serve

    def serve(*arguments: Any, process_request: Any, **options: Any) -> Any:
        def check(connection: Any, request: Any) -> Any:
            if is_foreign(request.headers.get("Origin"), request.headers.get("Host", ""), host):
                return connection.respond(HTTPStatus.FORBIDDEN, "only for pages of this server\n")
            return process_request(connection, request)

        return listen(*arguments, process_request=check, **options)

    # viser hands on no check of origins
    with patch.object(websocket_server, "serve", serve):
        return viser.ViserServer(host=host, port=port, verbose=False)
