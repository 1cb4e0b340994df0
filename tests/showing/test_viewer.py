"""What the viewer refuses; what it shows is looked at in test_browser.py."""

import re
import socket
import sys

import pytest
from tube import save_untrained, tube_surface_with_joints, write_tube

import view_meshes
from data.input_error import InputError
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
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


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("203.0.113.7", 8080, r"--host: found 203\.0\.113\.7 \(.*\), expected an address of this machine"),
        ("no such name", 8080, "--host: found no such name"),
        ("127.0.0.1", 65536, "--port: found 65536, expected a port below 65536"),
    ],
)
def test_where_it_cannot_listen(host, port, message):
    with pytest.raises(InputError, match=message):
        view_meshes.parse_arguments(["-src", "skinned", "--host", host, "--port", str(port)])


def test_a_port_that_is_taken_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port


def test_without_viser(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"the viewer: the package viser is not installed; pip install -r"):
        view_meshes.parse_arguments(["-src", "skinned"])


def test_what_does_not_fit_together(tmp_path):
    source, target = write_tube(tmp_path, num_frames=3)
    (target / "tube_target.00002.obj").unlink()
    with pytest.raises(InputError, match=re.escape(f"{target}: 1 frames of {source} are missing, the first is 2")):
        view_meshes.main(["-src", str(source), "-pred", str(target)])
    with pytest.raises(InputError, match="--predicted_files_dir: found 2 folders, expected one per source folder, 1"):
        view_meshes.main(["-src", str(source), "-pred", str(target), str(target)])
    model = MeshAutoencoder(ModelSettings(num_joints=5, up_axis="z"), tube_surface_with_joints(5))
    save_untrained(tmp_path / "1.pt", model)
    with pytest.raises(InputError, match=re.escape(f"{source}: found 0 joints, expected 5 as in")):
        view_meshes.main(["-src", str(source), "-saved_path", str(tmp_path / "1.pt")])
    save_untrained(tmp_path / "1.pt", MeshAutoencoder(ModelSettings(up_axis="z"), tube_surface_with_joints(0)))
    with pytest.raises(InputError, match="--up_axis: found y, expected z as in the checkpoint"):
        view_meshes.main(["-src", str(source), "-saved_path", str(tmp_path / "1.pt"), "--up_axis", "y"])
    with pytest.raises(SystemExit):
        view_meshes.parse_arguments(["-src", "skinned", "-pred", "predicted", "-saved_path", "1.pt"])


def test_no_page_gets_a_tunnel():
    server = open_server("127.0.0.1", free_port("127.0.0.1", 8080))
    try:
        assert not [each for each in server._websock_server._incoming_handlers if "Share" in each.__name__]
    finally:
        server.stop()
