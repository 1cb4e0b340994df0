"""A model of variant 2, for the tests of the models."""

import pytest
import torch
from tube import tube_frames, tube_joints, tube_triangles, tube_windows

from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface


@pytest.fixture
def jointed():
    """A model of variant 2, with windows of meshes and joints."""
    torch.manual_seed(0)
    surface = RestSurface.from_mesh(tube_frames(1)[0], tube_triangles(), tube_joints(1)[0])
    model = MeshAutoencoder(ModelSettings(num_condition_frames=3, num_joints=5), surface)
    for parameter in model.decoder.output.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    joints = torch.from_numpy(tube_joints(6)).float().unfold(0, 3, 1).permute(0, 3, 1, 2)
    return model, tube_windows(4, 3), joints
