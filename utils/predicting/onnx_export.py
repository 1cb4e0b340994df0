"""The whole map, from skinned meshes to the predicted scan, as one ONNX file for programs without Python.

Needs onnx, onnxscript and onnxruntime, optional packages, which are imported where they are used.
"""

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from data.input_error import InputError, optional_packages
from data.safe_write import write_beside
from data.sequences.run_up import before_first
from models.mesh_autoencoder import MeshAutoencoder
from models.oscillators import HISTORY

TOLERANCE = 1e-5  # of the answers' size: how far apart the runtime's and torch's may be


@runtime_checkable
class Form(Protocol):
    """What becomes a file: a module on the CPU with its inputs and outputs by name, and how large its answers are."""

    inputs: dict[str, Tensor]
    outputs: list[str]
    dynamic_shapes: Any
    size: float

    @property
    def module(self) -> nn.Module:
        """The module."""

    @property
    def defaults(self) -> dict[str, float]:
        """What numbers are that a program leaves out."""

    def difference(self, session: Any) -> float:
        """Return how far a runtime's answers are from torch's at most."""


def topology_hash(model: MeshAutoencoder) -> str:
    """Return the SHA-256 of the number of vertices and the triangles, as little-endian 64-bit integers."""
    numbers = np.concatenate([[len(model.surface.vertices)], model.surface.faces.cpu().numpy().ravel()])
    return hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()


def how_to_run(model: MeshAutoencoder) -> dict[str, str]:
    """Return what a program has to know to run a model."""
    settings = model.settings
    return {
        "units": settings.units,
        "up_axis": settings.up_axis,
        "window": str(settings.num_condition_frames),  # frames, the current one last
        "history": str(HISTORY),  # frames of anchor_history, the current one last, where there is such an input
        # frames before a sequence's first, as weights of its first three
        "before_first": json.dumps(before_first(HISTORY, settings.past).tolist()),
        "anchors": json.dumps(model.surface.anchors.tolist()),  # vertices
        "topology": topology_hash(model),
    }


def add_defaults(proto: Any, values: dict[str, float]) -> None:
    """Let a file's inputs have values where a program gives none: initializers that can be replaced, to the format."""
    from onnx import numpy_helper

    for name, value in values.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))


def simplify(model: Any) -> None:
    """Take out of a graph what is constant, twice or unused; fusing is up to the runtime, and the exporter's own rules take
    most of an export's time."""
    from onnxscript import ir, optimizer

    optimizer.fold_constants(model)
    passes = ir.passes.common
    ir.passes.Sequential(
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.CommonSubexpressionEliminationPass(),
        passes.DeduplicateInitializersPass(),
        passes.RemoveUnusedNodesPass(),
    )(model)


def write_onnx(path: Path, form: Form, metadata: dict[str, str]) -> float:
    """Write a form of a model as an ONNX file; return how far its answers are from torch's.

    That is the largest difference between ONNX Runtime's answers and torch's, as a share of their size, measured before
    anything is written. Raises `InputError` where it is above `TOLERANCE`, and where packages are missing.
    """
    with optional_packages("exporting to ONNX"):
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and onnxscript, about each other's future
        program = torch.onnx.export(
            form.module,
            tuple(form.inputs.values()),
            dynamo=True,
            verbose=False,
            input_names=list(form.inputs),
            output_names=form.outputs,
            dynamic_shapes=form.dynamic_shapes,
            optimize=False,
        )
        assert program is not None
        simplify(program.model)
    proto = program.model_proto
    add_defaults(proto, form.defaults)
    for name, text in metadata.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = name, text
    content = proto.SerializeToString()

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that may be left out
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    difference = form.difference(session) / form.size
    if not difference <= TOLERANCE:
        raise InputError(
            f"{path}: ONNX Runtime is {difference:.1e} of the answers' size away from torch, expected {TOLERANCE:.0e} at most"
        )
    with write_beside(path) as partial:
        partial.write_bytes(content)
    return difference
