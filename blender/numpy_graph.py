"""ONNX files run by NumPy, where there is no ONNX Runtime: slower, the same answers.

Written for the files of `export_onnx.py --streaming`, whose operators it knows (https://onnx.ai/onnx/operators), and what it
has to know of the format (https://protobuf.dev/programming-guides/encoding, and onnx.proto in https://github.com/onnx/onnx).
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import struct

import numpy as np

from .refused import Refused

TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}


def number_at(data, place):
    """Return the number of variable length at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def fields(data):
    """Yield the number and value of each field of a message: an integer, or bytes."""
    place = 0
    while place < len(data):
        key, place = number_at(data, place)
        kind = key & 7
        if kind == 0:
            value, place = number_at(data, place)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, place = number_at(data, place)
            value, place = data[place : place + size], place + size
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def message(data):
    """Return the values of a message's fields, by number, in lists."""
    found = {}
    for number, value in fields(data):
        found.setdefault(number, []).append(value)
    return found


def signed(value):
    """Return a 64-bit integer with its sign."""
    return value - (1 << 64) if value >> 63 else value


def integers(values):
    """Return repeated integers, which may be packed."""
    found = []
    for value in values:
        if isinstance(value, int):
            found.append(signed(value))
            continue
        place = 0
        while place < len(value):
            number, place = number_at(value, place)
            found.append(signed(number))
    return found


def text(values):
    """Return a string, the first of some bytes."""
    return bytes(values[0]).decode() if values else ""


def array(data):
    """Return a tensor as an array, and its name."""
    found = message(data)
    shape, kind = integers(found.get(1, [])), TYPES[found[2][0]]
    if 9 in found:
        values = np.frombuffer(found[9][0], kind)
    elif 4 in found:
        values = np.frombuffer(b"".join(bytes(each) for each in found[4]), np.float32)
    else:
        values = np.array(integers(found.get(7, found.get(5, []))))
    return values.astype(kind).reshape(shape), text(found.get(8))


def attributes(node):
    """Return a node's attributes, by name."""
    found = {}
    for data in node.get(5, []):
        each = message(data)
        kind = each[20][0]
        values = {
            1: lambda each=each: struct.unpack("<f", each[2][0])[0],
            2: lambda each=each: signed(each[3][0]),
            3: lambda each=each: text(each[4]),
            4: lambda each=each: array(each[5][0])[0],
            7: lambda each=each: integers(each.get(8, [])),
        }
        found[text(each[1])] = values[kind]()
    return found


def axes_of(given):
    """Return axes as NumPy takes them; None for all."""
    return None if given is None else tuple(np.ravel(given).tolist())


def reduced(reduce, x, axes=None, keepdims=1, noop_with_empty_axes=0):
    if axes is None and noop_with_empty_axes:
        return x
    return reduce(x, axis=axes_of(axes), keepdims=bool(keepdims), dtype=x.dtype)


def gemm(a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    product = (a.T if transA else a) @ (b.T if transB else b)
    product = product if alpha == 1 else np.float32(alpha) * product
    return product if c is None else product + (c if beta == 1 else np.float32(beta) * c)


def part(x, starts, ends, axes=None, steps=None):
    places = [slice(None)] * x.ndim
    axes = range(len(starts)) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, [1] * len(starts) if steps is None else steps, strict=True):
        start, end, step = int(start), int(end), int(step)
        places[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(places)]


def split(x, sizes=None, axis=0, num_outputs=None):
    if sizes is None:
        step = -(-x.shape[axis] // num_outputs)
        sizes = [step] * (num_outputs - 1) + [x.shape[axis] - step * (num_outputs - 1)]
    return np.split(x, np.cumsum(sizes)[:-1], axis=axis)


def reshaped(x, shape, allowzero=0):
    return x.reshape([x.shape[k] if n == 0 and not allowzero else n for k, n in enumerate(shape.tolist())])


def squeezed(x, axes=None):
    return np.squeeze(x, axes_of(axes))


def unsqueezed(x, axes):
    return np.expand_dims(x, axes_of(axes))


def added_at(x, places, values, axis=0, reduction="none"):
    assert reduction == "add"
    x = x.copy()
    grid = list(np.ix_(*(np.arange(n) for n in places.shape)))
    grid[axis] = places
    np.add.at(x, tuple(grid), values)
    return x


def softmax(x, axis=-1):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def sigmoid(x):
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(x, -80, 80)))


def filled(shape, value=None):
    return np.zeros(shape, np.float32) if value is None else np.full(shape, value[0])


