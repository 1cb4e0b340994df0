"""A character's corrections as morph targets: what is written of them, and what their number costs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from numpy import ndarray
from torch import Tensor
from tqdm import tqdm

from data.formats.gltf_morphs import write_morphs
from data.formats.gltf_reading import AnimatedCharacter, check_skin
from data.formats.gltf_writing import strongest_influences
from data.formats.usd_character import write_usd_character
from data.input_error import InputError
from data.safe_write import check_replaceable, write_beside
from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from models.shape_weights import ShapeWeights
from models.surface_frames import vertex_normals
from utils.predicting.onnx_export import write_onnx
from utils.predicting.prediction import PredictedFrame, map_predictions
from utils.predicting.principal_shapes import PrincipalShapes, before_the_skin, principal_shapes

COUNTS = (8, 16, 32, 64, 128, 256)
ONNX_NAME = "shape_weights.onnx"
ENDINGS = (".glb", ".usdc", ".npz")
FRAMES_TO_TRY = 8
FEWEST_FRAMES = 16  # to find shapes in, and to tell what they follow from


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise `InputError` where a folder holds something, unless that is an earlier export and is to be overwritten."""

    def ours(names: set[str]) -> bool:
        return ONNX_NAME in names and all(name.endswith(ENDINGS) for name in names - {ONNX_NAME})

    check_replaceable(folder, overwrite, "morph targets", ours)


def predicted_corrections(
    model: MeshAutoencoder, windows: MeshWindows, device: torch.device
) -> Float32[ndarray, "T V 3"]:
    """Return what a model adds to the skinned mesh in every frame, file units."""

    def correction(frame: PredictedFrame) -> Float32[ndarray, "V 3"]:
        return (frame.predicted - frame.skinned).astype(np.float32)

    frames = np.arange(len(windows))
    found = map_predictions(correction, model, windows, frames, device)
    return np.stack([*tqdm(found, desc="predicting", unit="frame", total=len(frames))])


def check_characters(characters: list[AnimatedCharacter], model: MeshAutoencoder, checkpoint: Path) -> None:
    """Raise `InputError` where a file has no skin, or another character than the first one, where they hardly move, and for a
    model of other units or axes than glTF's."""
    if (model.settings.units, model.settings.up_axis) != ("m", "y"):
        found = f"{model.settings.units}, {model.settings.up_axis} up"
        raise InputError(f"{checkpoint}: trained on {found}, expected m, y up, as all glTF files are")
    first = characters[0]
    if (count := sum(len(opened.numbers) for opened in characters)) < FEWEST_FRAMES:
        raise InputError(f"{first.path}: {count} frames in all, expected an animation of {FEWEST_FRAMES} or more")
    for opened in characters:
        check_skin(opened)
        mine, other = opened.character, first.character
        if opened.joint_names() != first.joint_names() or any(
            one.shape != another.shape or not np.allclose(one, another, atol=1e-4)
            for one, another in ((mine.points, other.points), (mine.inverse_bind, other.inverse_bind))
        ):
            raise InputError(f"{opened.path}: another character than {first.path}, expected animations of the same one")


def matrices_of(characters: list[AnimatedCharacter]) -> Iterator[Float64[ndarray, "V 3 4"]]:
    """Yield for each vertex the matrix that the skin moves it by, in all frames of the characters, one after the other."""
    for opened in characters:
        for frame in range(len(opened.numbers)):
            yield opened.to_world(frame)


def shapes_of(
    characters: list[AnimatedCharacter], corrections: Float32[ndarray, "T V 3"], count: int
) -> PrincipalShapes:
    """Return the principal shapes of corrections, which are those of all frames of the characters, one after the other.

    With their mean, they are as many morph targets. Raises `InputError` where nothing is corrected.
    """
    bound = np.empty_like(corrections)
    for place, to_world in enumerate(matrices_of(characters)):
        bound[place] = before_the_skin(to_world, corrections[place])
    found = principal_shapes(bound, count - 1)
    if not found.mean.any():
        raise InputError(
            f"{characters[0].path}: the model corrects nothing of it, expected corrections to make shapes of"
        )
    return found


class ShapeWeightsForm:
    """A file that takes a skeleton's joints and a state, and returns the weights of shapes and the next state."""

    dynamic_shapes = None
    defaults: ClassVar[dict[str, float]] = {}

    def __init__(self, module: ShapeWeights, opened: AnimatedCharacter):
        """The file is tried out by the first frames of a character."""
        self.module, self.size = module, 1.0
        self.joints = torch.tensor(opened.joints_to_world()[:FRAMES_TO_TRY], dtype=torch.float32)
        self.state = {name: torch.zeros(shape) for name, shape in module.state_shapes.items()}
        self.inputs: dict[str, Tensor] = {"joints_to_world": self.joints[0]} | self.state
        self.outputs = ["weights", *(f"next_{name}" for name in self.state)]

    def difference(self, session: Any) -> float:
        """Return how far a runtime's weights are from torch's at most, over the first frames."""
        largest, state = 0.0, tuple(self.state.values())
        ours = tuple(each.numpy() for each in state)
        for joints in self.joints:
            with torch.no_grad():
                expected, *following = self.module(joints, *state)
            inputs = dict(zip(self.state, ours, strict=True)) | {"joints_to_world": joints.numpy()}
            found, *next_ours = session.run(None, inputs)
            state, ours = tuple(following), tuple(next_ours)
            largest = max(largest, float(np.abs(found - expected.numpy()).max()))
        return largest


def names_of(targets: Float[ndarray, "M V 3"]) -> list[str]:
    """Return what morph targets are called in files."""
    return ["correction", *(f"correction {number}" for number in range(1, len(targets)))]


