"""Look at skinned meshes and scans before training: what was given, what is strange, and a picture of the worst frame.

    python check_data.py -src geo/dyna_sbs/obj -tar geo/dyna_target/obj

Nothing is trained. What cannot be meant (other units, axes or places, scans that equal the skinned meshes) ends in an error.
"""

from pathlib import Path

import numpy as np

from data.sequences.mesh_sequence import describe_sequences, load_sequences
from data.sequences.mesh_windows import split_windows
from data.sequences.plausibility import check_plausible
from models.model_settings import UNITS_IN_MM
from utils.command_line import arguments
from utils.command_line.flag_values import Sources
from utils.command_line.run_main import run_main
from utils.predicting.metrics import vertex_errors
from utils.showing.comparison import draw_comparison


def parse_arguments(argv):
    parser = arguments.make_parser(__doc__)
    arguments.add_data_arguments(parser, target_required=True)
    parser.add_argument(
        "-src_joint", "--joint_files_dir", type=Path, nargs="+", action=Sources, metavar="DIR",
        help="folders or files of joints, one per source",
    )  # fmt: skip
    parser.add_argument("--up_axis", choices=("x", "y", "z"), default="y", help="axis that points up (default: y)")
    parser.add_argument("-o", "--output", type=Path, default=Path("check_data.png"), help="(default: check_data.png)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)
    units_in_mm = UNITS_IN_MM[args.units or "m"]

    # what was given
    sequences, faces = load_sequences(args.source_files_dir, args.target_files_dir, args.joint_files_dir)
    windows, _ = split_windows(sequences, 1, 0)
    for line in [*describe_sequences(windows.sequences), *check_plausible(sequences, units_in_mm / 1000)]:
        print(line)

    # the worst frame
    worst, name, panels = 0.0, "", {}
    for sequence in sequences:
        for frame, number in enumerate(sequence.frame_numbers):
            skinned, scan = (sequence.seen(each[frame], frame) for each in (sequence.skinned, sequence.scan))
            distances = units_in_mm * vertex_errors(skinned, scan)
            if distances.mean() > worst:
                worst, name = float(distances.mean()), f"{sequence.name}, frame {number}"
                panels = {"skinned": (skinned, None), "scan": (scan, None), "distance": (skinned, distances)}
    title = f"{name}, the scan furthest from its skinned mesh: {worst:.3g} mm on average"
    draw_comparison(panels, np.asarray(faces), args.up_axis, "distance to the scan (mm)", title, args.output)
    print(f"{title}; picture in {args.output}")


if __name__ == "__main__":
    run_main(main)
