"""The whole map, from a window of skinned meshes to the predicted scan, as one ONNX file for programs without Python.

Needs onnx, onnxscript and onnxruntime, optional packages, which are imported where they are used.
"""

import hashlib
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.input_error import InputError, optional_packages
from data.safe_write import write_beside
from models.mesh_autoencoder import MeshAutoencoder
from models.oscillators import HISTORY

TOLERANCE = 1e-5  # of the mesh's size: how far apart the runtime's and torch's answers may be


class ExportedMap(nn.Module):
    """A model's `predict`, with only the inputs that it looks at, in the order of `example_inputs`."""

    def __init__(self, model: MeshAutoencoder):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Float[Tensor, "B _ _ 3"]) -> Float[Tensor, "B V 3"]:
        """Return predicted scans (B, V, 3), file units."""
        window, *others = inputs
        joints = others.pop(0) if self.model.coordinates.sees_joints else None
        return self.model.predict(window, joints, others[0] if others else None)


def example_inputs(model: MeshAutoencoder, batch: int) -> dict[str, Float[Tensor, "B _ _ 3"]]:
    """Return inputs by name, such as a model could see: the rest mesh, drifting and shaken, with its joints and anchors."""
    random = torch.Generator().manual_seed(0)
    settings, rest = model.settings, model.surface.vertices
    num_frames = settings.num_condition_frames
    size = float((rest.amax(dim=0) - rest.amin(dim=0)).norm())

    def moved(points: Float[Tensor, "P 3"], frames: int) -> Float[Tensor, "B K P 3"]:
        drift = 0.02 * size * torch.randn(batch, frames, 1, 3, generator=random).cumsum(dim=1)
        return points + drift + 0.002 * size * torch.randn(batch, frames, len(points), 3, generator=random)

    inputs = {"window": moved(rest, num_frames)}
    if model.coordinates.sees_joints:
        inputs["joints"] = moved(rest[torch.arange(settings.num_joints) % len(rest)], num_frames)
    if model.coordinates.periods:
        inputs["anchor_history"] = moved(rest[model.surface.anchors], HISTORY)
        inputs["anchor_history"][:, -num_frames:] = inputs["window"][:, :, model.surface.anchors]
    return inputs


def topology_hash(model: MeshAutoencoder) -> str:
    """Return the SHA-256 of the number of vertices and the triangles, as little-endian 64-bit integers."""
    numbers = np.concatenate([[len(model.surface.vertices)], model.surface.faces.cpu().numpy().ravel()])
    return hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()


def write_onnx(path: Path, model: MeshAutoencoder, metadata: dict[str, str]) -> float:
    """Write a model on the CPU as an ONNX file, for any number of frames at a time; return how far its answers are from
    torch's.

    That is the largest difference between ONNX Runtime's answers and torch's, as a share of the mesh's size, measured before
    anything is written. Raises `InputError` where it is above `TOLERANCE`, and where packages are missing.
    """
    with optional_packages("exporting to ONNX"):
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    model = model.eval()
    inputs = example_inputs(model, 2)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and onnxscript, about each other's future
        program = torch.onnx.export(
            ExportedMap(model),
            tuple(inputs.values()),
            dynamo=True,
            verbose=False,
            input_names=list(inputs),
            output_names=["predicted"],
            dynamic_shapes=(tuple({0: torch.export.Dim("frames")} for _ in inputs),),
        )
    assert program is not None
    proto = program.model_proto
    for name, text in metadata.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = name, text
    content = proto.SerializeToString()

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rest = model.surface.vertices
    size = float((rest.amax(dim=0) - rest.amin(dim=0)).norm())
    difference = 0.0
    for batch in (1, 3):
        inputs = example_inputs(model, batch)
        (found,) = session.run(None, {name: each.numpy() for name, each in inputs.items()})
        with torch.no_grad():
            expected = ExportedMap(model)(*inputs.values()).numpy()
        difference = max(difference, float(np.abs(found - expected).max()) / size)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{path}: ONNX Runtime is {difference:.1e} of the mesh's size away from torch, expected {TOLERANCE:.0e} at most"
        )
    with write_beside(path) as partial:
        partial.write_bytes(content)
    return difference
