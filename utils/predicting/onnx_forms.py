"""The two forms of an ONNX file: what goes in, what comes out, and what torch would answer."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from data.input_error import InputError
from data.sequences.run_up import before_first, known_frames
from models.dials import Dials
from models.mesh_autoencoder import MeshAutoencoder
from models.oscillators import HISTORY
from models.streaming import StreamedMap

# of a model's dials, which a program may leave out: as they were in training, and as they are tried out
DEFAULTS = {"strength": 1.0, "dynamics": 1.0}
STREAMED = DEFAULTS | {"steady": 0.0}
TURNED = {"strength": torch.tensor(1.5), "dynamics": torch.tensor(0.5)}


def as_trained(defaults: dict[str, float]) -> dict[str, Float[Tensor, ""]]:
    """Return the dials as they were in training."""
    return {name: torch.tensor(value) for name, value in defaults.items()}


class WindowedMap(nn.Module):
    """A model's `predict`, with only the inputs that it looks at, in the order of `windows_of`, and its dials."""

    def __init__(self, model: MeshAutoencoder):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Float[Tensor, "..."]) -> Float[Tensor, "B V 3"]:
        """Return predicted scans (B, V, 3), file units; the last two inputs are the strength and the dynamics, numbers."""
        window, *others, strength, dynamics = inputs
        joints = others.pop(0) if self.model.coordinates.sees_joints else None
        dials = Dials(strength, dynamics, self.model.dials.region)
        return self.model.predict(window, joints, others[0] if others else None, dials)


def example_sequence(model: MeshAutoencoder, num_frames: int) -> dict[str, Float[Tensor, "T _ 3"]]:
    """Return frames such as a model could see: the rest mesh, drifting and shaken, and where it sees them its joints."""
    random = torch.Generator().manual_seed(0)
    rest, size = model.surface.vertices, model.surface.size

    def moved(points: Float[Tensor, "P 3"]) -> Float[Tensor, "T P 3"]:
        drift = 0.02 * size * torch.randn(num_frames, 1, 3, generator=random).cumsum(dim=0)
        return points + drift + 0.002 * size * torch.randn(num_frames, len(points), 3, generator=random)

    sequence = {"skinned": moved(rest)}
    if model.coordinates.sees_joints:
        sequence["joints"] = moved(rest[torch.arange(model.settings.num_joints) % len(rest)])
    return sequence


def windows_of(
    model: MeshAutoencoder, sequence: dict[str, Float[Tensor, "T _ 3"]], last: list[int]
) -> dict[str, Float[Tensor, "B _ _ 3"]]:
    """Return the windows that end at some frames of a sequence, as `data.sequences.mesh_windows` has them, by input."""
    before = torch.from_numpy(before_first(HISTORY, model.settings.past)).float()
    ends = len(before) + torch.tensor(last).unsqueeze(1)
    paths = {}
    for name, frames in sequence.items():
        first = torch.from_numpy(known_frames(frames[:3].numpy()))
        paths[name] = torch.cat([torch.einsum("hk,kpc->hpc", before, first), frames])
    window = ends + torch.arange(1 - model.settings.num_condition_frames, 1)
    inputs = {"window" if name == "skinned" else name: path[window] for name, path in paths.items()}
    if model.coordinates.periods:
        history = ends + torch.arange(1 - HISTORY, 1)
        inputs["anchor_history"] = paths["skinned"][:, model.surface.anchors][history]
    return inputs


class WindowsForm:
    """A file that takes windows of frames, any number of them at a time, as `MeshAutoencoder.predict` does."""

    outputs: ClassVar = ["predicted"]
    defaults: ClassVar = DEFAULTS

    def __init__(self, model: MeshAutoencoder):
        self.model, self.module, self.size = model, WindowedMap(model).eval(), model.surface.size
        inputs = self.example([1, 2])
        self.inputs, frames = inputs | as_trained(DEFAULTS), torch.export.Dim("frames")
        self.dynamic_shapes = (tuple({0: frames} if name in inputs else {} for name in self.inputs),)

    def example(self, frames: list[int]) -> dict[str, Float[Tensor, "B _ _ 3"]]:
        """Return inputs, for some frames of a sequence."""
        return windows_of(self.model, example_sequence(self.model, 8), frames)

    def difference(self, session: Any) -> float:
        """Return how far a runtime's answers are from torch's at most, file units; with its dials as trained, and turned."""
        largest = 0.0
        for frames, dials in (([7], {}), ([0, 1, 6], TURNED)):
            inputs = self.example(frames)
            (found,) = session.run(None, arrays(inputs | dials))
            with torch.no_grad():
                expected = self.module(*(inputs | as_trained(DEFAULTS) | dials).values()).numpy()
            largest = max(largest, float(np.abs(found - expected).max()))
        return largest


class StreamingForm:
    """A file that takes one frame and a state, and returns the state for the next (`models.streaming`).

    Raises `InputError` for a model in world coordinates.
    """

    dynamic_shapes = None
    defaults: ClassVar = STREAMED

    def __init__(self, model: MeshAutoencoder):
        if model.settings.coordinates != "local":
            raise InputError("--streaming: found a model in world coordinates, expected one in local coordinates")
        self.model, self.size = model, model.surface.size
        self.module = StreamedMap(model, torch.from_numpy(before_first(HISTORY, model.settings.past)).float()).eval()
        self.state = {name: torch.zeros(shape) for name, shape in self.module.state_shapes.items()}
        first = {name: frames[0] for name, frames in example_sequence(model, 1).items()}
        self.inputs = first | self.state | as_trained(STREAMED)
        self.outputs = ["predicted", *(f"next_{name}" for name in self.state)]

    def difference(self, session: Any) -> float:
        """Return how far a runtime's answers are from torch's to windows of the frames so far at most, file units: at the start
        of a sequence, with the dials turned for one frame, and once that is forgotten; and from torch's to one frame and
        its state, steadied."""
        sequence, state, largest = example_sequence(self.model, HISTORY + 2), arrays(self.state), 0.0
        for frame in range(HISTORY + 2):
            now = arrays({name: frames[frame] for name, frames in sequence.items()})
            dials = TURNED if frame == 3 else {}
            found, *following = session.run(None, now | state | arrays(dials))
            state = dict(zip(self.state, following, strict=True))
            if frame < 5 or frame >= HISTORY - 1:
                known = {name: frames[: frame + 1] for name, frames in sequence.items()}
                inputs = windows_of(self.model, known, [frame]) | as_trained(DEFAULTS) | dials
                with torch.no_grad():
                    expected = WindowedMap(self.model)(*inputs.values())[0].numpy()
                largest = max(largest, float(np.abs(found - expected).max()))
        steadied = now | state | {"steady": np.array(3, np.float32)}
        with torch.no_grad():
            expected = self.module(
                *(self.inputs | {name: torch.from_numpy(each) for name, each in steadied.items()}).values()
            )[0]
        return max(largest, float(np.abs(session.run(None, steadied)[0] - expected.numpy()).max()))


def arrays(tensors: dict[str, Tensor]) -> dict[str, ndarray]:
    """Return tensors as arrays."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}
