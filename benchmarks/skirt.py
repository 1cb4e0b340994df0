"""Where joints pay: a skirt that is skinned to the hips alone, on dancing legs that its own mesh does not show.

    python benchmarks/skirt.py

Garments are often scanned and animated on their own, and a skirt without bones of its own hangs on the hips: its skinned mesh
is stiff, while the cloth lies on the thighs and swings. Simulates such a skirt (cloth of fixed lengths over the legs of the
sample body, as capsules), trains variants 1 and 2 on one dance with the project's own scripts, and prints what each leaves of
the skinned error on whole takes that neither has seen. Everything stays in --output_dir; what is there is not made again.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.beyond import CPU
from benchmarks.characters import FRAME_RATE
from benchmarks.takes import pose_take
from benchmarks.trained import trained
from data.formats.arrays import write_npz
from data.formats.polygons import Polygons
from data.sample_body import simulated_body
from data.sample_body.simulated_body import GRAVITY
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from utils.predicting.metrics import vertex_errors
from utils.predicting.prediction import map_predictions
from utils.showing.comparison import draw_comparison

SUBSTEPS, PASSES = 10, 8
AIR = 1.5  # per second: how fast the speed of cloth is lost to the air
ROWS, AROUND = 20, 56
WAIST, HEM = (1.0, 0.22, 0.15), (0.64, 0.32, 0.26)  # height, half widths aside and ahead, metres
MIDDLE = 0.02  # of the body, ahead of the spine
# bones from and to, radius there: what the cloth lies on
CAPSULES = [("upperleg01.L", "upperleg01.R", 0.09, 0.09)]
for side in "LR":
    CAPSULES += [(f"upperleg01.{side}", f"lowerleg01.{side}", 0.085, 0.06)]
    CAPSULES += [(f"lowerleg01.{side}", f"foot.{side}", 0.06, 0.04)]
# takes: motion, seed
TRAINED_ON = ("slow dance", 0)
TESTED_ON = [("slow dance", 1), ("slow dance", 2), ("quick dance", 0)]
VARIANTS = {"variant 1": "fit_mesh", "variant 2": "fit_mesh_with_joints"}


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_frames", type=int, default=240, help="of every take, 30 a second (default: 240)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant (default: 3)")
    parser.add_argument("--output_dir", type=Path, default=Path("skirt"), help="(default: skirt)")
    return parser.parse_args(argv)


class Skirt:
    """A cone of cloth, its waist on the hips: every edge keeps its length, and nothing gets into a capsule."""

    def __init__(self, body):
        self.body = body
        bone = {name: index for index, name in enumerate(body.bone_names)}
        self.hips = bone["root"]
        self.capsules = [(bone[start], bone[end], *radii) for start, end, *radii in CAPSULES]
        down = np.linspace(0, 1, ROWS)[:, None]
        height, aside, ahead = (start + (end - start) * down for start, end in zip(WAIST, HEM, strict=True))
        angle = 2 * np.pi * np.arange(AROUND) / AROUND
        places = [aside * np.cos(angle), height + 0 * angle, MIDDLE + ahead * np.sin(angle)]
        self.vertices = np.stack(places, axis=-1).reshape(-1, 3)
        grid = np.arange(ROWS * AROUND).reshape(ROWS, AROUND)
        upper, lower = grid[:-1], grid[1:]
        corners = [upper, np.roll(upper, -1, 1), np.roll(lower, -1, 1), lower]
        one, two, three, four = (each.ravel() for each in corners)
        self.triangles = np.concatenate([np.stack([one, two, three], 1), np.stack([one, three, four], 1)])
        self.edges = [np.stack(each, axis=-1) for each in self.independent_edges(grid)]
        self.lengths = [np.linalg.norm(np.diff(self.vertices[each], axis=1), axis=2) for each in self.edges]

    def independent_edges(self, grid):
        """Yield both ends of edges in groups no two of which share a vertex: down, around, across, and over two, which bend."""
        around = np.roll(grid, -1, 1)
        for first in range(2):
            yield grid[first:-1:2].ravel(), grid[first + 1 :: 2].ravel()
            yield grid[:, first::2].ravel(), around[:, first::2].ravel()
            yield grid[first:-1:2].ravel(), around[first + 1 :: 2].ravel()
            yield around[first:-1:2].ravel(), grid[first + 1 :: 2].ravel()
        for first in range(4):
            yield grid[first:-2:4].ravel(), grid[first + 2 :: 4].ravel()

    def skinned(self, transform):
        """Return the skinned mesh (V, 3): stiff on the hips, whose bone transform is given (3, 4)."""
        return self.vertices @ transform[:, :3].T + transform[:, 3]

    def pushed_out(self, points, joints):
        """Return points (V, 3) outside of the capsules between joints (J, 3)."""
        for start, end, wide, narrow in self.capsules:
            axis = joints[end] - joints[start]
            along = np.clip((points - joints[start]) @ axis / (axis @ axis), 0, 1)[:, None]
            away = points - joints[start] - along * axis
            distance = np.linalg.norm(away, axis=1, keepdims=True)
            points = points + away / np.maximum(distance, 1e-6) * np.maximum(
                wide + along * (narrow - wide) - distance, 0
            )
        return points

    def step(self, points, speed, transform, joints, time_step):
        """Return points and their speed (V, 3), metres and seconds, a moment later."""
        moved = points + time_step * (speed + time_step * GRAVITY)
        waist = self.skinned(transform)[:AROUND]
        for _ in range(PASSES):
            moved[:AROUND] = waist
            for edges, lengths in zip(self.edges, self.lengths, strict=True):
                apart = moved[edges[:, 1]] - moved[edges[:, 0]]
                found = np.linalg.norm(apart, axis=1, keepdims=True)
                share = 0.5 * apart * (1 - lengths / found)
                moved[edges[:, 0]] += share
                moved[edges[:, 1]] -= share
            moved = self.pushed_out(moved, joints)
        moved[:AROUND] = waist
        return moved, (moved - points) / time_step * np.exp(-AIR * time_step)

    def frames(self, take, seed, frames):
        """Yield skinned mesh (V, 3), joints (J, 3) and scan (V, 3) of every frame of a take, metres; before the first, the body
        has gone to its pose from the one at rest, in a second, and the skirt has hung for another."""
        rate = FRAME_RATE * SUBSTEPS
        rotations, hops, way = pose_take(take, self.body, frames * SUBSTEPS, rate, seed)
        into = np.concatenate([np.linspace(0, 1, rate), np.ones(rate)])
        rotations = np.concatenate([into[:, None, None] * rotations[0], rotations])
        hops, way = np.pad(hops, (len(into), 0), "edge"), np.pad(way, ((len(into), 0), (0, 0)), "edge")
        turns, positions = simulated_body.pose_skeleton(self.body, rotations, hops, rate)
        positions[:, :, [0, 2]] += way[:, None]
        transforms = simulated_body.skinning_transforms(self.body, turns, positions)[:, self.hips]
        points = self.skinned(transforms[0])
        speed = np.zeros_like(points)
        for step, (transform, joints) in enumerate(zip(transforms, positions, strict=True), -len(into)):
            points, speed = self.step(points, speed, transform, joints, 1 / rate)
            if step >= 0 and step % SUBSTEPS == 0:
                yield self.skinned(transform), joints, points


def files_of(args, take, seed):
    """Return where skinned meshes (sbs), joints and scans (target) of a take are."""
    return {
        kind: args.output_dir / f"{take.replace(' ', '_')}_{seed}_{kind}.npz" for kind in ("sbs", "joints", "target")
    }


def write_take(args, skirt, take, seed):
    """Write a take where it is not there yet."""
    paths = files_of(args, take, seed)
    if paths["target"].exists():
        return
    skinned, joints, scan = map(np.stack, zip(*skirt.frames(take, seed, args.num_frames), strict=True))
    for kind, vertices in (("sbs", skinned), ("joints", joints), ("target", scan)):
        polygons = Polygons.from_rows(skirt.triangles if kind != "joints" else np.zeros((0, 3), int))
        write_npz(paths[kind], list(range(1, args.num_frames + 1)), vertices.astype(np.float32), polygons)


def train(args, script, seed):
    """Return what a fit script trains on one take as a user would, its checkpoint kept."""
    paths = {kind: path.resolve() for kind, path in files_of(args, *TRAINED_ON).items()}
    flags = ["-src", paths["sbs"], "-tar", paths["target"], "-n_cond", 3, "-min_batch", 8192, "--seed", seed]
    flags += ["-src_joint", paths["joints"]] if "joints" in script else []
    return trained(args.output_dir.resolve(), f"{script}_{seed}", f"{script}.py", *flags)


def predictions(model, paths):
    """Return predictions, scans and skinned meshes (T, V, 3) of a take."""
    kinds = ("sbs", "target", "joints") if model.settings.num_joints else ("sbs", "target")
    windows = all_windows(load_sequences(*([paths[kind]] for kind in kinds))[0], 3)
    frames = np.arange(len(windows))
    predicted = np.stack(list(map_predictions(lambda frame: frame.predicted, model, windows, frames, CPU)))
    return predicted, windows.scan(frames), windows.skinned(frames)[:, -1]


def draw(found, triangles, path):
    """Draw the frame that skinning gets most wrong: the scan, the skinned mesh, and each variant's prediction of it."""
    _, scan, skinned = next(iter(found.values()))
    frame = int(vertex_errors(skinned, scan).mean(axis=1).argmax())
    panels = {"target": (scan[frame], None)}
    for name, meshes in {"skinned": skinned, **{name: predicted for name, (predicted, *_) in found.items()}}.items():
        errors = 1000 * vertex_errors(meshes[frame], scan[frame])
        panels[f"{name}\nmean {errors.mean():.0f} mm"] = (meshes[frame], errors)
    title = f"frame {frame + 1} of a dance that neither was trained on"
    draw_comparison(panels, triangles, "y", "distance to the scan (mm)", title, path)


