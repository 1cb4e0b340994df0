"""What the viewer refuses; what it shows is looked at in test_browser.py."""

import re
import sys

import pytest
from conftest import save_untrained, tube_surface_with_joints, write_tube

import view_meshes
from data.input_error import InputError
from models.mesh_autoencoder import MeshAutoencoder, ModelSettings
from utils.viewer_server import is_foreign, open_server


@pytest.mark.parametrize(
    ("origin", "asked", "host", "foreign"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1", False),
        ("http://localhost:8080", "localhost:8080", "127.0.0.1", False),
        ("http://[::1]:8080", "[::1]:8080", "::1", False),
        (None, "127.0.0.1:8080", "127.0.0.1", False),  # no browser, or a page that is opened
        ("http://machine:8080", "machine:8080", "0.0.0.0", False),
        ("http://127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1", True),
        ("http://example.com", "127.0.0.1:8080", "127.0.0.1", True),
        ("http://example.com:8080", "example.com:8080", "127.0.0.1", True),
        (None, "example.com:8080", "127.0.0.1", True),
        ("http://example.com", "machine:8080", "0.0.0.0", True),
        ("null", "127.0.0.1:8080", "127.0.0.1", True),
        (None, "", "127.0.0.1", True),
    ],
)
def test_who_is_foreign(origin, asked, host, foreign):
    assert is_foreign(origin, asked, host) == foreign


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("203.0.113.7", 8080, r"--host: found 203\.0\.113\.7 \(.*\), expected an address of this machine"),
        ("no such name", 8080, "--host: found no such name"),
        ("127.0.0.1", 65536, "--port: found 65536, expected a port from 1 to 65535"),
    ],
)
def test_where_it_cannot_listen(host, port, message):
    with pytest.raises(InputError, match=message):
        open_server(host, port)


def test_without_viser(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"the viewer: the package viser is not installed; pip install -r"):
        open_server("127.0.0.1", 8080)


def test_what_does_not_fit_together(tmp_path):
    source, target = write_tube(tmp_path, num_frames=3)
    (target / "tube_target.00002.obj").unlink()
    with pytest.raises(InputError, match=re.escape(f"{target}: 1 of the 3 frames in {source} have no partner")):
        view_meshes.main(["-src", str(source), "-pred", str(target)])
    model = MeshAutoencoder(ModelSettings(num_joints=5), tube_surface_with_joints(5))
    save_untrained(tmp_path / "1.pt", model)
    with pytest.raises(InputError, match=re.escape(f"{source}: found 0 joints, expected 5 as in")):
        view_meshes.main(["-src", str(source), "-saved_path", str(tmp_path / "1.pt")])
    with pytest.raises(SystemExit):
        view_meshes.parse_arguments(["-src", "skinned", "-pred", "predicted", "-saved_path", "1.pt"])
