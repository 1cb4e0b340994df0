"""Look at skinned meshes and scans before training: what was given, which frames stand out, and a picture of the worst.

    python check_data.py -src geo/dyna_sbs/obj -tar geo/dyna_target/obj

Nothing is trained. What cannot be meant (other units, axes or places, scans that equal the skinned meshes) ends in an error.
"""

from pathlib import Path

import numpy as np

from data.sequences.descriptions import describe_sequences, describe_unobserved
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import split_windows
from data.sequences.plausibility import check_plausible, what_files_say
from models.model_settings import UNITS_IN_MM
from utils.command_line import flags
from utils.command_line.flag_values import said_by
from utils.command_line.run_main import run_main

STANDS_OUT, MOST_LINES = 3.0, 10  # times the usual distance; frames that are listed


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    flags.add_data_arguments(parser, target_required=True)
    flags.add_joint_files_argument(parser)
    parser.add_argument(
        "--up_axis", choices=("x", "y", "z"), help="axis that points up (default: as the file says, or y)"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("check_data.png"), help="(default: check_data.png)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from utils.command_line import data_arguments
    from utils.predicting.metrics import mean_of_known, vertex_errors
    from utils.showing.comparison import draw_comparison
    from utils.showing.plots import check_picture_name

    check_picture_name(args.output)

    # what was given
    sequences, faces = load_sequences(*data_arguments.given_files(args, args.joint_files_dir))
    said = {"units": "m", "up_axis": "y"} | said_by(sequences[0].files[0], args)
    units_in_mm, up_axis = UNITS_IN_MM[args.units or said["units"]], args.up_axis or said["up_axis"]
    lines = check_plausible(sequences, units_in_mm / 1000) + what_files_say(sequences, up_axis, units_in_mm / 1000)
    windows, _ = split_windows(sequences, 1, 0)
    print("\n".join([*describe_sequences(windows.sequences), *describe_unobserved(windows), *lines]))

    # frames that stand out
    places = [(sequence, frame) for sequence in sequences for frame in sequence.scanned]
    away = ((vertex_errors(each.skinned[frame], each.scan_of(frame)), each.weights_of(frame)) for each, frame in places)
    means = units_in_mm * np.array([mean_of_known(*each) for each in away])
    for place in (-means).argsort()[:MOST_LINES]:
        sequence, frame = places[place]
        if means[place] > STANDS_OUT * np.median(means):
            print(
                f"{sequence.frame_names[frame]}: the scan is {means[place]:.3g} mm away, usual are {np.median(means):.3g} mm"
            )

    # a picture of the worst
    sequence, frame = places[int(means.argmax())]
    skinned, scan = (sequence.seen(each, frame) for each in (sequence.skinned[frame], sequence.scan_of(frame)))
    distances = units_in_mm * vertex_errors(skinned, scan)
    far = distances > units_in_mm * np.ptp(skinned, axis=0).max()  # one vertex in orbit, and nobody would see the body
    scan = np.where(far[:, None], skinned, scan)
    panels = {"skinned": (skinned, None), "scan": (scan, None), "distance": (skinned, distances)}
    title = f"{sequence.frame_names[frame]}, the scan furthest from its skinned mesh: {means.max():.3g} mm on average"
    draw_comparison(panels, np.asarray(faces), up_axis, "distance to the scan (mm)", title, args.output)
    print(f"{title}; picture in {args.output}")


if __name__ == "__main__":
    run_main(main)
