"""The path through a CUDA device, where there is one."""

import numpy as np
import pytest
import torch
from terminal import run_script
from tube import write_tube

from data.formats.obj import read_obj

pytestmark = [
    pytest.mark.starts_scripts,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("script", ["fit_mesh.py", "fit_mesh_smoothened.py"])
def test_cuda_and_cpu_predict_the_same_to_a_percent(tmp_path, script):
    source, target = write_tube(tmp_path, num_frames=40)
    fitted = run_script(
        tmp_path, script, "-src", source, "-tar", target, "-n_cond", 3, "-n_ep", 1, "-dev", "cuda:0", "-m_type", "m"
    )
    assert fitted.returncode == 0, fitted.stderr
    meshes = {}
    for device in ("cuda:0", "cpu"):
        flags = ["-src", source, "-saved_path", "saved_model/m", "-dev", device, "-m_type", device.replace(":", "")]
        assert run_script(tmp_path, "inference_mesh.py", *flags).returncode == 0
        paths = sorted((tmp_path / "inference_meshes" / device.replace(":", "")).glob("*/*/*.obj"))
        meshes[device] = np.stack([read_obj(path)[0] for path in paths])
    skinned = np.stack([read_obj(path)[0] for path in sorted(source.iterdir())])
    correction = np.linalg.norm(meshes["cpu"] - skinned, axis=2).mean()
    assert np.linalg.norm(meshes["cuda:0"] - meshes["cpu"], axis=2).mean() < 0.01 * correction


def test_two_runs_of_a_seed_agree_to_a_percent(tmp_path):
    # the order in which a GPU adds up differs from run to run
    source, target = write_tube(tmp_path, num_frames=40)
    meshes = []
    for name in ("one", "two"):
        flags = ["-src", source, "-tar", target, "-n_cond", 3, "-n_ep", 1, "-dev", "cuda:0", "-m_type", name]
        assert run_script(tmp_path, "fit_mesh.py", *flags).returncode == 0
        flags = ["-src", source, "-saved_path", f"saved_model/{name}", "-dev", "cuda:0"]
        assert run_script(tmp_path, "inference_mesh.py", *flags).returncode == 0
        paths = sorted((tmp_path / "inference_meshes" / name).glob("*/*/*.obj"))
        meshes.append(np.stack([read_obj(path)[0] for path in paths]))
    skinned = np.stack([read_obj(path)[0] for path in sorted(source.iterdir())])
    correction = np.linalg.norm(meshes[0] - skinned, axis=2).mean()
    assert np.linalg.norm(meshes[1] - meshes[0], axis=2).mean() < 0.01 * correction
