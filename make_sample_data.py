"""Write sample data laid out like a user's own: a real human body, moved, skinned, and scanned by a simulation.

    python make_sample_data.py

Writes OBJ folders (metres, y up, 30 frames per second) of three sequences, each with skinned meshes (sbs), joints and
simulated scans (target):

    geo/rom_{sbs,joints,target}/obj         slow range of motion, a quarter as many frames
    geo/dyna_{sbs,joints,target}/obj        jumping jacks, squats, running on the spot, hip twists
    geo_test/dyna_{sbs,joints,target}/obj   hops and punches, not seen in training, and known motions at other tempi

The body is the CC0 MakeHuman body. The skinned mesh is linear-blend skinning; the scan adds volume kept at bent joints,
muscles that bulge, fixed detail and soft tissue that swings: see data/sample_body/simulated_body.py, with sources. The
same flags give the same files.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.formats.obj_writing import write_obj
from data.sample_body.motions import RANGE_OF_MOTION, TEST, TRAINING, pose_sequence
from data.sample_body.sample_folder import prepare_folders
from data.sample_body.simulated_body import OVERSAMPLING, RESOLUTIONS, SimulatedBody
from utils.command_line.run_main import run_main

FRAME_RATE = 30
KINDS = ("sbs", "target", "joints")


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output_dir", type=Path, default=Path("."), help="where geo/ and geo_test/ go (default: here)"
    )
    parser.add_argument("--num_frames", type=int, default=240, help="training frames; the others follow (default: 240)")
    parser.add_argument(
        "--resolution", choices=RESOLUTIONS, default="medium", help="3,008, 13,718 or 54,848 vertices (default: medium)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the motions' variation and the scan's detail (default: 0)"
    )
    args = parser.parse_args(argv)
    if args.seed < 0:
        parser.error(f"--seed: found {args.seed}, expected 0 or more")
    if args.num_frames < 8:
        parser.error(f"--num_frames: found {args.num_frames}, expected 8 or more")
    return args


def main(argv=None):
    args = parse_arguments(argv)
    simulated = SimulatedBody(args.resolution, args.seed)
    body = simulated.body
    sequences = [
        ("geo/rom", RANGE_OF_MOTION, args.num_frames // 4),
        ("geo/dyna", TRAINING, args.num_frames),
        ("geo_test/dyna", TEST, args.num_frames // 4),
    ]
    names = [f"{name}_{kind}" for name, kind in product((name for name, _, _ in sequences), KINDS)]
    prepare_folders({args.output_dir / name / "obj": Path(name).name for name in names})
    for offset, (name, segments, frames) in enumerate(sequences):
        seconds = frames / FRAME_RATE
        poses = pose_sequence(
            body.bone_names, body.bone_heads, segments, seconds, FRAME_RATE * OVERSAMPLING, args.seed + offset
        )
        progress = tqdm(simulated.frames(*poses, FRAME_RATE), desc=name, total=frames, unit="frame")
        for number, (skinned, joints, scan) in enumerate(progress, 1):
            for kind, points, faces in zip(
                KINDS, (skinned, scan, joints), (body.polygons, body.polygons, None), strict=True
            ):
                path = args.output_dir / f"{name}_{kind}" / "obj" / f"{Path(name).name}_{kind}.{number:05d}.obj"
                write_obj(path, np.round(points, 6), faces)


if __name__ == "__main__":
    run_main(main)
