"""Predict scans for skinned meshes with a trained model (variants 1 and 3), and compare them in a picture.

    python inference_mesh.py -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj -tar_avail \\
        -saved_path saved_model/without_joints

Writes inference_meshes/<model_type>/<timestamp of the model>/<epoch>_<shot>/<source file's name>.obj, and comparison.png; other
formats with --export. With --is_target_available it prints how far the skinned meshes and the predictions are from the scans.
"""

from data.formats.usd import Scene
from data.sequences.mesh_sequence import load_sequences
from models.model_settings import UNITS_IN_MM
from utils.command_line import flags
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    flags.add_data_arguments(parser, target_required=False)
    flags.add_model_arguments(parser, model_type=None)
    flags.add_machine_arguments(parser)
    flags.add_inference_arguments(parser)
    flags.add_dial_arguments(parser)
    return flags.parse_inference_arguments(parser, argv)


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from utils.command_line import arguments, data_arguments, dial_arguments
    from utils.predicting.export import describe_expectation, export_predictions
    from utils.predicting.mesh_writer import MeshWriter
    from utils.predicting.metrics import error_table
    from utils.runs.checkpoint import build_model, check_topology, find_checkpoint, load_checkpoint
    from utils.runs.processes import first_alone
    from utils.runs.run_folders import inference_folder
    from utils.runs.run_record import describe_run
    from utils.showing.comparison import frame_to_show, picture_prediction
    from utils.showing.film import Film
    from utils.showing.report import write_report

    device = arguments.choose_device(args.device)

    # model
    path = find_checkpoint(args.model_saved_path)
    stored = load_checkpoint(path)
    model = build_model(stored, path).to(device)
    settings = arguments.choose_settings(args, model.settings)

    # data
    with first_alone():
        sequences, faces = load_sequences(*data_arguments.given_files(args))
    check_topology(model, sequences[0], faces, path)
    windows = dial_arguments.windows_to_predict(args, sequences, model)
    dial_arguments.turn_dials(args, model)

    # predict
    folder = args.output_dir or inference_folder(args.model_type, stored, path, sequences)
    measured, units_in_mm = args.is_target_available, UNITS_IN_MM[settings.units]
    scene = Scene(settings.up_axis, units_in_mm / 1000, args.frame_rate)
    record = describe_run(args, sequences) | {"checkpoint": str(path), "training": stored["record"]}
    with MeshWriter(windows, folder, args.export, scene, record, args.overwrite) as writer:
        errors, expected = export_predictions(model, windows, writer.write, device, units_in_mm, measured)
    print(f"{len(windows)} meshes in {folder}; {describe_expectation(model, windows, expected)}")

    # compare
    if errors:
        print(error_table(errors))
    picture_prediction(model, windows, errors, units_in_mm, device, folder / "comparison.png")
    print(f"picture in {folder / 'comparison.png'}")

    # film and report
    film = Film(model, windows, units_in_mm, device, args.frame_rate)
    film.make(folder, writer.clips, frame_to_show(errors, windows), args.video, args.turntable)
    if args.report:
        write_report(folder / "report.html", film, errors, expected, writer.clips, record)


if __name__ == "__main__":
    run_main(main)
