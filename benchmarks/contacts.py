"""Contacts: how many pairs of triangles pass through each other, in scans, in skinned meshes and in predictions.

    python benchmarks/contacts.py saved_model/without_joints -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj

Counts pairs that intersect without sharing a vertex, exactly (CGAL, by libigl), in every few frames; and those of predictions
that neither the scan nor the skinned mesh of the same frame has.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.trained import parsed_and_loaded
from data.sequences.mesh_windows import all_windows
from utils.predicting.prediction import map_predictions


def intersecting_pairs(vertices: Float[ndarray, "V 3"], faces: Int[ndarray, "F 3"]) -> set[tuple[int, int]]:
    """Return the pairs of faces that pass through each other and share no vertex."""
    from igl.copyleft.cgal import remesh_self_intersections

    _, _, pairs, *_ = remesh_self_intersections(vertices.astype(np.float64), faces.astype(np.int64), detect_only=True)
    pairs = np.sort(np.asarray(pairs, np.int64).reshape(-1, 2), axis=1)
    shared = (faces[pairs[:, 0], :, None] == faces[pairs[:, 1], None]).any(axis=(1, 2))
    return set(map(tuple, pairs[~shared].tolist()))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--every", type=int, default=5, help="frames from one that is looked at to the next (default: 5)"
    )
    args, model, sequences, faces = parsed_and_loaded(parser, argv)
    windows = all_windows(sequences, model.settings.num_condition_frames)
    frames = np.arange(0, len(windows), args.every)
    seen = list(map_predictions(lambda frame: frame, model, windows, frames, torch.device("cpu")))
    counts = {"scan": [], "skinned": [], "predicted": [], "of the prediction alone": []}
    for frame in seen:
        scan = windows.scan(np.array([frame.index]))[0]
        meshes = {"scan": scan, "skinned": frame.skinned, "predicted": frame.predicted}
        found = {name: intersecting_pairs(vertices, faces) for name, vertices in meshes.items()}
        for name, pairs in found.items():
            counts[name].append(len(pairs))
        counts["of the prediction alone"].append(len(found["predicted"] - found["scan"] - found["skinned"]))
    print(f"pairs of triangles, mean over {len(frames)} frames of {len(faces)} triangles (most in one)")
    for name, each in counts.items():
        print(f"{name:24} {np.mean(each):8.1f} ({max(each)})")
    return counts


if __name__ == "__main__":
    main()
