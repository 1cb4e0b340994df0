"""The command line: how much of a trained model's answer is wanted, and how a sequence begins."""

import argparse
from dataclasses import replace

from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows, all_windows
from models.dials import Dials
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.region_strength import region_strength


def turn_dials(args: argparse.Namespace, model: MeshAutoencoder) -> None:
    """Turn a model's dials as the flags say; raise `InputError` for a file of regions that is none."""
    region = region_strength(args.region_strength, model.surface)
    model.dials = Dials(args.strength, args.dynamics, region, args.steady)


def windows_to_predict(args: argparse.Namespace, sequences: list[MeshSequence], model: MeshAutoencoder) -> MeshWindows:
    """Return all frames but those to be skipped, with the run-up before them; raise `InputError` where a sequence has none."""
    short = [each for each in sequences if len(each.frame_numbers) <= args.skip]
    if short:
        found = f"{short[0].name}: a sequence of {len(short[0].frame_numbers)} frames (from {short[0].files[0].name})"
        raise InputError(f"{found}, expected more than the {args.skip} of --skip")
    windows = all_windows(sequences, model.settings.num_condition_frames)
    run_up = args.run_up
    if run_up.kind == "rest":
        run_up = replace(run_up, rest=model.surface.vertices.cpu().numpy())
    return replace(windows, entries=windows.entries[windows.entries[:, 1] >= args.skip], run_up=run_up)
