"""The two forms of an ONNX file: what goes in, what comes out, and what torch would answer."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from data.input_error import InputError
from models.mesh_autoencoder import MeshAutoencoder
from models.oscillators import HISTORY
from models.streaming import StreamedMap


class WindowedMap(nn.Module):
    """A model's `predict`, with only the inputs that it looks at, in the order of `example_inputs`."""

    def __init__(self, model: MeshAutoencoder):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Float[Tensor, "B _ _ 3"]) -> Float[Tensor, "B V 3"]:
        """Return predicted scans (B, V, 3), file units."""
        window, *others = inputs
        joints = others.pop(0) if self.model.coordinates.sees_joints else None
        return self.model.predict(window, joints, others[0] if others else None)


def example_sequence(model: MeshAutoencoder, num_frames: int) -> dict[str, Float[Tensor, "T _ 3"]]:
    """Return frames such as a model could see: the rest mesh, drifting and shaken, and where it sees them its joints."""
    random = torch.Generator().manual_seed(0)
    rest, size = model.surface.vertices, size_of(model)

    def moved(points: Float[Tensor, "P 3"]) -> Float[Tensor, "T P 3"]:
        drift = 0.02 * size * torch.randn(num_frames, 1, 3, generator=random).cumsum(dim=0)
        return points + drift + 0.002 * size * torch.randn(num_frames, len(points), 3, generator=random)

    sequence = {"skinned": moved(rest)}
    if model.coordinates.sees_joints:
        sequence["joints"] = moved(rest[torch.arange(model.settings.num_joints) % len(rest)])
    return sequence


def size_of(model: MeshAutoencoder) -> float:
    """Return the size of a model's mesh, file units."""
    rest = model.surface.vertices
    return float((rest.amax(dim=0) - rest.amin(dim=0)).norm())


def windows_of(
    model: MeshAutoencoder, sequence: dict[str, Float[Tensor, "T _ 3"]], last: list[int]
) -> dict[str, Float[Tensor, "B _ _ 3"]]:
    """Return the windows that end at some frames of a sequence, as `data.sequences.mesh_windows` has them, by input."""
    ends = torch.tensor(last).unsqueeze(1)
    window = (ends + torch.arange(1 - model.settings.num_condition_frames, 1)).clamp_min(0)
    inputs = {"window" if name == "skinned" else name: frames[window] for name, frames in sequence.items()}
    if model.coordinates.periods:
        path = sequence["skinned"][:, model.surface.anchors]
        before = ends + torch.arange(1 - HISTORY, 1)
        start = (ends > 0)[:, :, None, None] * (path[1] - path[0])
        inputs["anchor_history"] = path[before.clamp_min(0)] + before.clamp_max(0)[:, :, None, None] * start
    return inputs


class WindowsForm:
    """A file that takes windows of frames, any number of them at a time, as `MeshAutoencoder.predict` does."""

    outputs: ClassVar = ["predicted"]

    def __init__(self, model: MeshAutoencoder):
        self.model, self.module, self.size = model, WindowedMap(model).eval(), size_of(model)
        self.inputs = self.example([1, 2])
        self.dynamic_shapes = (tuple({0: torch.export.Dim("frames")} for _ in self.inputs),)

    def example(self, frames: list[int]) -> dict[str, Float[Tensor, "B _ _ 3"]]:
        """Return inputs, for some frames of a sequence."""
        return windows_of(self.model, example_sequence(self.model, 8), frames)

    def difference(self, session: Any) -> float:
        """Return how far a runtime's answers are from torch's at most, file units."""
        largest = 0.0
        for frames in ([7], [0, 1, 6]):
            inputs = self.example(frames)
            (found,) = session.run(None, arrays(inputs))
            with torch.no_grad():
                expected = self.module(*inputs.values()).numpy()
            largest = max(largest, float(np.abs(found - expected).max()))
        return largest


class StreamingForm:
    """A file that takes one frame and a state, and returns the state for the next (`models.streaming`).

    Raises `InputError` for a model in world coordinates.
    """

    dynamic_shapes = None

    def __init__(self, model: MeshAutoencoder):
        if model.settings.coordinates != "local":
            raise InputError("--streaming: found a model in world coordinates, expected one in local coordinates")
        self.model, self.module, self.size = model, StreamedMap(model).eval(), size_of(model)
        self.state = {name: torch.zeros(shape) for name, shape in self.module.state_shapes.items()}
        self.inputs = {name: frames[0] for name, frames in example_sequence(model, 1).items()} | self.state
        self.outputs = ["predicted", *(f"next_{name}" for name in self.state)]

    def difference(self, session: Any) -> float:
        """Return how far a runtime's answers are from torch's to windows at most, file units: at the start of a sequence, and
        once that is forgotten."""
        sequence, state, largest = example_sequence(self.model, HISTORY + 2), arrays(self.state), 0.0
        for frame in range(HISTORY + 2):
            now = arrays({name: frames[frame] for name, frames in sequence.items()})
            found, *following = session.run(None, now | state)
            state = dict(zip(self.state, following, strict=True))
            if frame < 4 or frame >= HISTORY - 1:
                with torch.no_grad():
                    expected = WindowedMap(self.model)(*windows_of(self.model, sequence, [frame]).values())[0].numpy()
                largest = max(largest, float(np.abs(found - expected).max()))
        return largest


def arrays(tensors: dict[str, Tensor]) -> dict[str, ndarray]:
    """Return tensors as arrays."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}
