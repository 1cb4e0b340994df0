"""Predict scans with ONNX Runtime and NumPy alone.

python examples/predict_with_onnx.py MODEL.onnx SKINNED.npz PREDICTED.npz [JOINTS.npz]
"""

import json
import sys

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.log_severity_level = 3  # it warns of the dials, which may be left out
session = onnxruntime.InferenceSession(sys.argv[1], options)
about = session.get_modelmeta().custom_metadata_map
arrays = dict(np.load(sys.argv[2]))
origin = arrays["vertices"][0].mean(axis=0)  # the model wants what is near zero
points = {"window": arrays["vertices"]} | ({"joints": np.load(sys.argv[4])["vertices"]} if len(sys.argv) > 4 else {})
paths, before = {}, np.array(json.loads(about["before_first"]), np.float32)
for name, each in points.items():
    each = (each - origin).astype(np.float32)
    first = list(each[:3])
    while len(first) < 3:
        first.append(2 * first[-1] - first[len(first) - 2])
    paths[name] = np.concatenate([np.tensordot(before, first, axes=1), each])  # with what came before, as is guessed
paths["anchor_history"] = paths["window"][:, json.loads(about["anchors"])]
lengths = {name: int(about["history" if name == "anchor_history" else "window"]) for name in paths}
predicted = []
for end in range(len(before) + 1, len(paths["window"]) + 1):
    inputs = {name: path[end - lengths[name] : end] for name, path in paths.items()}
    inputs = {each.name: inputs[each.name][None] for each in session.get_inputs()}
    predicted.append(session.run(None, inputs)[0][0])
np.savez(sys.argv[3], **arrays | {"vertices": (np.stack(predicted) + origin).astype(arrays["vertices"].dtype)})
