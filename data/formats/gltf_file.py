"""A glTF or GLB file as its tree and arrays of numbers (glTF 2.0).

Needs pygltflib, an optional package, which is imported where it is used.
"""

import base64
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float64, Shaped
from numpy import ndarray

from data.input_error import InputError

KINDS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TOO_MUCH = {"KHR_draco_mesh_compression", "EXT_meshopt_compression"}


def written_tree(content: bytes) -> dict[str, Any]:
    """Return the tree in a file's content as it is written."""
    if content[:4] == b"glTF":
        (length,) = struct.unpack_from("<I", content, 12)
        content = content[20 : 20 + length]
    return dict(json.loads(content))


class GltfFile:
    """The parsed tree of a file, and its buffers. `draws_in` are other files that hold some of these."""

    def __init__(self, path: Path):
        """Raise `InputError` for a file that uses an extension which packs positions; what is broken raises anything."""
        from pygltflib import GLTF2

        self.path, self.draws_in = path, list[Path]()
        content = path.read_bytes()
        loaded = GLTF2.load(str(path)) if content[:4] == b"glTF" else GLTF2.load_json(str(path))
        if loaded is None:
            raise ValueError("no tree of objects")
        self.tree: Any = loaded
        for node, written in zip(self.tree.nodes or [], written_tree(content).get("nodes", []), strict=True):
            node.weights = written.get("weights")  # which pygltflib passes over
        packed = sorted(TOO_MUCH & {*(self.tree.extensionsRequired or [])})
        if packed:
            raise InputError(f"{path}: its positions are packed by {packed[0]}, expected plain ones: export it without")
        self.buffers = [self.content_of(number, each) for number, each in enumerate(self.tree.buffers or [])]

    def content_of(self, number: int, buffer: Any) -> bytes:
        """Return the bytes of a buffer: behind the tree in the same file, in the tree, or in a file beside it."""
        if buffer.uri is None:
            content = self.tree.binary_blob()
            if number or content is None:
                raise ValueError(f"buffer {number} is nowhere")
        elif buffer.uri.startswith("data:"):
            content = base64.b64decode(buffer.uri.partition(",")[2])
        else:
            file = self.path.parent / unquote(buffer.uri)
            if not file.is_file():
                raise InputError(
                    f"{self.path}: refers to {buffer.uri}, which is not there; expected it beside the file"
                )
            self.draws_in.append(file)
            content = file.read_bytes()
        if len(content) < buffer.byteLength:
            raise ValueError(f"buffer {number} has {len(content)} bytes, expected {buffer.byteLength}")
        return bytes(content)

    def array(self, number: int) -> Shaped[ndarray, "K ..."]:
        """Return an accessor's values (K,) or (K, C): whole numbers as they are, normalised ones and others as float64."""
        accessor = self.tree.accessors[number]
        kind, width = np.dtype(KINDS[accessor.componentType]), COMPONENTS[accessor.type]
        count = int(accessor.count)
        if not 0 <= count <= 1 << 31:
            raise ValueError(f"{count} values")
        if accessor.bufferView is None:
            longest = max(map(len, self.buffers), default=0)
            if count > longest:  # as many zeros as nothing in the file stands for
                raise ValueError(f"{count} values that are not there")
            values = np.zeros((count, width), kind)
        else:
            values = self.view(accessor.bufferView, accessor.byteOffset or 0, kind, count, width)
        if accessor.sparse is not None:
            sparse, values = accessor.sparse, values.copy()
            index_kind = np.dtype(KINDS[sparse.indices.componentType])
            places = self.view(sparse.indices.bufferView, sparse.indices.byteOffset or 0, index_kind, sparse.count, 1)
            own = self.view(sparse.values.bufferView, sparse.values.byteOffset or 0, kind, sparse.count, width)
            values[places[:, 0].astype(np.int64)] = own
        if accessor.normalized and kind.kind in "iu":
            values = np.maximum(values / np.iinfo(kind).max, -1.0)
        elif kind.kind == "f":
            values = values.astype(np.float64)
        return values[:, 0] if width == 1 else values

    def view(self, number: int, offset: int, kind: np.dtype, count: int, width: int) -> Shaped[ndarray, "K C"]:
        """Return the values of a buffer view from an offset on, as rows."""
        view = self.tree.bufferViews[number]
        content = self.buffers[view.buffer]
        start, size = (view.byteOffset or 0) + offset, kind.itemsize * width
        stride = view.byteStride or size
        length = (count - 1) * stride + size if count else 0
        if min(start, offset, count) < 0 or stride < 1 or offset + length > view.byteLength:
            raise ValueError(f"buffer view {number} ends before its values")
        if start + length > len(content):
            raise ValueError(f"buffer view {number} ends behind its buffer")
        return np.ndarray((count, width), kind, content, start, (stride, kind.itemsize))

    def numbers(self, number: int) -> Float64[ndarray, "K ..."]:
        """Return an accessor's values as float64."""
        return self.array(number).astype(np.float64)
