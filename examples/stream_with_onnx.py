"""Predict scans one frame after another, as a program would live, with ONNX Runtime and NumPy alone.

python examples/stream_with_onnx.py STREAMING.onnx SKINNED.npz PREDICTED.npz [JOINTS.npz]
"""

import sys

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.log_severity_level = 3  # it warns of the dials, which may be left out
session = onnxruntime.InferenceSession(sys.argv[1], options)
arrays = dict(np.load(sys.argv[2]))
origin = arrays["vertices"][0].mean(axis=0)  # the model wants what is near zero
points = {"skinned": arrays["vertices"]} | ({"joints": np.load(sys.argv[4])["vertices"]} if len(sys.argv) > 4 else {})
points = {name: (each - origin).astype(np.float32) for name, each in points.items()}
sees = [each.name for each in session.get_inputs()]
start = {each.name: np.zeros(each.shape, np.float32) for each in session.get_inputs() if each.name not in points}
state, predicted = start, []  # back to the start where a sequence starts
for frame in range(len(points["skinned"])):
    now = {name: each[frame] for name, each in points.items() if name in sees}
    answer, *following = session.run(None, now | state)
    state = dict(zip(start, following, strict=True))
    predicted.append(answer)
np.savez(sys.argv[3], **arrays | {"vertices": (np.stack(predicted) + origin).astype(arrays["vertices"].dtype)})
