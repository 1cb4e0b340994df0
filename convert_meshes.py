"""Convert all frames of meshes or joints from any format to any other.

    python convert_meshes.py geo_test/dyna_target/obj geo_test/dyna_target/drc --export drc
    python convert_meshes.py geo_test/dyna_target/drc dyna_target.usdc

FROM is a folder of .obj, .drc or .ply files, of joints also .npy or .txt, or a file of all frames: .npz, .npy, .usd, .usda,
.usdc, .abc, .mdd, .pc2 or .glb. So is TO: a name with one of the latter endings is a file, any other a folder for the format of
--export. Positions keep every bit of a float32 and faces their order. OBJ, NPZ, USD and Alembic keep texture coordinates; Draco
knows triangles only, .npy, .mdd and .pc2 files no faces: `body.pc2:rest.obj` has those of a mesh. Characters (.glb, .gltf,
.fbx) are evaluated at --frame_rate.
"""

import re
from pathlib import Path

from data.formats.mesh_formats import MESHES, POINTS, SEQUENCES, WITHOUT_FACES, WRITTEN, scene_in, write_sequence
from data.input_error import InputError
from data.sequences.frame_files import write_frames
from data.sequences.mesh_frames import load_frames
from models.model_settings import UNITS_IN_MM
from utils.command_line import flags
from utils.command_line.run_main import run_main

FILE_ENDING = re.compile(r"\.(?!v\d+$)[a-z][a-z0-9]{1,4}")  # but folders may have a version: skinned.v2


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    parser.add_argument("source", type=Path, metavar="FROM", help="folder or file to read")
    parser.add_argument("target", type=Path, metavar="TO", help="folder or file to write, that is not there yet")
    parser.add_argument(
        "--export", choices=[ending[1:] for ending in MESHES], help="what to write into a folder (default: obj)"
    )
    group = parser.add_argument_group("said in USD and Alembic files")
    group.add_argument(
        "--units", choices=UNITS_IN_MM, help="what the files' numbers are (default: as the file says, or m)"
    )
    group.add_argument("--up_axis", choices=("y", "z"), help="axis that points up (default: as the file says, or y)")
    flags.add_frame_rate_argument(group)
    parser.set_defaults(frame_rate=None)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)
    if not args.target.name:  # "."
        args.target = args.target.resolve()
    if args.target.is_file() or (args.target.is_dir() and any(args.target.iterdir())):
        raise InputError(f"{args.target}: is there already, expected a new file or folder")
    ending = args.target.suffix.lower()
    if FILE_ENDING.fullmatch(ending) and ending not in WRITTEN and ending != f".{args.export}":
        raise InputError(
            f"{args.target}: found the ending {ending}, expected one of {', '.join(WRITTEN)} for a file of all frames, "
            f"or a folder's name, with --export {', '.join(each[1:] for each in MESHES)} for what is written into it"
        )
    if ending in SEQUENCES and args.export:
        raise InputError(f"--export: found {args.export}, expected none where {args.target} is a file of all frames")

    # read
    frames = load_frames(args.source, tuple(POINTS), with_holes=True, frame_rate=args.frame_rate or 30.0)
    num_frames, num_vertices, _ = frames.vertices.shape

    # write
    if ending in SEQUENCES:
        metres = UNITS_IN_MM[args.units] / 1000 if args.units else None
        given = {"up_axis": args.up_axis, "metres_per_unit": metres, "frame_rate": args.frame_rate}
        scene = scene_in(frames.files[0], **given)
        write_sequence(args.target, frames.frame_numbers, frames.vertices, frames.polygons, scene)
    else:
        write_frames(args.target, f".{args.export or 'obj'}", frames.names, frames.vertices, frames.polygons)
    faces = "no" if ending in WITHOUT_FACES else len(frames.polygons.sizes)
    print(f"{num_frames} frames of {num_vertices} vertices and {faces} faces in {args.target}")


if __name__ == "__main__":
    run_main(main)
