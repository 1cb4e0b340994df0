"""A small tube that bends and swings: as arrays, as folders of OBJ files, and models of it that nothing was fitted to."""

from dataclasses import asdict

import numpy as np
import torch

from data.formats.obj_writing import write_obj
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface
from utils.fitting.progress import Progress
from utils.predicting.onnx_export import how_to_run, write_onnx
from utils.predicting.onnx_forms import StreamingForm
from utils.runs.checkpoint import save_checkpoint

RINGS, AROUND = 9, 8


def tube_quads():
    """Quads (P, 4) of an open tube of RINGS rings of AROUND vertices."""
    ring, step = np.meshgrid(np.arange(RINGS - 1), np.arange(AROUND), indexing="ij")
    here, there = ring * AROUND, (ring + 1) * AROUND
    following = (step + 1) % AROUND
    return np.stack([here + step, here + following, there + following, there + step], axis=-1).reshape(-1, 4)


def tube_triangles():
    quads = tube_quads()
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


def tube_frames(num_frames, seed=0, radius=0.1):
    """Vertices (T, V, 3) of a tube, one metre long along x, that bends and drifts smoothly."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi, 3)
    time = np.arange(num_frames)[:, None, None]
    along = np.repeat(np.linspace(0, 1, RINGS), AROUND)[None, :]
    angle = np.tile(2 * np.pi * np.arange(AROUND) / AROUND, RINGS)[None, :]
    bend = 0.6 * np.sin(0.4 * time[..., 0] + phase[0]) * along
    height = 0.3 * np.sin(0.23 * time[..., 0] + phase[1])
    x = along * np.cos(bend) - radius * np.cos(angle) * np.sin(bend)
    y = along * np.sin(bend) + radius * np.cos(angle) * np.cos(bend) + height
    z = np.broadcast_to(radius * np.sin(angle), x.shape)
    return np.stack([x, y, z], axis=2)


def tube_scans(skinned):
    """What a scan of the tube shows: it bulges where it bends, and lags behind its own acceleration."""
    bulge = 1 + 0.3 * np.abs(np.diff(skinned[:, :, 1], axis=1, prepend=skinned[:, :1, 1]))[..., None]
    centre = skinned.reshape(len(skinned), RINGS, AROUND, 3).mean(axis=2).repeat(AROUND, axis=1)
    velocity = np.diff(skinned, axis=0, prepend=skinned[:1])
    return centre + bulge * (skinned - centre) - 0.3 * np.diff(velocity, axis=0, prepend=velocity[:1])


def tube_joints(num_frames, seed=0):
    """Five joints (T, 5, 3) along the middle of the tube."""
    rings = tube_frames(num_frames, seed).reshape(num_frames, RINGS, AROUND, 3)
    return rings.mean(axis=2)[:, ::2]


def write_tube(parent, name="geo/tube", num_frames=12, seed=0, with_joints=False):
    """Write a tube's frames below `parent`; return its source and target folders, and that of its joints where asked for."""
    skinned = tube_frames(num_frames, seed)
    kinds = [("sbs", skinned, tube_quads()), ("target", tube_scans(skinned), tube_quads())]
    if with_joints:
        kinds.append(("joints", tube_joints(num_frames, seed), None))
    for kind, frames, polygons in kinds:
        for number, points in enumerate(frames, 1):
            path = parent / f"{name}_{kind}" / "obj" / f"tube_{kind}.{number:05d}.obj"
            write_obj(path, points, polygons)
    return [parent / f"{name}_{kind}" / "obj" for kind, _, _ in kinds]


def tube_surface_with_joints(num_joints):
    joints = tube_joints(1)[0][:num_joints] if num_joints else None
    return RestSurface.from_mesh(tube_frames(1)[0], tube_triangles(), joints)


def untrained_model(surface, random_output=False, **settings):
    """An auto-encoder that nothing was fitted to; it answers with the skinned mesh, or where `random_output` with anything."""
    torch.manual_seed(0)
    model = MeshAutoencoder(ModelSettings(**settings), surface)
    if random_output:
        for parameter in model.decoder.output.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def filled(model):
    """A model whose linear part and leverage hold numbers such as a fit could give."""
    random = torch.Generator().manual_seed(1)
    linear, leverage = model.linear, model.leverage
    for tensor, size in (
        (linear.coefficients, 0.1),
        (linear.constant, 0.01),
        (linear.mean, 0.02),
        (leverage.root, 0.3),
    ):
        tensor.copy_(size * torch.randn(tensor.shape, generator=random))
    for tensor in (leverage.relative_variance, leverage.residual, leverage.answer_size):
        tensor.copy_(0.05 * torch.rand(tensor.shape, generator=random) + 0.01)
    leverage.doubt.fill_(2.0)
    leverage.reached.fill_(8.0)
    leverage.moving_share.fill_(0.6)
    leverage.log_mean.fill_(2.0)
    leverage.error_scale.fill_(1.3)
    model.longest.copy_(0.02 * torch.rand(model.longest.shape, generator=random) + 0.01)
    return model.eval()


def save_untrained(path, model, **contents):
    """Save a checkpoint of a model that no step of training was taken with."""
    nothing = {
        "model_type": "tube",
        "timestamp": "2024-01-01_00-00-00",
        "record": {"commit": "unknown"},
        "options": {"units": "m"},
        "optimizer": {},
        "progress": asdict(Progress()),
    }
    save_checkpoint(path, model, **nothing | contents)


def export_streaming(path, model):
    """Write a model as `export_onnx.py --streaming` does."""
    write_onnx(path, StreamingForm(model), how_to_run(model))


def assert_equal_weights(one, other):
    """Two models' states are the same, bit for bit."""
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def tube_windows(num_frames=4, num_condition_frames=3):
    """Windows (B, N, V, 3) of the tube, oldest frame first."""
    frames = torch.from_numpy(tube_frames(num_frames + num_condition_frames - 1)).float()
    return frames.unfold(0, num_condition_frames, 1).permute(0, 3, 1, 2)  # (B, N, V, 3)
