"""What each expert of the decoder has learned: where on the body it adds how much, and what would be left without that.

    python benchmarks/experts.py saved_model/without_joints -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj

Prints, for every expert, the gate's weight for it, the size of what it adds, and the error at the vertices where the network is
asked if that is left out; means over all frames, mm. Draws in --output where on the body each of them adds how much.
"""

import argparse
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.trained import parsed_and_loaded
from data.sequences.mesh_windows import all_windows
from models.model_settings import UNITS_IN_MM
from utils.predicting.model_inputs import asked_vertices, read_meshes
from utils.showing.comparison import draw_comparison

CPU = torch.device("cpu")


@contextmanager
def watched(decoder):
    """While in use, add the gate's weights (S, K), and each expert's outputs (S, 3), to two lists, whenever the
    decoder is asked."""
    weights, outputs = [], []
    hooks = [decoder.gate.register_forward_hook(lambda module, given, found: weights.append(found.softmax(dim=1)))]
    for layer in decoder.output:
        hooks.append(layer.register_forward_hook(lambda module, given, found: outputs.append(found)))
    yield weights, outputs
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def measure(model, windows):
    """Return, as means over all frames, the gate's weights (K,), how much each expert adds (K, Q), the error where the network
    is asked (Q,), and that without each expert's addition (K, Q); the last three in mm."""
    unit = UNITS_IN_MM[model.settings.units]
    sums = [0.0, 0.0, 0.0, 0.0]
    for frame in range(len(windows)):
        samples = asked_vertices(model, read_meshes(model, windows, np.array([frame]), CPU))
        with watched(model.decoder) as (weights, outputs):
            answer = model.network_strength * model(samples.features[0], samples.vertex[0])
        added = model.network_strength * model.target_scale * weights[0].T.unsqueeze(2) * torch.stack(outputs)
        left = samples.targets[0] - answer
        lengths = [torch.linalg.vector_norm(each, dim=-1) for each in (added, left, left + added)]
        sums = [total + each for total, each in zip(sums, [weights[0].mean(dim=0), *lengths], strict=True)]
    mean_weights, *sizes = (total / len(windows) for total in sums)
    return mean_weights.numpy(), *(unit * each.numpy() for each in sizes)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("experts.png"), help="(default: experts.png)")
    args, model, sequences, faces = parsed_and_loaded(parser, argv)
    if model.linear is None:
        raise SystemExit("expected a model in local coordinates")
    windows = all_windows(sequences, model.settings.num_condition_frames)
    weights, added, error, without = measure(model.eval(), windows)
    print(f"error where the network is asked: {error.mean():.3f} mm")
    print("| expert | weight (%) | adds (mm) | error without (mm) |\n|---|---|---|---|")
    surface, panels = model.surface, {}
    rest = surface.vertices.numpy()
    for expert, (weight, size, left) in enumerate(zip(weights, added, without, strict=True), 1):
        print(f"| {expert} | {100 * weight:.0f} | {size.mean():.3f} | {left.mean():.3f} |")
        everywhere = (size[surface.nearest_controls.numpy()] * surface.control_weights.numpy()).sum(axis=1)
        panels[f"expert {expert}\nweight {100 * weight:.0f} %\nadds {size.mean():.3f} mm"] = (rest, everywhere)
    title = f"what each expert adds, on average over {len(windows)} frames"
    draw_comparison(panels, faces, model.settings.up_axis, "added (mm)", title, args.output)
    print(f"picture in {args.output}")


if __name__ == "__main__":
    main()
