"""Write a trained model as one ONNX file, for programs that run without Python and torch.

    python export_onnx.py saved_model/without_joints skin2scan.onnx
    python export_onnx.py saved_model/without_joints live.onnx --streaming

The file maps windows of skinned meshes (and of joints, variant 2) to predicted scans, surface frames included, any number of
frames at a time; or, with --streaming, one frame after another, twice as fast: what came before is a state that goes in and
comes out. Strength and dynamics are inputs that may be left out. Before it is written, its answers in ONNX Runtime are held
against torch's. What it was trained on is in its metadata; examples/predict_with_onnx.py and examples/stream_with_onnx.py run
it. Needs: pip install -r requirements-pipeline.txt
"""

import json
from pathlib import Path

from data.input_error import InputError
from utils.command_line import flags
from utils.command_line.run_main import run_main


def parse_arguments(argv):
    parser = flags.make_parser(__doc__)
    text = "the checkpoint (.pt), or a folder: the newest in it"
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help=text)
    parser.add_argument("output", type=Path, metavar="FILE", help="where to write (.onnx)")
    text = "one frame at a time, with a state in place of a window and a history: for live use (default: windows)"
    parser.add_argument("--streaming", action="store_true", help=text)
    flags.add_region_argument(parser)
    args = parser.parse_args(argv)
    if args.output.suffix.lower() != ".onnx" or args.output.is_dir():
        raise InputError(f"{args.output}: found as FILE, expected the name of a file that ends in .onnx")
    return args


def main(argv=None):
    args = parse_arguments(argv)  # help, and flags that are wrong, do not wait for torch
    from models.dials import Dials
    from utils.predicting.onnx_export import how_to_run, write_onnx
    from utils.predicting.onnx_forms import StreamingForm, WindowsForm
    from utils.predicting.region_strength import region_strength
    from utils.runs.checkpoint import build_model, find_checkpoint, load_checkpoint

    # model
    path = find_checkpoint(args.checkpoint)
    stored = load_checkpoint(path)
    model = build_model(stored, path)
    model.dials = Dials(region=region_strength(args.region_strength, model.surface))

    # export
    form = StreamingForm if args.streaming else WindowsForm
    origin = {
        "model_type": stored["model_type"],
        "trained": stored["timestamp"],
        "training": json.dumps(stored["record"]),
    }
    apart = write_onnx(args.output, form(model), origin | how_to_run(model))
    print(f"{path} as {args.output}: within {apart:.0e} of the mesh's size of what torch answers")


if __name__ == "__main__":
    run_main(main)
