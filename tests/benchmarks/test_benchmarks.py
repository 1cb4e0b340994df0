"""The benchmarks' own parts, and their real command lines at tiny size."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from terminal import COARSE, run_script, script_with, start_script
from tube import filled, save_untrained, tube_joints, tube_surface_with_joints, untrained_model, write_tube

from benchmarks import contacts, experts, run_up, runs, skirt
from benchmarks.ball import sphere
from benchmarks.baselines import GlobalNetwork, MeanCorrection, RidgeRegression, pose_features
from benchmarks.characters import CHARACTERS
from benchmarks.takes import TAKES, pose_take
from data.sample_body.simulated_body import load_body
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows


def test_pose_features_turn_and_move_with_the_body():
    joints = tube_joints(8) + np.random.default_rng(0).normal(0, 0.05, (8, 5, 3))  # the tube's own lie on a line
    windows = np.stack([joints[i : i + 3] for i in range(6)])
    turn = Rotation.from_rotvec([0.3, 1.0, -0.5]).as_matrix()
    features = pose_features(joints[0], windows)
    assert features.shape == (6, 3 * 3 * 5)
    np.testing.assert_allclose(pose_features(joints[0], windows @ turn.T + [1, 2, 3]), features, atol=1e-9)
    assert pose_features(joints[0], windows[:, -1:]).shape == (6, 3 * 5)


@pytest.mark.parametrize(
    "kind", [MeanCorrection, RidgeRegression, pytest.param(GlobalNetwork, marks=pytest.mark.starts_scripts)]
)  # the network takes as long as a script
def test_baselines_learn_what_follows_from_the_pose(kind):
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 6))
    corrections = 1 + (features @ random.normal(size=(6, 36))).reshape(60, 12, 3)
    baseline = kind() if kind is MeanCorrection else kind(2)
    baseline.fit(features[:50], corrections[:50])
    predicted = baseline.predict(features[50:])
    left = np.square(predicted - corrections[50:]).mean() / corrections[50:].var()
    limits = {MeanCorrection: 1.2, RidgeRegression: 1e-3, GlobalNetwork: 0.5}
    assert predicted.shape == (10, 12, 3)
    assert left < limits[kind]


ROWS = ["PCA + ridge on joints", "variant 2"]
# epochs of few steps, few folds to choose the linear part by, pictures of one ray a pixel
SHORT = f"from utils.fitting import linear_fit; sampling.STEPS_PER_EPOCH, linear_fit.FOLDS = 20, 3; {COARSE}"


def start_short(script, arguments, folder, output):
    """Start a script as `benchmarks.runs` does, but quickly."""
    return start_script(folder, script_with(Path(folder), script, SHORT), *arguments, output=output)


def run_benchmark(folder, name, *arguments):
    """Run a benchmark, and all scripts that it starts, quickly."""
    tests = f"sys.path.insert(0, {str(Path(__file__).parent)!r})"
    lines = [tests, "import test_benchmarks", "from benchmarks import runs", "runs.start = test_benchmarks.start_short"]
    return run_script(folder, script_with(folder, f"benchmarks/{name}.py", SHORT, *lines), *arguments)


@pytest.fixture
def tubes(tmp_path):
    """Folders of a tube and another, with joints, to train and to test on, as flags."""
    source, target, joints = write_tube(tmp_path, num_frames=14, with_joints=True)
    test_source, test_target, test_joints = write_tube(tmp_path, "geo_test/tube", 6, seed=1, with_joints=True)
    meshes = ["--src", source, "--tar", target, "--test_src", test_source, "--test_tar", test_target]
    return meshes, ["--joint", joints, "--test_joint", test_joints]


@pytest.mark.starts_scripts
def test_accuracy(tmp_path, tubes):
    done = run_benchmark(tmp_path, "accuracy", *tubes[0], *tubes[1], "--rows", *ROWS, "--seeds", 1)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "accuracy" / "accuracy.csv", encoding="utf-8") as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["skinned mesh as it is", *ROWS]
    assert float(rows["skinned mesh as it is"]["skinned error left (%)"]) == 100
    assert float(rows["variant 2"]["mean (mm)"]) < float(rows["skinned mesh as it is"]["mean (mm)"])
    for picture in ("accuracy.png", "errors.png"):
        assert (tmp_path / "accuracy" / picture).stat().st_size > 10_000
    assert "| variant 2 |" in done.stdout


@pytest.mark.starts_scripts
def test_ablation(tmp_path, tubes):
    rows = ["no eigenfunctions", "network sees all inputs", "squared distance"]
    done = run_benchmark(tmp_path, "ablation", *tubes[0], "--rows", *rows)
    assert done.returncode == 0, done.stderr
    table = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [cells[1].strip() for cells in table[2:]] == rows
    assert all(float(cell.strip(" %")) < 100 for cells in table[2:] for cell in cells[2:4])


@pytest.mark.starts_scripts
def test_speed(tmp_path):
    write_tube(tmp_path, "geo/dyna", num_frames=48)
    size = ["--num_vertices", 300, "--num_frames", 12, "--mini_batch_size", 300, "--repeats", 1]
    done = run_benchmark(tmp_path, "speed", *size, "--first_design_epochs", 1)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("  libigl") or "MB at most" in line]
    assert len(rows) == 6
    assert "window of 3, 75 vertices" in done.stdout
    assert "held-out error of variant 1" in done.stdout
    assert (tmp_path / "speed/time_to_accuracy.png").stat().st_size > 10_000


@pytest.mark.starts_scripts
def test_formats(tmp_path):
    done = run_benchmark(tmp_path, "formats", "--num_vertices", 300, "--num_frames", 3, "--repeats", 1)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| `.")]
    assert len(rows) == 11
    assert all(row.endswith("| yes |") for row in rows)
    assert "ONNX Runtime" in done.stdout


@pytest.mark.starts_scripts
def test_viewer(tmp_path):
    done = run_benchmark(tmp_path, "viewer", "--num_vertices", 300, "--num_frames", 20, "--seconds", 0.5)
    assert done.returncode == 0, done.stderr
    played = re.findall(r"colour (\w+): drawn in [\d.]+ ms, [\d.]+ MB; (\d+) of 30 frames a second arrive", done.stdout)
    assert [coloring for coloring, _ in played] == ["none", "error", "correction"]
    assert all(int(arrived) > 0 for _, arrived in played)
    assert "opened, from the cache: " in done.stdout


def test_a_ball_is_a_closed_surface_that_faces_outwards():
    points, faces = sphere(200)
    mesh = trimesh.Trimesh(points, faces, process=False)
    assert len(points) == 200
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi, rel=0.05)


def test_the_characters_takes_are_what_they_say():
    """Every take is its own motion; scans stay near the skinned mesh, and the stiff body's skeleton is off from the start."""
    for name, kind in CHARACTERS.items():
        character = kind(0)
        skinned, joints, scan = map(np.stack, zip(*character.frames("turning jumps", 12), strict=True))
        assert skinned.shape == scan.shape == (12, character.triangles.max() + 1, 3)
        assert np.isfinite(scan).all()
        error = np.linalg.norm(scan - skinned, axis=2)
        assert 0.0005 < error.mean() < 0.05
        assert (np.median(error[0]) > 0.002) == (name == "stiff body")
        assert np.ptp(joints, axis=0).max() > 0.02
    poses = [pose_take(take, character.body, 60, 30, 0)[0] for take in TAKES]
    for i, one in enumerate(poses):
        for other in poses[i + 1 :]:
            assert np.abs(one - other).mean() > 0.01


