"""Choose which frames of an animation to scan next: those whose scans would teach a model most.

    python choose_frames.py -src geo_test/dyna_sbs/obj -saved_path saved_model/without_joints --count 20
    python choose_frames.py -src geo/dyna_sbs/obj --count 40

Choosing them takes no scans. With a model, they are the frames that leave it least uncertain in the whole animation; without
one, those that cover it best. Simulations need a run-up: --run_length chooses whole runs. Writes a list, a table, a picture.
"""

from pathlib import Path

from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from models.model_settings import ModelSettings
from utils.command_line import flags
from utils.command_line.flag_values import Sources, positive
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    add = parser.add_argument
    source = {"type": Path, "nargs": "+", "action": Sources, "metavar": "DIR"}
    add("-src", "--source_files_dir", required=True, help="skinned meshes to choose from", **source)
    add("-src_joint", "--joint_files_dir", help="joints, for a model that looks at them", **source)
    text = "checkpoint (.pt) of what is known, or a folder: the newest in it"
    add("-saved_path", "--model_saved_path", type=Path, metavar="FILE", help=text)
    add("--count", type=positive, default=20, help="frames, or runs, to choose (default: 20)")
    add("--run_length", type=positive, default=1, metavar="N", help="frames in a run (default: 1)")
    add("--up_axis", choices=("x", "y", "z"), help="that points up (default: y, or as in the checkpoint)")
    add("-dev", "--device", metavar="DEVICE", help="where to compute (default: cuda:0, or cpu)")
    add("-o", "--output_dir", type=Path, default=Path("chosen_frames"), help="(default: chosen_frames)")
    add("--overwrite", action="store_true", help="replace an earlier choice in --output_dir")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from models.mesh_autoencoder import MeshAutoencoder
    from models.rest_surface import RestSurface
    from utils.command_line import arguments
    from utils.predicting.chosen_frames import LIST, SHEET, TABLE, check_free, write_choice
    from utils.predicting.frame_choice import choose_runs, design_of_model, design_of_motion, runs_of
    from utils.runs.checkpoint import build_model, check_topology, find_checkpoint, load_checkpoint
    from utils.runs.run_record import scans_trained_on
    from utils.showing.contact_sheet import draw_contact_sheet

    check_free(args.output_dir, args.overwrite)
    device = arguments.choose_device(args.device)

    # animation
    sequences, faces = load_sequences(args.source_files_dir, None, args.joint_files_dir)

    # what is known
    if path := args.model_saved_path and find_checkpoint(args.model_saved_path):
        stored = load_checkpoint(path)
        model = build_model(stored, path).to(device)
        check_topology(model, sequences[0], faces, path)
        arguments.check_agreement(args, model.settings, ("up_axis",))
    else:
        settings = ModelSettings(num_condition_frames=3, up_axis=args.up_axis or "y")
        model = MeshAutoencoder(settings, RestSurface.from_mesh(sequences[0].skinned[0], faces)).to(device)
    windows = all_windows(sequences, model.settings.num_condition_frames)
    num_scans = scans_trained_on(stored["record"]) if path else args.count * args.run_length
    design = (design_of_model if path else design_of_motion)(model, windows, device, num_scans)

    # choice
    runs = runs_of(windows, args.run_length)
    chosen = [(runs[run], left) for run, left in choose_runs(design, runs, args.count)]
    write_choice(args.output_dir, windows, chosen)
    frames = [int(run[0]) for run, _ in chosen]
    draw_contact_sheet(args.output_dir / SHEET, model, windows, frames, path is not None, device)
    print(
        f"{len(chosen) * args.run_length} of {len(windows)} frames: {LIST}, {TABLE} and {SHEET} in {args.output_dir}; "
        f"their scans leave {100 * chosen[-1][1]:.3g} % of the uncertainty in all frames"
    )


if __name__ == "__main__":
    run_main(main)
