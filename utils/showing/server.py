"""The viewer's server: a page in the browser, for this machine alone unless told otherwise, and for no other site's pages."""

import socket
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from data.input_error import InputError, optional_packages


def is_address(name: str, loopback: bool) -> bool:
    """Say whether a name is an IP address; with `loopback`, whether it is one of this machine's loopback addresses."""
    try:
        return ip_address(name).is_loopback or not loopback
    except ValueError:
        return False


def is_foreign(origin: str | None, asked: str, host: str) -> bool:
    """Say whether another site's page asks: its origin is not the server that it asks, or it knows this machine by a strange
    name.

    `origin` is that of the page, as browsers tell it; `asked` is the name and port that the page asks for, `host` the address
    that the server listens on. A stranger's domain may resolve to this machine, which would make the stranger's page one of
    ours.
    """
    name, loopback = urlsplit(f"//{asked}").hostname or "", host == "localhost" or is_address(host, loopback=True)
    known = {"localhost"} if loopback else {"localhost", host, socket.gethostname().lower(), socket.getfqdn().lower()}
    if name not in known and not is_address(name, loopback):
        return True
    return origin is not None and origin != f"http://{asked}"


def free_port(host: str, first: int) -> int:
    """Return the first free port from `first` on; raise `InputError` where there is none, or `host` is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, 0), family=family).close()
    except OSError as error:
        raise InputError(f"--host: found {host} ({error.strerror}), expected an address of this machine") from None
    for port in range(first, 65536):
        try:
            socket.create_server((host, port), family=family).close()
        except OSError:
            continue
        return port
    raise InputError(f"--port: found {first}, expected a port below 65536, and a free one from there on")


def check_viewer() -> None:
    """Raise `InputError` where viser is not installed."""
    with optional_packages("the viewer"):
        import viser  # noqa: F401


def open_server(host: str, port: int) -> Any:
    """Return a viser server that listens on `host` and a port that is free, and refuses other sites' pages.

    Raises `InputError` where viser is not installed.
    """
    check_viewer()
    import viser
    import websockets.asyncio.server as websocket_server

    listen = websocket_server.serve

    def serve(*arguments: Any, process_request: Any, **options: Any) -> Any:
        def check(connection: Any, request: Any) -> Any:
            if is_foreign(request.headers.get("Origin"), request.headers.get("Host", ""), host):
                return connection.respond(HTTPStatus.FORBIDDEN, "only for pages of this server\n")
            return process_request(connection, request)

        return listen(*arguments, process_request=check, **options)

    # viser offers no place for a check of origins
    with patch.object(websocket_server, "serve", serve):
        server = viser.ViserServer(host=host, port=port, verbose=False)
    # nor a switch for its tunnel to the outside world, which any page may ask for
    handlers = server._websock_server
    for message in [each for each in handlers._incoming_handlers if each.__name__.startswith("ShareUrl")]:
        handlers.unregister_handler(message)
    return server
