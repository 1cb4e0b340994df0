"""A trained model and whole sequences to try it on, as a benchmark's command line names them."""

from pathlib import Path

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
