"""Numbers that hold at the edges: the share of the error that is left does not depend on units, place, side or axes."""

import numpy as np
import pytest
from tube import tube_frames, tube_quads, tube_scans

import fit_mesh
import inference_mesh
from utils.fitting import linear_fit, sampling

pytestmark = pytest.mark.starts_scripts


def as_they_are(vertices):
    return vertices


def obj_positions(folder):
    """Positions (T, V, 3) of a folder's OBJ files, in double precision, read in the plainest way."""
    frames = []
    for path in sorted(folder.glob("*.obj")):
        lines = [line.split() for line in path.read_text().splitlines()]
        frames.append([[float(number) for number in line[1:]] for line in lines if line[0] == "v"])
    return np.array(frames)


def share_left(folder, change, flip, flags):
    """Train and predict on tubes whose positions went through `change`; return the share of the skinned error that is left."""
    polygons = tube_quads()[:, ::-1] if flip else tube_quads()
    faces = "".join("f {} {} {} {}\n".format(*row) for row in polygons + 1)
    for kind, num_frames, seed in (("geo", 20, 0), ("geo_test", 4, 5)):
        skinned = tube_frames(num_frames, seed)
        for name, frames in (("sbs", skinned), ("target", tube_scans(skinned))):
            (folder / kind / name).mkdir(parents=True)
            for number, vertices in enumerate(change(frames), 1):
                text = "".join("v {:.15g} {:.15g} {:.15g}\n".format(*row) for row in vertices)
                (folder / kind / name / f"{name}.{number:05d}.obj").write_text(text + faces)
    data = ["-src", "geo/sbs", "-tar", "geo/target"]
    fit_mesh.main([*data, "-n_cond", "3", "-n_ep", "1", "-min_batch", "500", *flags])
    inference_mesh.main(["-src", "geo_test/sbs", "-saved_path", "saved_model/without_joints"])
    (predictions,) = (folder / "inference_meshes/without_joints").glob("*/*")
    scan = obj_positions(folder / "geo_test/target")
    before, after = (
        np.linalg.norm(obj_positions(each) - scan, axis=2).mean() for each in (folder / "geo_test/sbs", predictions)
    )
    return after / before


@pytest.fixture(scope="module")
def plain_share(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "STEPS_PER_EPOCH", 30)
        patch.setattr(linear_fit, "FOLDS", 3)
        folder = tmp_path_factory.mktemp("plain")
        patch.chdir(folder)
        return share_left(folder, as_they_are, False, [])


@pytest.mark.parametrize(
    ("change", "flip", "flags"),
    [
        (lambda vertices: 1000 * vertices * [-1, 1, 1] + [1e7, 0, -1e7], True, ["--units", "mm"]),
        (lambda vertices: vertices * [-1, 1, 1] + [10_000, 0, -10_000], False, []),
        (lambda vertices: 1e-15 * vertices[..., [1, 2, 0]], False, ["--up_axis", "x"]),
        (lambda vertices: 1e15 * vertices[..., [2, 0, 1]], False, ["--up_axis", "z"]),
    ],
    ids=["millimetres, at 10 km, mirrored", "metres, at 10 km, inside out", "tiny, x up", "huge, z up"],
)
def test_the_same_share_is_left(plain_share, tmp_path, monkeypatch, change, flip, flags):
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 30)
    monkeypatch.setattr(linear_fit, "FOLDS", 3)
    monkeypatch.chdir(tmp_path)
    assert plain_share < 0.6
    assert share_left(tmp_path, change, flip, flags) == pytest.approx(plain_share, rel=0.01)
