"""Play a character with its morph targets, their weights out of its joints' motion, with ONNX Runtime and NumPy alone.

python examples/play_morphs.py SHAPE_WEIGHTS.onnx CHARACTER.npz PLAYED.npz

CHARACTER.npz is what export_morphs.py writes; for other motion, put other matrices into its joints_to_world (T, J, 4, 4).
"""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
character = dict(np.load(sys.argv[2]))
state = {each.name: np.zeros(each.shape, np.float32) for each in session.get_inputs()[1:]}  # of a sequence's start
rest, targets, skin = (character[name] for name in ("rest", "morph_targets", "skin_weights"))
played = []
for frame, joints in enumerate(character["joints_to_world"]):
    weights, *following = session.run(None, {"joints_to_world": joints.astype(np.float32)} | state)
    state = dict(zip(state, following, strict=True))
    points = rest[min(frame, len(rest) - 1)] + np.tensordot(weights, targets, axes=1)
    moves = (joints @ character["inverse_bind"])[:, :3]
    blended = np.einsum("vk,vkab->vab", skin, moves[character["skin_joints"]])
    played.append(np.einsum("vab,vb->va", blended[..., :3], points) + blended[..., 3])
numbers, faces = character["frame_numbers"], character["faces"]
np.savez(sys.argv[3], vertices=np.array(played, np.float32), faces=faces, frame_numbers=numbers)
