"""Trained models: one that a benchmark's command line names, with whole sequences to try it on, and those it trains itself."""

from pathlib import Path

from benchmarks.runs import run_measured
from data.sequences.mesh_sequence import load_sequences
from utils.runs.checkpoint import build_model, check_topology, find_checkpoint, load_checkpoint


def parsed_and_loaded(parser, argv):
    """Add a checkpoint, a source and its scans to a parser; return what it parses, the model, the sequences and triangles."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-src", type=Path, default=Path("geo_test/dyna_sbs/obj"))
    parser.add_argument("-tar", type=Path, default=Path("geo_test/dyna_target/obj"))
    args = parser.parse_args(argv)
    path = find_checkpoint(args.checkpoint)
    model = build_model(load_checkpoint(path), path)
    sequences, faces = load_sequences([args.src], [args.tar])
    check_topology(model, sequences[0], faces, path)
    return args, model, sequences, faces


def trained(folder, model_type, script, *flags):
    """Return a model that a fit script trains in a folder, as a user would; one that is there is not trained again."""
    if not (folder / "saved_model" / model_type).exists():
        run_measured(folder, script, *flags, "-m_type", model_type)
    path = find_checkpoint(folder / "saved_model" / model_type)
    return build_model(load_checkpoint(path), path)
