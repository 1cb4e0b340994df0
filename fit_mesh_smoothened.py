"""Learn the step from skinned meshes to scans as fit_mesh.py does, with a mesh-Laplacian smoothing loss beside the L2 loss.

    python fit_mesh_smoothened.py -src geo/dyna_sbs/obj -tar geo/dyna_target/obj -n_cond 3

A step holds whole meshes here, as many as fit into --mini_batch_size. Writes what fit_mesh.py does.
"""

from functools import partial

from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import split_windows
from utils.command_line import flags
from utils.command_line.flag_values import positive_number
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    flags.add_data_arguments(parser, target_required=True)
    flags.add_model_arguments(parser, model_type="without_joints_smoothened")
    flags.add_machine_arguments(parser)
    flags.add_fit_arguments(parser, learning_rate=0.006)  # the vertices of one mesh ask for much the same
    group = parser.add_argument_group("smoothing")
    group.add_argument(
        "--smoothing_of", choices=("surface", "correction", "scan"), default="scan",
        help="whose Laplacian: the prediction's, its correction's, or its difference to the scan's (default: scan)",
    )  # fmt: skip
    group.add_argument(
        "--smoothing_weight", type=positive_number, default=2.0, metavar="WEIGHT",
        help="of the smoothing loss beside the reconstruction loss (default: 2)",
    )  # fmt: skip
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from models.mesh_autoencoder import MeshAutoencoder
    from models.rest_surface import RestSurface
    from models.uniform_laplacian import uniform_laplacian
    from utils.command_line import arguments, data_arguments
    from utils.fitting.losses import smooth_reconstruction
    from utils.fitting.sampling import WHOLE_MESHES
    from utils.fitting.trainer import Trainer
    from utils.runs.checkpoint import build_model, check_topology, load_checkpoint
    from utils.runs.processes import first_alone
    from utils.runs.run_folders import TrainingRun, new_timestamp
    from utils.runs.run_record import describe_run

    device = arguments.choose_device(args.device, args.seed)

    path = arguments.checkpoint_to_go_on_from(args)
    stored = load_checkpoint(path) if path else None
    model = build_model(stored, path) if path else None

    # data
    with first_alone():
        sequences, faces = load_sequences(*data_arguments.given_files(args))
    settings = arguments.choose_settings(args, model.settings if path else None, sequences)
    data_arguments.say_what_was_given(sequences, settings)
    training, held_out = split_windows(sequences, settings.num_condition_frames, args.num_inference_meshes)

    # model
    if path is None:
        model = MeshAutoencoder(settings, RestSurface.from_mesh(training.sequences[0].skinned[0], faces))
    else:
        check_topology(model, sequences[0], faces, path)

    # fit
    timestamp = stored["timestamp"] if stored else new_timestamp(args.model_type)
    training_run = TrainingRun(args.model_type, timestamp, describe_run(args, training.sequences))
    options = arguments.training_options(args)
    laplacian = uniform_laplacian(model.surface.faces, len(model.surface.vertices)).to(device)
    smoothing = {"smoothing_of": args.smoothing_of, "smoothing_weight": args.smoothing_weight}
    losses = partial(smooth_reconstruction, laplacian=laplacian, **smoothing)
    Trainer(model, training, held_out, WHOLE_MESHES, losses, training_run, device, options, stored).fit()


if __name__ == "__main__":
    run_main(main)
