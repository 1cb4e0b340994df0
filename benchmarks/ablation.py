"""What each part of the model brings: variant 1 with one thing changed at a time, on sequences never trained on.

    python benchmarks/ablation.py

Prints a table, row by row: the share of the skinned error that is left, by the linear part alone and by the whole model.
Without flags on the sample data in low resolution (python make_sample_data.py --resolution low).
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows, split_windows
from models.local_features import OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.multi_expert_decoder import MultiExpertDecoder
from models.multi_pose_encoder import MultiPoseEncoder
from models.rest_surface import RestSurface
from utils.fitting import cross_validation
from utils.fitting.losses import mean_trusted, reconstruction
from utils.fitting.optimizer import make_optimizer
from utils.fitting.progress import TrainingOptions
from utils.fitting.sampling import SHUFFLED_VERTICES
from utils.fitting.trainer import Trainer
from utils.predicting.prediction import mean_errors
from utils.runs.run_folders import TrainingRun, new_timestamp

CPU = torch.device("cpu")
MOTION, LOOPS = "models.local_features.motion", "models.loops.compiles"
LEAVE_OUT = "models.mesh_autoencoder.MeshAutoencoder.leave_out"
LEAVE_OUT_OF = MeshAutoencoder.leave_out
BEST_PENALTY = cross_validation.best_penalty
FULL_CANDIDATES = cross_validation.candidate_groups


def squared_distance(predicted, target, trust=None):
    """The loss most others take, in place of the mean distance."""
    return mean_trusted((predicted - target).square().sum(dim=-1), trust)


def without_oscillators(model):
    return [groups for groups in FULL_CANDIDATES(model) if not OSCILLATORS.keys() & set(groups)]


def by_torch(*tensors):
    """No compiled loops, which know of the features as they are alone."""
    return False


def always_isotropic(model, like, unlike, weights, groups, isotropic, start):
    """The choice of a penalty for the isotropic regressions, where both kinds are asked for."""
    return BEST_PENALTY(model, like, unlike, weights, groups, True, start)


def by_like_frames_alone(model, like, unlike, weights, groups, isotropic, start):
    """The choice of a penalty that no unlike frames have a say in."""
    return BEST_PENALTY(model, like, like, weights, groups, isotropic, start)


def leave_out_nothing(model, groups):
    """The network sees what the linear part had better not look at, too."""
    LEAVE_OUT_OF(model, [])


def displacements(window):
    """What a vertex did over the window as how far it was from where it is, in place of velocity and accelerations."""
    return window[:, -1:] - window[:, :-1]


def equal_weights(*sizes):
    """The decoder with a gate that weights all experts alike."""
    decoder = MultiExpertDecoder(*sizes)
    for parameter in decoder.gate.parameters():
        torch.nn.init.zeros_(parameter.requires_grad_(False))
    return decoder


def without_weight_decay(model, learning_rate):
    """The optimiser without its weight decay."""
    optimizer = make_optimizer(model, learning_rate)
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.0
    return optimizer


def equal_weights_of_vertices(moments):
    """Squared errors count alike at all vertices."""
    return torch.ones_like(moments[:, 0, 0])


def constant_learning_rate(step, total_steps, highest):
    """The highest rate from the first step to the last."""
    return highest


def wide(encoder, expert):
    """The network with layers of other sizes."""
    return {
        "models.mesh_autoencoder.MultiPoseEncoder": partial(MultiPoseEncoder, hidden_size=encoder),
        "models.mesh_autoencoder.MultiExpertDecoder": partial(MultiExpertDecoder, hidden_size=expert),
    }


# name: (settings, module attributes in place of others)
ROWS = {
    "as it is": ({}, {}),
    "no linear part, only the mean correction": ({}, {"utils.fitting.cross_validation.candidate_groups": lambda _: [()]}),
    "linear part without oscillators": (
        {}, {"utils.fitting.cross_validation.candidate_groups": without_oscillators, LEAVE_OUT: leave_out_nothing}
    ),
    "linear part, least penalty": ({}, {"utils.fitting.cross_validation.PENALTIES": (3e-4,)}),
    "linear part, penalty 0.3": ({}, {"utils.fitting.cross_validation.PENALTIES": (0.3,)}),
    "regressions never isotropic": ({}, {"utils.fitting.cross_validation.DRIVING_GROUPS": ()}),
    "regressions always isotropic": ({}, {"utils.fitting.cross_validation.best_penalty": always_isotropic}),
    "no smoothing over the surface": ({}, {"utils.fitting.cross_validation.SMOOTHING_STEPS": (0,)}),
    "chosen by plain sums of squares": ({}, {"utils.fitting.cross_validation.weights_of": equal_weights_of_vertices}),
    "chosen by like frames alone": ({}, {"utils.fitting.cross_validation.best_penalty": by_like_frames_alone}),
    "never damped": ({}, {"utils.fitting.cross_validation.choose_damping": lambda kept, fit: (fit.strength, 0.0)}),
    "network sees all inputs": ({}, {LEAVE_OUT: leave_out_nothing}),
    "window of 2": ({"num_condition_frames": 2}, {}),
    "window of 5": ({"num_condition_frames": 5}, {}),
    "displacements for velocity and accelerations": ({}, {MOTION: displacements, LOOPS: by_torch}),
    "64 anchors": ({}, {"models.rest_surface.NUM_ANCHORS": 64}),
    "4 nearest anchors": ({}, {"models.rest_surface.NUM_NEAREST_ANCHORS": 4}),
    "anchors' rotations not seen": ({}, {"models.rest_surface.NUM_TURNING_ANCHORS": 0}),
    "rotations of 8 anchors": ({}, {"models.rest_surface.NUM_TURNING_ANCHORS": 8}),
    "no embedding, no eigenfunctions": ({"num_embeddings": 0}, {}),
    "no eigenfunctions": ({}, {"models.rest_surface.NUM_EIGENFUNCTIONS": 0}),
    "embedding of 32": ({"num_embeddings": 32}, {}),
    "one expert": ({"num_experts": 1}, {}),
    "all experts weighted alike": ({}, {"models.mesh_autoencoder.MultiExpertDecoder": equal_weights}),
    "network three times as wide": ({}, wide(encoder=144, expert=72)),
    "network a third as wide": ({}, wide(encoder=16, expert=8)),
    "learning rate that does not decay": ({}, {"utils.fitting.trainer.scheduled_learning_rate": constant_learning_rate}),
    "no weight decay": ({}, {"utils.fitting.trainer.make_optimizer": without_weight_decay}),
    "squared distance": ({}, {"utils.fitting.losses.mean_distance": squared_distance}),
}  # fmt: skip


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, default=Path("geo/dyna_sbs/obj"), help="skinned meshes to train on")
    parser.add_argument("--tar", type=Path, default=Path("geo/dyna_target/obj"), help="their scans")
    parser.add_argument(
        "--test_src", type=Path, default=Path("geo_test/dyna_sbs/obj"), help="skinned meshes to test on"
    )
    parser.add_argument("--test_tar", type=Path, default=Path("geo_test/dyna_target/obj"), help="their scans")
    parser.add_argument("--num_epochs", type=int, default=1, help="of about 400 steps or more (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and shuffling (default: 0)")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help="some of them only")
    return parser.parse_args(argv)


def train(args, sequences, faces, settings):
    """Return variant 1, trained in a folder that is not kept."""
    torch.manual_seed(args.seed)
    settings = ModelSettings(**{"num_condition_frames": 3, **settings})
    training, held_out = split_windows(sequences, settings.num_condition_frames, 2)
    model = MeshAutoencoder(settings, RestSurface.from_mesh(sequences[0].skinned[0], faces))
    options = TrainingOptions(args.num_epochs, 0.01, 8192, 60, 2, args.num_epochs, args.seed)
    run = TrainingRun("ablation", new_timestamp("ablation"), {})
    Trainer(model, training, held_out, SHUFFLED_VERTICES, reconstruction, run, CPU, options).fit()
    return model


def main(argv=None):
    args = parse_arguments(argv)
    sequences, faces = load_sequences([args.src], [args.tar])
    tests, _ = load_sequences([args.test_src], [args.test_tar])
    print("| | linear part alone | whole model |", "|---|---|---|", sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in args.rows:
            settings, changes = ROWS[name]
            with ExitStack() as stack:
                for target, value in changes.items():
                    stack.enter_context(patch(target, value))
                model = train(args, sequences, faces, settings)
                windows = all_windows(tests, model.settings.num_condition_frames)
                shares = []
                for strength in (0.0, float(model.network_strength)):
                    model.network_strength.fill_(strength)
                    skinned, left = mean_errors(model, windows, CPU)
                    shares.append(100 * left / skinned)
            print(f"| {name} | {shares[0]:.1f} % | {shares[1]:.1f} % |", flush=True)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
