"""Write a model's corrections of a character as morph targets, for engines, which play these and no caches.

    python export_morphs.py saved_model/without_joints -src character.glb --count 64

Predicts every frame of the animation, takes the principal shapes of the corrections before the skin moves them, and writes: the
character with these as morph targets and their weights animated, as GLB and as UsdSkel; shape_weights.onnx, from its joints'
motion to the weights, for other motion; and arrays that examples/play_morphs.py plays. A table says what more or fewer targets
cost. Needs: pip install -r requirements-pipeline.txt
"""

from pathlib import Path

from data.formats.gltf_reading import animated_character
from data.formats.named_parts import named_part
from data.input_error import InputError
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from data.sequences.shot_names import names_of_sources
from utils.command_line import flags
from utils.command_line.flag_values import Sources, positive
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="the checkpoint (.pt), or a folder: the newest in it")
    text = "the character (.glb, .gltf), with animation like that it is to play; several: one set of targets for all"
    add("-src", "--source_files_dir", type=Path, nargs="+", action=Sources, required=True, metavar="FILE", help=text)
    add("--count", type=positive, default=64, metavar="K", help="how many morph targets (default: 64)")
    add("-o", "--output_dir", type=Path, default=Path("morphs"), help="where to write (default: morphs)")
    add("--overwrite", action="store_true", help="replace the morph targets that are there")
    add("-dev", "--device", metavar="DEVICE", help="where to compute (default: cuda:0, or cpu)")
    flags.add_frame_rate_argument(parser)
    args = parser.parse_args(argv)
    for path in args.source_files_dir:
        if named_part(path)[0].suffix.lower() not in (".glb", ".gltf"):
            raise InputError(f"{path}: expected a character as .glb or .gltf, to add morph targets to")
    return args


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from utils.command_line import arguments
    from utils.fitting.shape_weights_fit import fit_shape_weights
    from utils.predicting import morph_export as morphs
    from utils.runs.checkpoint import build_model, check_topology, find_checkpoint, load_checkpoint

    morphs.check_free(args.output_dir, args.overwrite)
    device = arguments.choose_device(args.device)

    # model
    path = find_checkpoint(args.checkpoint)
    model = build_model(load_checkpoint(path), path).to(device)

    # animation
    characters = [animated_character(each, args.frame_rate) for each in args.source_files_dir]
    morphs.check_characters(characters, model, path)
    joints = args.source_files_dir if model.settings.num_joints else None
    sequences, faces = load_sequences(args.source_files_dir, None, joints, frame_rate=args.frame_rate)
    check_topology(model, sequences[0], faces, path)
    windows = all_windows(sequences, model.settings.num_condition_frames)

    # shapes, and how much of each the motion asks for
    corrections = morphs.predicted_corrections(model, windows, device)
    shapes = morphs.shapes_of(characters, corrections, args.count)
    from_motion, kept_out = fit_shape_weights(characters, model.surface.anchors, shapes, model.settings.past)

    # files
    names = names_of_sources(sequences).values()
    morphs.write_files(args.output_dir, [*names], characters, shapes, from_motion, args.frame_rate)
    print(morphs.table_of_counts(characters, corrections, shapes, kept_out))
    print(f"{len(shapes.shapes) + 1} morph targets of {len(windows)} frames in {args.output_dir}")


if __name__ == "__main__":
    run_main(main)
