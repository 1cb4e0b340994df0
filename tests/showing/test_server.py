"""Who may reach the viewer's server, and what it offers."""

import socket

import pytest

from utils.showing.server import free_port, is_foreign, open_server

MACHINE = socket.gethostname().lower()


@pytest.mark.parametrize(
    ("origin", "asked", "host", "foreign"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1", False),
        ("http://localhost:8080", "localhost:8080", "127.0.0.1", False),
        ("http://[::1]:8080", "[::1]:8080", "::1", False),
        (None, "127.0.0.1:8080", "127.0.0.1", False),  # no browser, or a page that is opened
        (f"http://{MACHINE}:8080", f"{MACHINE}:8080", "0.0.0.0", False),
        ("http://127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1", True),
        ("http://example.com", "127.0.0.1:8080", "127.0.0.1", True),
        ("http://example.com:8080", "example.com:8080", "127.0.0.1", True),
        (None, "example.com:8080", "127.0.0.1", True),
        ("http://example.com", f"{MACHINE}:8080", "0.0.0.0", True),
        ("null", "127.0.0.1:8080", "127.0.0.1", True),
        (None, "", "127.0.0.1", True),
        ("http://192.0.2.1:8080", "192.0.2.1:8080", "0.0.0.0", False),
        ("http://192.0.2.1:8080", "192.0.2.1:8080", "127.0.0.2", True),
        ("http://example.com:8080", "example.com:8080", "0.0.0.0", True),
    ],
)
def test_who_is_foreign(origin, asked, host, foreign):
    assert is_foreign(origin, asked, host) == foreign


def test_a_port_that_is_taken_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port


def test_no_page_gets_a_tunnel():
    server = open_server("127.0.0.1", free_port("127.0.0.1", 8080))
    try:
        assert not [each for each in server._websock_server._incoming_handlers if "Share" in each.__name__]
    finally:
        server.stop()
