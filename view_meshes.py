"""Look at skinned meshes, predictions and scans in a browser: side by side or overlaid, with heat maps and errors over time.

    python view_meshes.py -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj -saved_path saved_model/without_joints
    python view_meshes.py -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj -pred inference_meshes/demo/...

Predictions come from a folder, or from a checkpoint while one looks. The page is for this machine alone; `ssh -L` leads to it.
"""

from pathlib import Path

from data.sequences.mesh_sequence import load_sequences
from data.sequences.predicted_meshes import load_predictions
from models.model_settings import UNITS_IN_MM
from utils.command_line import flags
from utils.command_line.flag_values import Sources, positive, said_by
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    flags.add_data_arguments(parser, target_required=False)
    group = parser.add_argument_group("viewer")
    predictions = group.add_mutually_exclusive_group()
    predictions.add_argument(
        "-pred", "--predicted_files_dir", type=Path, nargs="+", action=Sources, metavar="DIR",
        help="folders or files of predicted meshes, one per source, or one for all",
    )  # fmt: skip
    predictions.add_argument(
        "-saved_path", "--model_saved_path", type=Path, metavar="FILE",
        help="the checkpoint (.pt) to predict with, or a folder: the newest in it",
    )  # fmt: skip
    flags.add_joint_files_argument(group)
    group.add_argument("--up_axis", choices=("x", "y", "z"), help="axis that points up (default: y, or as trained)")
    group.add_argument("-dev", "--device", metavar="DEVICE", help="where to predict (default: cuda:0, or cpu)")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    group.add_argument("--port", type=positive, default=8080, help="first port to try (default: 8080)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from utils.command_line import arguments, data_arguments
    from utils.runs.checkpoint import build_model, check_topology, find_checkpoint, load_checkpoint
    from utils.showing.clip import Clip, LivePredictions
    from utils.showing.server import check_viewer, free_port, open_server
    from utils.showing.viewer import Viewer

    check_viewer()
    port = free_port(args.host, args.port)

    # meshes
    sequences, faces = load_sequences(*data_arguments.given_files(args, args.joint_files_dir))
    said = {"units": "m", "up_axis": "y"} | said_by(sequences[0].files[0], args)
    predicted, up_axis, units = [None for _ in sequences], args.up_axis or said["up_axis"], args.units or said["units"]
    if args.predicted_files_dir:
        predicted = load_predictions(args.predicted_files_dir, sequences)
    elif args.model_saved_path:
        device = arguments.choose_device(args.device)
        path = find_checkpoint(args.model_saved_path)
        model = build_model(load_checkpoint(path), path).to(device)
        check_topology(model, sequences[0], faces, path)
        arguments.check_agreement(args, model.settings, ("up_axis", "units"))
        up_axis, units = model.settings.up_axis, model.settings.units
        predicted = [LivePredictions(model, each, device) for each in sequences]
    clips = [Clip(*each, UNITS_IN_MM[units]) for each in zip(sequences, predicted, strict=True)]

    # view
    server = open_server(args.host, port)
    try:
        Viewer(server, clips, faces, up_axis, args.frame_rate).run()
    finally:
        server.stop()


if __name__ == "__main__":
    run_main(main)
