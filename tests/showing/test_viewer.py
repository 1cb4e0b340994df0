"""What the viewer refuses; what it shows is looked at in test_browser.py."""

import re
import sys

import pytest
from tube import save_untrained, tube_surface_with_joints, write_tube

import view_meshes
from data.input_error import InputError
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings


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
        view_meshes.main(["-src", "skinned", "--host", host, "--port", str(port)])


def test_without_viser(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"the viewer: the package viser is not installed; pip install -r"):
        view_meshes.main(["-src", "skinned"])


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