def main(argv=None):
    args = parse_arguments(argv)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    skirt = Skirt(simulated_body.load_body("low"))
    for take in (TRAINED_ON, *TESTED_ON):
        write_take(args, skirt, *take)
    models = {name: [train(args, script, seed) for seed in range(args.seeds)] for name, script in VARIANTS.items()}
    print("| tested on | skinned (mm) | " + " | ".join(f"{name} leaves (%)" for name in VARIANTS) + " |")
    print("|---|---|" + "---|" * len(VARIANTS))
    for number, (take, seed) in enumerate(TESTED_ON):
        files, cells, pictured = files_of(args, take, seed), [], {}
        for variant, runs in models.items():
            found = [predictions(model, files) for model in runs]
            pictured[variant], (_, scan, skinned) = found[0], found[0]
            before = vertex_errors(skinned, scan).mean()
            left = [100 * vertex_errors(predicted, scan).mean() / before for predicted, *_ in found]
            cells.append(f"{np.mean(left):.1f} ± {np.std(left):.2g}")
        print(f"| {take}, seed {seed} | {1000 * before:.1f} | " + " | ".join(cells) + " |", flush=True)
        if number == 0:
            draw(pictured, skirt.triangles, args.output_dir / "skirt.png")


if __name__ == "__main__":
    main()
