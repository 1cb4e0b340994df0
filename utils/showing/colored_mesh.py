"""A mesh with a colour per vertex as a GLB file in memory, which is how a browser takes such meshes; made anew for every
frame."""

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

MATTE = {"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9}, "doubleSided": True}
COMPONENTS = {
    np.dtype("i1"): 5120,
    np.dtype("u1"): 5121,
    np.dtype("<u2"): 5123,
    np.dtype("<u4"): 5125,
    np.dtype("<f4"): 5126,
}
SRGB = np.arange(256) / 255
# glTF wants linear colours
LINEAR = np.round(255 * np.where(SRGB <= 0.04045, SRGB / 12.92, ((SRGB + 0.055) / 1.055) ** 2.4)).astype(np.uint8)


class ColoredMesh:
    """The GLB file of a mesh of these faces (glTF 2.0); positions and colours are overwritten for every frame.

    It is as small as it can be, for it is sent many times a second. The page computes the normals: those in the file only say
    that the mesh is smooth, and a file without any is shaded flat.
    """

    def __init__(self, faces: Int[ndarray, "F 3"], num_vertices: int, smooth: bool):
        self.colors = np.full((num_vertices, 4), 255, dtype=np.uint8)
        arrays = {
            "indices": faces.astype("<u2" if num_vertices <= 2**16 else "<u4").reshape(-1),
            "POSITION": np.zeros((num_vertices, 3), dtype="<f4"),
            "COLOR_0": self.colors,
        }
        if smooth:
            arrays["NORMAL"] = np.zeros((num_vertices, 3), dtype="<f4")
        content, views, accessors, self.begins = b"", [], [], {}
        for number, (name, array) in enumerate(arrays.items()):
            self.begins[name] = len(content)
            view: dict[str, Any] = {"buffer": 0, "byteOffset": len(content), "byteLength": array.nbytes}
            accessor: dict[str, Any] = {
                "bufferView": number,
                "componentType": COMPONENTS[array.dtype],
                "count": len(array),
            }
            accessor["type"] = {"indices": "SCALAR", "COLOR_0": "VEC4"}.get(name, "VEC3")
            if name == "COLOR_0":
                accessor["normalized"] = True
            if name == "POSITION":
                accessor |= {
                    "min": [-1.0] * 3,
                    "max": [1.0] * 3,
                }  # required by the format; the page measures them itself
            views.append(view)
            accessors.append(accessor)
            content += array.tobytes() + bytes(-array.nbytes % 4)
        attributes = {name: number for number, name in enumerate(arrays) if number}
        tree = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": attributes, "indices": 0, "material": 0}]}],
            "materials": [MATTE],
            "accessors": accessors,
            "bufferViews": views,
            "buffers": [{"byteLength": len(content)}],
        }
        text = json.dumps(tree).encode()
        text += b" " * (-len(text) % 4)
        head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(content), len(text), 0x4E4F534A) + text
        head += struct.pack("<II", len(content), 0x004E4942)
        self.begins = {name: len(head) + begin for name, begin in self.begins.items()}
        self.content = np.frombuffer(bytearray(head + content), np.uint8)

    def glb(self, vertices: Float[ndarray, "V 3"], colors: Float[ndarray, "V 3"]) -> UInt8[ndarray, " length"]:
        """Return the file for vertices (V, 3) and their colours (V, 3), sRGB from 0 to 1.

        As an array: viser sends arrays as they are, but compresses bytes, which takes longer than all the rest.
        """
        self.colors[:, :3] = LINEAR[np.round(255 * colors).astype(np.uint8)]
        for name, array in (("POSITION", vertices.astype("<f4")), ("COLOR_0", self.colors)):
            self.content[self.begins[name] : self.begins[name] + array.nbytes] = array.reshape(-1).view(np.uint8)
        return np.array(self.content)