def clipped(x, low=None, high=None):
    return x if low is None and high is None else np.clip(x, low, high)


OPERATORS = {
    "Abs": np.abs, "Add": np.add, "And": np.logical_and, "Div": np.divide, "Equal": np.equal, "Exp": np.exp,
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal,
    "Less": np.less, "LessOrEqual": np.less_equal, "Log": np.log, "MatMul": np.matmul,
    "Max": np.maximum, "Min": np.minimum, "Mul": np.multiply, "Neg": np.negative, "Not": np.logical_not, "Or": np.logical_or,
    "Sqrt": np.sqrt, "Sub": np.subtract, "Where": np.where, "Reciprocal": np.reciprocal, "Identity": lambda x: x,
    "Pow": lambda x, power: np.power(x, power).astype(x.dtype),
    "Cast": lambda x, to: x.astype(TYPES[to]),
    "Clip": clipped,
    "Concat": lambda *parts, axis: np.concatenate(parts, axis=axis),
    "ConstantOfShape": filled,
    "Einsum": lambda *parts, equation: np.einsum(equation, *parts),
    "Expand": lambda x, shape: x * np.ones(shape.tolist(), x.dtype),
    "Gather": lambda x, places, axis=0: np.take(x, places, axis=axis),
    "Gemm": gemm,
    "ReduceMean": lambda x, axes=None, **rest: reduced(np.mean, x, axes, **rest),
    "ReduceSum": lambda x, axes=None, **rest: reduced(np.sum, x, axes, **rest),
    "Reshape": reshaped, "ScatterElements": added_at, "Sigmoid": sigmoid, "Slice": part, "Softmax": softmax, "Split": split,
    "Squeeze": squeezed, "Tile": lambda x, repeats: np.tile(x, repeats.tolist()),
    "Transpose": lambda x, perm=None: x.transpose(perm),
    "Unsqueeze": unsqueezed,
}  # fmt: skip


class Node:
    """One operator, with what goes in and comes out by name, and what is not needed after it."""

    def __init__(self, data):
        found = message(data)
        self.inputs, self.outputs = ([text([each]) for each in found.get(number, [])] for number in (1, 2))
        self.kind, self.attributes, self.last_of = text(found[4]), attributes(found), []


class NumpyGraph:
    """A file's graph, run as ONNX Runtime's `InferenceSession` runs it.

    `shapes` are those of its inputs, by name, those left out that have a value in the file; `defaults` are their names.
    """

    def __init__(self, path):
        """Raises `Refused` for a file that is none, and operators that are not known here."""
        try:
            model = message(memoryview(path.read_bytes()))
            graph = message(model[7][0])
            self.metadata = {text(each.get(1)): text(each.get(2)) for each in map(message, model.get(14, []))}
            self.constants = {name: values for values, name in map(array, graph.get(5, []))}
            self.nodes = [Node(each) for each in graph[1]]
            inputs = dict(map(shape_of, graph[11]))
        except (KeyError, IndexError, ValueError, UnicodeDecodeError, struct.error, TypeError) as error:
            raise Refused(
                f"{path.name}: found no whole ONNX file, expected one of export_onnx.py --streaming"
            ) from error
        unknown = sorted({each.kind for each in self.nodes} - OPERATORS.keys())
        if unknown:
            raise Refused(f"{path.name}: operators {', '.join(unknown)} need ONNX Runtime, which is not installed here")
        self.defaults = inputs.keys() & self.constants.keys()
        self.shapes = {name: shape for name, shape in inputs.items() if name not in self.defaults}
        self.outputs = [text(message(each)[1]) for each in graph[12]]
        seen = set(self.outputs) | self.constants.keys()
        for node in reversed(self.nodes):
            node.last_of = [name for name in {*node.inputs, *node.outputs} if name and name not in seen]
            seen.update(node.last_of)

    def run(self, names, feeds):
        """Return some outputs, by name, all where there are none named, for some inputs."""
        values = self.constants | feeds
        for node in self.nodes:
            given = [values[name] if name else None for name in node.inputs]
            made = OPERATORS[node.kind](*given, **node.attributes)
            if len(node.outputs) == 1:
                made = [made]
            values.update(zip(node.outputs, made, strict=True))
            for name in node.last_of:
                del values[name]
        return [values[name] for name in names or self.outputs]


def shape_of(data):
    """Return the name and shape of an input."""
    found = message(data)
    tensor = message(message(found[2][0])[1][0])
    sides = message(tensor[2][0]).get(1, []) if 2 in tensor else []
    return text(found[1]), tuple(integers(message(each).get(1, [0]))[0] for each in sides)
