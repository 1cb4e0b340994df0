"""A trained model in its streaming form: what it is asked, and what it answers, in NumPy arrays.

No state is carried from one answer to the next: it is filled from the frames before each time, so that a frame's answer does
not depend on how the timeline got there.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from .numpy_graph import NumpyGraph
from .refused import Refused

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}  # in metres
STATE = {"previous", "accelerations", "previous_joints", "means", "frames_before"}
KNOWN = 3  # first frames of a sequence, from which those before are guessed
# a model's axes of Blender's, where z is up, by its up axis
TURNS = {
    "z": np.eye(3),
    "y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "x": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}


def topology_hash(num_vertices, faces):
    """Return the SHA-256 of the number of vertices and the triangles, fans of polygons given as lists of corners."""
    triangles = [(face[0], face[k], face[k + 1]) for face in faces for k in range(1, len(face) - 1)]
    numbers = np.concatenate([[num_vertices], np.array(triangles, np.int64).ravel()])
    return hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()


class RuntimeGraph:
    """A file run by ONNX Runtime, described as a `NumpyGraph` is."""

    def __init__(self, path, onnxruntime):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of inputs that may be left out
        options.intra_op_num_threads = os.cpu_count() or 1
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it has many, none in common
            raise Refused(
                f"{path.name}: found no whole ONNX file, expected one of export_onnx.py --streaming"
            ) from error
        self.run = session.run
        self.metadata = session.get_modelmeta().custom_metadata_map
        self.shapes = {each.name: tuple(each.shape) for each in session.get_inputs()}
        self.defaults = {each.name for each in session.get_overridable_initializers()}
        self.outputs = [each.name for each in session.get_outputs()]


def opened(path, with_runtime=True):
    """Return a file's graph, run by ONNX Runtime where it is installed, or else by NumPy."""
    if with_runtime:
        try:
            import onnxruntime
        except ImportError:
            return NumpyGraph(path)
        return RuntimeGraph(path, onnxruntime)
    return NumpyGraph(path)


class Model:
    """A file of `export_onnx.py --streaming`, and what it was trained on.

    `history` is how many frames it looks at, the current one last. Raises `Refused` for any other file.
    """

    def __init__(self, path, with_runtime=True):
        path = Path(path)
        if not path.is_file():
            raise Refused(f"{path}: no such file, expected a model of export_onnx.py --streaming")
        self.graph = opened(path, with_runtime)
        metadata, shapes = self.graph.metadata, self.graph.shapes
        if "frames_before" not in shapes:
            raise Refused(
                f"{path.name}: found an ONNX file that takes no frame and state, expected one of export_onnx.py --streaming"
            )
        states = shapes.keys() - {"skinned", "joints"}
        if states - STATE:
            raise Refused(f"{path.name}: found a state of {', '.join(sorted(states - STATE))}; update this extension")
        missing = {"topology", "anchors", "before_first", "units", "up_axis"} - metadata.keys()
        if missing:
            raise Refused(f"{path.name}: found no {', '.join(sorted(missing))} in it; export the model again")
        self.path = path
        try:
            self.understand(metadata, shapes)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise Refused(
                f"{path.name}: found something else in it than export_onnx.py writes; export the model again"
            ) from error

    def understand(self, metadata, shapes):
        """Take what a file says of its model."""
        self.topology = metadata["topology"]
        self.num_vertices = shapes["skinned"][0]
        self.num_joints = shapes["joints"][0] if "joints" in shapes else 0
        self.anchors = np.array(json.loads(metadata["anchors"]))
        self.before_first = np.array(json.loads(metadata["before_first"]), np.float64)
        window = 1 + max(shapes[name][0] if name in shapes else 0 for name in ("previous", "previous_joints"))
        self.history = max(window, 2 + shapes["accelerations"][0] if "accelerations" in shapes else 0)
        self.metres, self.turn = UNITS[metadata["units"]], TURNS[metadata["up_axis"]]
        seen = shapes["accelerations"][1] if "accelerations" in shapes else len(self.anchors)
        if len(self.anchors) != seen or not (self.anchors < self.num_vertices).all() or (self.anchors < 0).any():
            raise ValueError("anchors")
        if (
            self.before_first.ndim != 2
            or self.before_first.shape[1] != KNOWN
            or len(self.before_first) < self.history - 1
        ):
            raise ValueError("before_first")
        if "predicted" not in self.graph.outputs:
            raise KeyError("predicted")

    def check(self, num_vertices, faces, num_joints, name):
        """Raise `Refused` for a mesh that the model was not trained on."""
        if num_vertices != self.num_vertices:
            raise Refused(
                f"{name}: found {num_vertices} vertices, expected {self.num_vertices} as {self.path.name} was trained on"
            )
        if topology_hash(num_vertices, faces) != self.topology:
            raise Refused(
                f"{name}: found other faces, or vertices in another order, than {self.path.name} was trained on"
            )
        if self.num_joints and num_joints != self.num_joints:
            raise Refused(
                f"{name}: found {num_joints} bones, expected {self.num_joints} as {self.path.name} was trained on"
            )

    def corrections(self, frames, first, dials, metres=1.0):
        """Return by how much the prediction (V, 3) is away from the last of some frames, in Blender's axes and units.

        `frames` begin with the points (V, 3) of a skinned mesh and the joints (J, 3), oldest first, up to `history` of them;
        where there are fewer, those before are guessed from the sequence's `first` three, or as many as it has. `metres` are
        those of a unit. `dials` are numbers by name: strength, dynamics.
        """
        size = metres / self.metres
        origin = frames[-1][0].mean(axis=0)
        shapes = self.graph.shapes
        feeds = {name: np.array(value, np.float32) for name, value in dials.items() if name in self.graph.defaults}
        feeds |= {"frames_before": np.full(1, KNOWN, np.float32)}
        if "means" in shapes:
            feeds["means"] = np.zeros(shapes["means"], np.float32)

        def path(kind, count, points=slice(None)):
            """Return some points (`count`, P, 3) over the last frames, in the model's axes and units."""
            known = [(each[kind][points] - origin) @ self.turn.T * size for each in frames[-count:]]
            missing = count - len(known)
            if missing:
                begun = [(each[kind][points] - origin) @ self.turn.T * size for each in first[:KNOWN]]
                while len(begun) < KNOWN:
                    begun.append(2 * begun[-1] - begun[-2] if len(begun) > 1 else begun[-1])
                guessed = np.tensordot(self.before_first[len(self.before_first) - missing :], np.stack(begun), axes=1)
                known = [*guessed, *known]
            return np.stack(known).astype(np.float32)

        feeds["skinned"] = path(0, 1)[0]
        if self.num_joints:
            feeds["joints"] = path(1, 1)[0]
        for name, kind in (("previous", 0), ("previous_joints", 1)):
            if name in shapes:
                feeds[name] = path(kind, 1 + shapes[name][0])[:-1]
        if "accelerations" in shapes:
            moved = path(0, self.history, self.anchors).astype(np.float64)
            accelerations = np.zeros(shapes["accelerations"], np.float32)
            accelerations[1:] = np.diff(moved[:-1], n=2, axis=0)  # the oldest is not looked at
            feeds["accelerations"] = accelerations
        predicted = self.graph.run(["predicted"], feeds)[0]
        return (predicted - feeds["skinned"]).astype(np.float64) @ self.turn / size
