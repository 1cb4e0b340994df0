"""Predict scans with ONNX Runtime and NumPy alone.

python examples/predict_with_onnx.py MODEL.onnx SKINNED.npz PREDICTED.npz [JOINTS.npz]
"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
about = session.get_modelmeta().custom_metadata_map
arrays = dict(np.load(sys.argv[2]))
anchors, origin = json.loads(about["anchors"]), arrays["vertices"][0].mean(axis=0)  # the model wants what is near zero
points = {"window": arrays["vertices"]} | ({"joints": np.load(sys.argv[4])["vertices"]} if len(sys.argv) > 4 else {})
points = {name: (each - origin).astype(np.float32) for name, each in points.items()}
skinned = points["window"]
before = np.arange(1 - int(about["history"]), 0, dtype=np.float32)[:, None, None]
# before it starts, a sequence moves as in its first two frames
start = skinned[0, anchors] + before * (skinned[min(1, len(skinned) - 1)] - skinned[0])[anchors]
path = np.concatenate([start, skinned[:, anchors]])
predicted = []
for frame in range(len(skinned)):
    window = np.maximum(np.arange(frame + 1 - int(about["window"]), frame + 1), 0)
    history = path[np.arange(frame, frame + len(start) + 1) if frame else [len(start)] * (len(start) + 1)]
    inputs = {name: each[window] for name, each in points.items()} | {"anchor_history": history}
    inputs = {each.name: inputs[each.name][None] for each in session.get_inputs()}
    predicted.append(session.run(None, inputs)[0][0])
np.savez(sys.argv[3], **arrays | {"vertices": (np.stack(predicted) + origin).astype(arrays["vertices"].dtype)})
