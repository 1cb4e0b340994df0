"""Draw the loss curves of several training runs in one picture.

    python plot_loss_curves.py saved_model/without_joints saved_model/with_joints

Takes checkpoints, or folders: the newest checkpoint in each. Solid lines are training losses (dotted: smoothing), points the
error on frames kept out of training, the dashed line that of the skinned mesh: the line to beat.
"""

from pathlib import Path

from data.input_error import InputError
from utils.command_line import flags
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    parser.add_argument(
        "checkpoints", type=Path, nargs="+", metavar="CHECKPOINT", help="checkpoints, or folders of them"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("loss_curves/runs.png"),
        help="(default: loss_curves/runs.png)",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from utils.runs.checkpoint import find_checkpoint, load_checkpoint
    from utils.showing.plots import check_picture_name, plot_loss_curves

    check_picture_name(args.output)
    runs = {}
    for path in map(find_checkpoint, args.checkpoints):
        stored = load_checkpoint(path)
        progress = stored["progress"]
        if not progress["history"]:
            raise InputError(f"{path}: stopped before the end of its first epoch, expected a curve to draw")
        runs[f"{stored['model_type']} {stored['timestamp']}"] = progress["curves"], progress["history"]
    plot_loss_curves(runs, args.output)
    print(f"loss curves of {len(runs)} runs in {args.output}")


if __name__ == "__main__":
    run_main(main)
