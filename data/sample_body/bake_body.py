"""Bake the sample body: rest mesh, skinning weights and bones of the CC0 MakeHuman body, as read by the `anny` package.

Run once by hand, in an environment of its own (it needs minutes and 2 GB of cache; nothing else in the project needs it):

    pip install torch==2.13.0 anny==0.6.2 fast-simplification==0.2.0
    python data/sample_body/bake_body.py

Writes `body.npz` beside this file. Metres, y up, the face towards +z, feet on y = 0. For `medium` (the body's own quads) and
`low` (triangles, decimated): `<resolution>_vertices` (V, 3), `<resolution>_faces` (F, 4 or 3), `<resolution>_weights` (V, 4)
and `<resolution>_weight_bones` (V, 4), the four strongest bones of each vertex; for both, `bone_heads` (J, 3),
`bone_parents` (J,) with -1 at the root, and `bone_names` (J,).
"""

from pathlib import Path

import anny
import fast_simplification
import numpy as np
import torch

LOW_FACES = 6000


def rest_body(topology):
    """Return the anny model and its rest vertices (V, 3) of an adult of average build, y up."""
    model = anny.Anny(topology=topology)
    average = {label: 0.5 for label in model.phenotype_labels} | {"age": 0.67, "muscle": 0.6}
    rest_pose = torch.eye(4).repeat(1, model.bone_count, 1, 1)
    with torch.no_grad():
        output = model(pose_parameters=rest_pose, phenotype_kwargs=average)
    to_y_up = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    vertices = output["rest_vertices"][0].numpy() @ to_y_up.T
    heads = output["rest_bone_heads"][0].numpy() @ to_y_up.T
    ground = vertices[:, 1].min()
    return model, vertices - [0, ground, 0], heads - [0, ground, 0]


def strongest_four(weights, bones):
    """Return the four largest weights of each vertex, summing to one, and their bones."""
    order = np.argsort(-weights, axis=1)[:, :4]
    weights = np.take_along_axis(weights, order, axis=1)
    return weights / weights.sum(axis=1, keepdims=True), np.take_along_axis(bones, order, axis=1)


def main():
    model, vertices, heads = rest_body("anny-quads")
    quads = model.faces.numpy()
    weights, weight_bones = strongest_four(model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy())

    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    low_vertices, low_faces, collapses = fast_simplification.simplify(
        vertices, triangles, target_count=LOW_FACES, return_collapses=True
    )
    _, _, low_of_medium = fast_simplification.replay_simplification(vertices, triangles, collapses)
    # a decimated vertex moves with the nearest of the vertices that it replaces
    distance = np.linalg.norm(vertices - low_vertices[low_of_medium], axis=1)
    order = np.lexsort((distance, low_of_medium))
    nearest = order[np.searchsorted(low_of_medium[order], np.arange(len(low_vertices)))]

    arrays = {
        "medium_vertices": vertices.astype(np.float32),
        "medium_faces": quads.astype(np.int32),
        "medium_weights": weights.astype(np.float32),
        "medium_weight_bones": weight_bones.astype(np.uint8),
        "low_vertices": low_vertices.astype(np.float32),
        "low_faces": low_faces.astype(np.int32),
        "low_weights": weights[nearest].astype(np.float32),
        "low_weight_bones": weight_bones[nearest].astype(np.uint8),
        "bone_heads": heads.astype(np.float32),
        "bone_parents": np.array(model.bone_parents, dtype=np.int16),
        "bone_names": np.array(model.bone_labels),
    }
    for name, array in arrays.items():
        print(f"{name:20s} {array.dtype} {array.shape}")
    np.savez_compressed(Path(__file__).with_name("body.npz"), **arrays)


if __name__ == "__main__":
    main()
