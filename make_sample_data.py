"""Write sample data laid out like a user's own: a real human body, moved, skinned, and scanned by a simulation.

    python make_sample_data.py

Writes OBJ folders (metres, y up, 30 frames per second) of three sequences, each with skinned meshes (sbs), joints and
simulated scans (target):

    geo/rom_{sbs,joints,target}/obj         slow range of motion, a quarter as many frames
    geo/dyna_{sbs,joints,target}/obj        jumping jacks, squats, running on the spot, hip twists
    geo_test/dyna_{sbs,joints,target}/obj   hops and punches, not seen in training, and known motions at other tempi

With --character glb the body is also written as a character, bones, weights and animation, into geo/rom_character/glb and so
on. The body is the CC0 MakeHuman body. The skinned mesh is linear-blend skinning; the scan adds volume kept at bent joints,
muscles that bulge, fixed detail and soft tissue that swings: see data/sample_body/simulated_body.py, with sources. The same
flags give the same files.
"""

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.formats.obj_writing import write_obj
from data.sample_body.motions import RANGE_OF_MOTION, TEST, TRAINING, pose_sequence
from data.sample_body.sample_folder import prepare_folders, write_sample_character
from data.sample_body.simulated_body import OVERSAMPLING, RESOLUTIONS, SimulatedBody
from utils.command_line import flags
from utils.command_line.flag_values import at_least, not_negative
from utils.command_line.run_main import run_main

FRAME_RATE = 30
KINDS = ("sbs", "target", "joints")


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    add = parser.add_argument
    add("--output_dir", type=Path, default=Path(), help="where geo/ and geo_test/ go (default: here)")
    frames = partial(at_least, lowest=8)
    add("--num_frames", type=frames, default=240, help="training frames; the others follow (default: 240)")
    vertices = "3,008, 13,718 or 54,848 vertices (default: medium)"
    add("--resolution", choices=RESOLUTIONS, default="medium", help=vertices)
    add("--seed", type=not_negative, default=0, help="of motions and the scan's detail (default: 0)")
    add("--character", choices=("glb",), help="also write each sequence's body as a rig with its animation")
    return parser.parse_args(argv)


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
    folders = {args.output_dir / name / "obj": Path(name).name for name in names}
    characters = {name: args.output_dir / f"{name}_character/glb" for name, _, _ in sequences if args.character}
    prepare_folders(folders | {folder: folder.parent.name for folder in characters.values()})
    for offset, (name, segments, frames) in enumerate(sequences):
        seconds, dense = frames / FRAME_RATE, FRAME_RATE * OVERSAMPLING
        poses = pose_sequence(body.bone_names, body.bone_heads, segments, seconds, dense, args.seed + offset)
        if folder := characters.get(name):
            write_sample_character(folder / f"{folder.parent.name}.glb", simulated, poses, FRAME_RATE)
        progress = tqdm(simulated.frames(*poses, FRAME_RATE), desc=name, total=frames, unit="frame")
        for number, (skinned, joints, scan) in enumerate(progress, 1):
            for kind, points, faces in zip(
                KINDS, (skinned, scan, joints), (body.polygons, body.polygons, None), strict=True
            ):
                path = args.output_dir / f"{name}_{kind}" / "obj" / f"{Path(name).name}_{kind}.{number:05d}.obj"
                write_obj(path, np.round(points, 6), faces)


if __name__ == "__main__":
    run_main(main)