def write_files(
    folder: Path,
    names: list[str],
    characters: list[AnimatedCharacter],
    found: PrincipalShapes,
    from_motion: ShapeWeights,
    frame_rate: float,
) -> None:
    """Write all files: the map from motion to weights, and each character by its name."""
    targets, weights = found.as_targets()
    metadata = {  # what a program has to know to run it
        # in the order of joints_to_world, which are for column vectors, metres, y up
        "joints": json.dumps(characters[0].joint_names()),
        "frame_rate": f"{frame_rate:g}",
        "morph_targets": json.dumps(names_of(targets)),
    }
    write_onnx(folder / ONNX_NAME, ShapeWeightsForm(from_motion, characters[0]), metadata)
    starts = np.cumsum([len(opened.numbers) for opened in characters])[:-1]
    for name, opened, own in zip(names, characters, np.split(weights, starts), strict=True):
        write_character_files(folder / f"{name}.glb", opened, targets, own, frame_rate)


def write_character_files(
    path: Path,
    opened: AnimatedCharacter,
    targets: Float32[ndarray, "M V 3"],
    weights: Float[ndarray, "T M"],
    frame_rate: float,
) -> None:
    """Write a character with its morph targets, as GLB, as UsdSkel, and as arrays for a program of one's own. Where USD has no
    place for the character, say so, and go without."""
    points = torch.tensor(opened.character.points, dtype=torch.float32)
    faces = torch.from_numpy(opened.character.polygons.triangles())
    normals = vertex_normals(points, faces)
    turned = np.stack([(vertex_normals(points + torch.from_numpy(s), faces) - normals).numpy() for s in targets])
    write_morphs(path, opened, names_of(targets), targets, turned, weights)
    try:
        write_usd_character(path.with_suffix(".usdc"), opened, names_of(targets), targets, weights, frame_rate)
    except InputError as error:
        tqdm.write(f"not written: {error}")
    write_arrays(path.with_suffix(".npz"), opened, targets, weights)


def write_arrays(
    path: Path, opened: AnimatedCharacter, targets: Float32[ndarray, "M V 3"], weights: Float[ndarray, "T M"]
) -> None:
    """Write a character as arrays: rest points (T, V, 3), one where its own morph targets do not move; the K strongest joints
    of each vertex and their weights (V, K); inverse bind matrices (J, 4, 4); the joints' matrices to world space (T, J, 4, 4),
    frame numbers (T,), faces (F, 3), and morph targets (M, V, 3) with their weights (T, M)."""
    character, own = opened.character, opened.morph_weights
    own = own[:1] if (own == own[0]).all() else own
    joints, skin_weights = strongest_influences(character.influences.toarray())
    with write_beside(path) as partial, open(partial, "wb") as file:
        np.savez(
            file,
            rest=(character.points + np.tensordot(own, character.morphs, axes=1)).astype(np.float32),
            skin_joints=joints,
            skin_weights=skin_weights,
            inverse_bind=character.inverse_bind,
            joints_to_world=opened.joints_to_world(),
            frame_numbers=opened.numbers,
            faces=character.polygons.triangles(),
            morph_targets=targets,
            morph_weights=weights,
        )


def table_of_counts(
    characters: list[AnimatedCharacter],
    corrections: Float32[ndarray, "T V 3"],
    found: PrincipalShapes,
    kept_out: Float64[ndarray, "T K"],
) -> str:
    """Return a table of what is left of the corrections with more and more morph targets, mean length: with the best weights,
    and with weights from motion in frames kept out of their fit; and what they cost in the first character's file, and in time.
    """
    count = len(found.shapes) + 1
    counts = sorted({each for each in COUNTS if each < count} | {count})
    guessed, left, whole = np.clip(kept_out, found.lowest, found.highest), np.zeros((2, len(counts))), 0.0
    for frame, to_world in enumerate(matrices_of(characters)):
        whole += float(np.linalg.norm(corrections[frame], axis=1).mean())
        for row, weights in enumerate((found.weights[frame], guessed[frame])):
            shape, first = found.mean.astype(np.float64), 0
            for column, upto in enumerate(counts):
                shape = shape + np.tensordot(weights[first : upto - 1], found.shapes[first : upto - 1], axes=1)
                rest, first = corrections[frame] - np.einsum("vab,vb->va", to_world[..., :3], shape), upto - 1
                left[row, column] += float(np.linalg.norm(rest, axis=1).mean())
    of_one, (targets, target_weights) = bytes_of_a_target(characters[0]), found.as_targets()
    lines = ["morph targets  left of the corrections  with weights from motion  adds (MB)  ms a frame"]
    for column, upto in enumerate(counts):
        shares = 100 * left[:, column] / whole
        cost = f"{upto * of_one / 1e6:9.1f}  {milliseconds(targets[:upto], target_weights[0, :upto]):10.2f}"
        lines.append(f"{upto:13}  {shares[0]:21.1f} %  {shares[1]:22.1f} %  {cost}")
    return "\n".join(lines)


def bytes_of_a_target(opened: AnimatedCharacter) -> int:
    """Return how many bytes a morph target takes in a character's GLB file, with its weights."""
    tree = opened.file.tree
    (first, *_) = tree.meshes[tree.nodes[opened.character.node].mesh].primitives
    numbers = 3 if first.attributes.NORMAL is None else 6
    return 4 * (numbers * len(opened.character.places) + len(opened.numbers))


def milliseconds(targets: Float32[ndarray, "M V 3"], weights: Float64[ndarray, " M"]) -> float:
    """Return how long NumPy takes to add up weighted morph targets, the fastest of five times."""
    flat, weights, took = targets.reshape(len(targets), -1), weights.astype(np.float32), []
    for _ in range(5):
        start = time.perf_counter()
        weights @ flat
        took.append(time.perf_counter() - start)
    return 1000 * min(took)
