"""Learn the step from skinned meshes to scans as fit_mesh.py does, the skeleton's joints added to the encoder's input.

    python fit_mesh_with_joints.py -src geo/dyna_sbs/obj -src_joint geo/dyna_joints/obj -tar geo/dyna_target/obj -n_cond 3

Each vertex sees the joints nearest to it at rest, in its own frame, over the window. Writes checkpoints to
saved_model/with_joints/<timestamp>/, logs to logs/ and the loss curve to loss_curves/.
"""

from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import split_windows
from utils.command_line import flags
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    flags.add_data_arguments(parser, target_required=True)
    flags.add_model_arguments(parser, model_type="with_joints")
    flags.add_joint_arguments(parser)
    flags.add_machine_arguments(parser)
    flags.add_fit_arguments(parser)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from models.mesh_autoencoder import MeshAutoencoder
    from models.rest_surface import RestSurface
    from utils.command_line import arguments, data_arguments
    from utils.fitting.losses import reconstruction
    from utils.fitting.sampling import SHUFFLED_VERTICES
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
        sequences, faces = load_sequences(*data_arguments.given_files(args, data_arguments.joint_files(args)))
    args.num_joints = data_arguments.count_joints(args, sequences[0])
    settings = arguments.choose_settings(args, model.settings if path else None, sequences)
    data_arguments.say_what_was_given(sequences, settings)
    training, held_out = split_windows(sequences, settings.num_condition_frames, args.num_inference_meshes)

    # model
    if path is None:
        model = MeshAutoencoder(
            settings, RestSurface.from_mesh(training.sequences[0].skinned[0], faces, training.sequences[0].joints[0])
        )
    else:
        check_topology(model, sequences[0], faces, path)

    # fit
    timestamp = stored["timestamp"] if stored else new_timestamp(args.model_type)
    training_run = TrainingRun(args.model_type, timestamp, describe_run(args, training.sequences))
    options = arguments.training_options(args)
    Trainer(model, training, held_out, SHUFFLED_VERTICES, reconstruction, training_run, device, options, stored).fit()


if __name__ == "__main__":
    run_main(main)
