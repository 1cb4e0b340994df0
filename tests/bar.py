"""A bar of three bones as a glTF tree, and what an independent loop over its vertices makes of it."""

import base64
import json
import struct

import numpy as np
from scipy.spatial.transform import Rotation

RATE = 24.0
CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.2


def bar():
    """A bar along y: 7 rings of 4 points, cut open along a seam (5 in a ring, the last like the first); triangles."""
    rings = [[[*CORNERS[i % 4, :1], 0.5 * ring, *CORNERS[i % 4, 1:]] for i in range(5)] for ring in range(7)]
    points = np.array(rings, float).reshape(-1, 3)
    faces = [
        face
        for ring in range(6)
        for i in range(4)
        for face in (
            [5 * ring + i, 5 * ring + i + 1, 5 * ring + i + 6],
            [5 * ring + i, 5 * ring + i + 6, 5 * ring + i + 5],
        )
    ]
    return points, np.array(faces)


def translated(vector):
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


class Bar:
    """The bar as a tree of glTF, in place of which tests put something else; and what an independent loop makes of it.

    Nodes: 0 a helper bone that is scaled unequally and has a matrix, 1 to 3 bones on it, 4 the mesh, moved by a transform that
    skinning ignores.
    """

    def __init__(self, influences=8):
        self.data, self.views, self.accessors = bytearray(), [], []
        self.points, self.faces = bar()
        random = np.random.default_rng(0)
        self.weights = random.random((7, influences)).repeat(5, axis=0)
        self.weights /= self.weights.sum(axis=1, keepdims=True)
        self.joints = random.integers(0, 3, (7, influences)).repeat(5, axis=0)
        self.texture = random.random((35, 2))
        self.morph = (0.1 * random.normal(size=(7, 4, 3)))[:, [0, 1, 2, 3, 0]].reshape(-1, 3)
        self.helper = np.diag([1.0, 2.0, 0.5, 1.0])
        self.helper[:3, 3] = 0.1, 0.2, 0.3
        self.rest = [[0, 0, 0], [0, 1, 0], [0, 1, 0]]
        self.bind = [np.linalg.inv(self.helper @ translated([0, height, 0])) for height in range(3)]
        self.times = np.arange(1, 6) / RATE
        self.turns = Rotation.from_rotvec(random.normal(size=(3, 5, 3)).reshape(-1, 3)).as_quat().reshape(3, 5, 4)
        self.moves = random.normal(size=(5, 3))
        self.scales = 1 + 0.3 * random.random((5, 3))
        self.morphing = random.random(5)

    def add(self, values, kind="f4", **more):
        values = np.ascontiguousarray(values, "<" + kind)
        self.data += bytes(-len(self.data) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes})
        self.data += values.tobytes()
        rows = values.reshape(len(values), -1)
        kinds = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
        components = {"f4": 5126, "u1": 5121, "u2": 5123, "u4": 5125, "i2": 5122}
        view = {"bufferView": len(self.views) - 1, "componentType": components[kind], "count": len(rows)}
        self.accessors.append(view | {"type": kinds[rows.shape[1]]} | more)
        return len(self.accessors) - 1

    def tree(self):
        attributes = {"POSITION": self.add(self.points), "TEXCOORD_0": self.add(self.texture)}
        attributes["NORMAL"] = self.add(np.random.default_rng(1).normal(size=(35, 3)))
        for number in range(self.weights.shape[1] // 4):
            some = slice(4 * number, 4 * number + 4)
            attributes[f"JOINTS_{number}"] = self.add(self.joints[:, some], "u1")
            attributes[f"WEIGHTS_{number}"] = self.add(self.weights[:, some])
        targets = [{"POSITION": self.add(self.morph)}]
        primitive = {"attributes": attributes, "indices": self.add(self.faces.ravel(), "u2"), "targets": targets}
        nodes = [{"name": "helper", "matrix": self.helper.T.ravel().tolist(), "children": [1]}]
        for bone in range(3):
            nodes.append(
                {"name": f"bone {bone}", "translation": self.rest[bone], "children": [bone + 2] if bone < 2 else []}
            )
        nodes.append({"name": "Bar", "mesh": 0, "skin": 0, "translation": [9, 9, 9]})
        times = self.add(self.times)
        goals = [(bone + 1, "rotation", self.turns[bone]) for bone in range(3)]
        goals += [(1, "translation", self.moves), (2, "scale", self.scales), (4, "weights", self.morphing)]
        samplers = [{"input": times, "output": self.add(values)} for _, _, values in goals]
        channels = [
            {"sampler": number, "target": {"node": node, "path": path}} for number, (node, path, _) in enumerate(goals)
        ]
        bind = self.add(np.stack([each.T.ravel() for each in self.bind]))
        return {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0, 4]}],
            "nodes": nodes,
            "meshes": [{"name": "bar mesh", "primitives": [primitive], "weights": [0.5]}],
            "skins": [{"joints": [1, 2, 3], "inverseBindMatrices": bind}],
            "animations": [{"name": "Wave", "samplers": samplers, "channels": channels}],
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.data)}],
        }

    def write(self, path, change=lambda tree: None):
        """Write it as GLB, or as glTF with its buffer in a file beside or, where the name says so, within."""
        tree = self.tree()
        change(tree)
        tree["buffers"][0]["byteLength"] = len(self.data)
        if path.suffix == ".gltf":
            uri = "bar data.bin"
            if path.stem == "within":
                uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
            else:
                (path.parent / uri).write_bytes(self.data)
            tree["buffers"][0]["uri"] = uri.replace(" ", "%20") if path.stem != "within" else uri
            path.write_text(json.dumps(tree))
            return path
        text = json.dumps(tree).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self.data) + bytes(-len(self.data) % 4)
        head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(binary), len(text), 0x4E4F534A)
        path.write_bytes(head + text + struct.pack("<II", len(binary), 0x004E4942) + binary)
        return path

    def world(self, turns, move, scale):
        """The matrices of the bones to world space."""
        matrices, above = [], self.helper
        for bone in range(3):
            own = translated(move if bone == 0 else self.rest[bone])
            own[:3, :3] = Rotation.from_quat(turns[bone]).as_matrix() @ np.diag(scale if bone == 1 else np.ones(3))
            above = above @ own
            matrices.append(above)
        return matrices

    def expected(self, frame, turns=None):
        """Where the points are, one after the other; the fifth of a ring is the first."""
        turns = self.turns[:, frame] if turns is None else turns
        world = self.world(turns, self.moves[frame], self.scales[frame])
        found = []
        for vertex in [v for v in range(35) if v % 5 < 4]:
            point = np.append(self.points[vertex] + self.morphing[frame] * self.morph[vertex], 1)
            total = np.zeros(4)
            for joint, weight in zip(self.joints[vertex], self.weights[vertex], strict=True):
                total += weight * (world[joint] @ self.bind[joint] @ point)
            found.append(total[:3])
        return np.array(found)