@pytest.mark.starts_scripts
def test_beyond(tmp_path):
    result = run_benchmark(
        tmp_path, "beyond", "--characters", "sample body", "--takes", "slow dance", "run", "--num_frames", 12
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split(" | ") for line in result.stdout.splitlines() if line.startswith("| sample body")]
    assert [row[1:3] for row in rows] == [["slow dance", "run"], ["run", "slow dance"]]
    assert 0 < float(rows[0][4]) < 400
    again = run_benchmark(tmp_path, "beyond", "--characters", "sample body", "--takes", "slow dance", "run")
    assert again.stdout == result.stdout  # takes and models are kept


def test_contacts_are_pairs_that_pass_through_each_other(tmp_path, monkeypatch, capsys):
    """A triangle through another one, and one that shares a corner; then the benchmark itself, on a tube."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, -1], [0.2, 0.3, 1], [0.3, 0.2, 1], [5, 0, 1.0]])
    faces = np.array([[0, 1, 2], [3, 4, 5], [1, 2, 6]])
    assert contacts.intersecting_pairs(vertices, faces) == {(0, 1)}
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=6)
    save_untrained(tmp_path / "1.pt", untrained_model(tube_surface_with_joints(0)))
    counts = contacts.main(["1.pt", "-src", str(source), "-tar", str(target)])
    assert counts["skinned"] == counts["predicted"]
    assert "of the prediction alone" in capsys.readouterr().out


def test_takes_that_begin_in_the_middle_of_motion(tmp_path, monkeypatch, capsys):
    """A model that looks at nothing but motion answers otherwise by each guess, and as in the whole take where it is known."""
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=40)
    model = filled(untrained_model(tube_surface_with_joints(0), random_output=True, num_condition_frames=3))
    save_untrained(tmp_path / "1.pt", model)
    errors = run_up.main(["1.pt", "-src", str(source), "-tar", str(target)])
    assert "2 takes of 16 frames" in capsys.readouterr().out
    assert {*errors} == {"skinned mesh", "first", "still", "rest 10", "rest 30", "known"}
    assert len({round(float(each[0]), 6) for each in errors.values()}) == 6


@pytest.mark.parametrize("num_experts", [1, 3])
def test_what_experts_add_is_what_the_network_answers(tmp_path, monkeypatch, capsys, num_experts):
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=6)
    model = untrained_model(tube_surface_with_joints(0), random_output=True, num_experts=num_experts)
    windows = all_windows(load_sequences([source], [target])[0], 1)
    weights, added, error, without = experts.measure(model, windows)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-5)
    assert added.shape == without.shape == (num_experts, 72)
    model.network_strength.zero_()
    nothing_added, of_skinned = experts.measure(model, windows)[1:3]
    assert not nothing_added.any()
    sequence = windows.sequences[0]
    apart = np.stack([sequence.scan_of(frame) for frame in range(6)]) - sequence.skinned
    np.testing.assert_allclose(of_skinned, 1000 * np.linalg.norm(apart, axis=2).mean(axis=0), rtol=1e-3)
    assert (error != of_skinned).all()
    if num_experts == 1:  # without the only expert, nothing is added
        np.testing.assert_allclose(without[0], of_skinned, rtol=1e-4)
    save_untrained(tmp_path / "1.pt", model)
    experts.main(["1.pt", "-src", str(source), "-tar", str(target)])
    assert f"| {num_experts} | " in capsys.readouterr().out
    assert (tmp_path / "experts.png").stat().st_size > 10_000


def test_a_skirt_hangs_keeps_its_lengths_and_lies_on_what_is_in_it():
    body = load_body("low")
    cloth = skirt.Skirt(body)
    for edges in cloth.edges:
        assert len(np.unique(edges)) == edges.size  # independent: each vertex once
    at_rest, speed = np.eye(3, 4), np.zeros_like(cloth.vertices)
    points = cloth.skinned(at_rest)
    np.testing.assert_array_equal(points, cloth.vertices)
    for _ in range(200):
        points, speed = cloth.step(points, speed, at_rest, body.bone_heads, 1 / 300)
    around, down = cloth.edges[1], cloth.edges[0]
    stretched = [np.linalg.norm(np.diff(points[each], axis=1), axis=2).max() for each in (around, down)]
    as_made = [np.linalg.norm(np.diff(cloth.vertices[each], axis=1), axis=2).max() for each in (around, down)]
    assert np.divide(stretched, as_made).max() < 1.1
    np.testing.assert_array_equal(points[: skirt.AROUND], cloth.vertices[: skirt.AROUND])
    hem = slice(-skirt.AROUND, None)
    assert points[hem, 1].mean() < cloth.vertices[hem, 1].mean() - 0.01  # it has fallen, and narrowed
    thigh, knee, wide, narrow = cloth.capsules[1]
    middle = 0.5 * (body.bone_heads[thigh] + body.bone_heads[knee])
    pushed = cloth.pushed_out(middle + [[0.001, 0, 0]], body.bone_heads)[0]
    along = body.bone_heads[knee] - body.bone_heads[thigh]
    axis, away = along / np.linalg.norm(along), pushed - middle
    assert np.linalg.norm(away - away @ axis * axis) == pytest.approx((wide + narrow) / 2, rel=0.01)


@pytest.mark.starts_scripts
def test_skirt(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(skirt, "SUBSTEPS", 1)
    monkeypatch.setattr(skirt, "TESTED_ON", skirt.TESTED_ON[:1])
    monkeypatch.setattr(skirt, "VARIANTS", {"variant 2": skirt.VARIANTS["variant 2"]})
    monkeypatch.setattr(runs, "start", start_short)
    skirt.main(["--num_frames", "16", "--seeds", "1", "--output_dir", str(tmp_path)])
    (row,) = (line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| slow dance"))
    assert float(row[1]) > 10
    assert 0 < float(row[2].split(" ± ")[0]) < 200
    assert (tmp_path / "skirt.png").stat().st_size > 10_000
