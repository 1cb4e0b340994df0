"""What users do with the extension, in a real Blender: run by its Python, one scenario a process.

python tests/blender/scenarios.py SCENARIO FOLDER ...
"""

import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from character import FRAMES, build, extension, names, part, points_of, refused, select

APART = 1e-5  # of the mesh's size: how far Blender may be from inference_mesh.py
ORDER = [1, 2, 3, 4, 20, 21, 22, 9, 8, 24, 1, 13]  # stepped, jumped to, and back


def written_and_trained(folder, python, toolkit):
    """Write sequences, train two epochs, and get a model."""
    bar, _, _ = build(folder)
    bpy.context.scene.frame_set(7)
    before, operators = names(), bpy.ops.skin2scan
    cancelled = part("sequences").writing(bar, bpy.context)
    next(cancelled), next(cancelled)
    cancelled.close()
    assert names() == before
    assert not list(folder.iterdir())
    assert operators.write_sequences() == {"FINISHED"}
    assert names() == before
    assert bpy.context.scene.frame_current == 7
    skinned = np.load(folder / "skinned.npz")
    assert skinned["frame_numbers"].tolist() == list(range(1, FRAMES + 1))
    assert np.load(folder / "joints.npz")["vertices"].shape == (FRAMES, 3, 3)
    for frame in (1, 14):
        bpy.context.scene.frame_set(frame)
        np.testing.assert_allclose(points_of(bar), skinned["vertices"][frame - 1], atol=1e-6)
        np.testing.assert_allclose(
            points_of(bar.skin2scan.scan), np.load(folder / "scan.npz")["vertices"][frame - 1], atol=1e-6
        )
    assert "found skinned.npz, joints.npz, scan.npz there already" in refused(operators.write_sequences)
    bar.skin2scan.overwrite = True
    assert operators.write_sequences() == {"FINISHED"}
    assert not bar.skin2scan.overwrite, "once"

    assert "Python: found '.', expected Skin2Scan's" in refused(operators.train)
    preferences = part("properties").preferences()
    preferences.python, preferences.toolkit = python, str(folder)
    assert "found no fit_mesh.py" in refused(operators.train)
    preferences.toolkit = toolkit
    assert operators.train() == {"FINISHED"}
    assert "a training is running already" in refused(operators.train)
    while part("operators").follow() is not None:
        time.sleep(0.1)
    training = part("operators").trainings["bar"]
    operators.open_log()
    print(bpy.data.texts[0].as_string())
    assert any("epoch 2/2" in line and "held out" in line for line in training.lines)
    assert Path(bar.skin2scan.model).parent == folder
    assert Path(bar.skin2scan.model).is_file()
    bpy.data.texts.remove(bpy.data.texts[0])
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "bar.blend"))


def stopped(folder, python, toolkit):
    """Stop a training; what it printed is there, and no process."""
    bar, _, _ = build(folder)
    bar.skin2scan.epochs = 1000
    preferences = part("properties").preferences()
    preferences.python, preferences.toolkit = python, toolkit
    assert "write the sequences first" in refused(bpy.ops.skin2scan.train)
    bpy.ops.skin2scan.write_sequences()
    bpy.ops.skin2scan.train()
    training = part("operators").trainings["bar"]
    while "epoch 1/1000" not in training.shown()[0]:
        assert training.poll(), training.lines
        time.sleep(0.05)
    bpy.ops.skin2scan.stop_training()
    while training.poll():
        time.sleep(0.05)
    assert training.process.returncode not in (0, None)
    assert training.model is None
    print(training.shown()[0])


class Film:
    """What inference_mesh.py says of the character's frames, and what Blender shows."""

    def __init__(self, folder, file):
        bpy.ops.wm.open_mainfile(filepath=str(folder / file))
        self.bar, self.scene = bpy.data.objects["bar"], bpy.context.scene
        self.predicted, self.skinned = (
            np.load(folder / f"{each}.npz")["vertices"] for each in ("predicted", "skinned")
        )
        self.size = np.ptp(self.skinned[0], axis=0).max()
        select(self.bar)

    def apart(self, frame, obj=None, expected=None):
        """Return how far Blender is from a prediction at a frame, of the mesh's size."""
        self.scene.frame_set(frame)
        expected = self.predicted if expected is None else expected
        return np.abs(points_of(obj or self.bar) - expected[frame - 1]).max() / self.size

    def check(self, frames=ORDER):
        for frame in frames:
            assert self.apart(frame) <= APART, frame
            # in the first two frames the bar hardly bends, and is hardly corrected
            assert frame <= 2 or self.apart(frame, expected=self.skinned) > 1e-3, frame


def played(folder):
    """Live, stepping and jumping; edits, dials, a region; duplicates, undo, and all of it away again."""
    film = Film(folder, "bar.blend")
    bar, scene, operators = film.bar, film.scene, bpy.ops.skin2scan
    before, modifiers = names(), [each.name for each in bar.modifiers]
    bpy.ops.ed.undo_push(message="before")
    assert operators.start_live() == {"FINISHED"}
    film.check()
    scene.render.fps = 12
    film.check([5, 6, 23])
    scene.frame_set(10, subframe=0.5)
    assert np.abs(points_of(bar) - film.predicted[9]).max() > 1e-3
    film.check([11, 10])
    edited(film)
    dialled(film)
    duplicated(film)
    operators.show_preview()
    shown = bpy.data.collections["Skin2Scan preview"].objects
    assert {each.name for each in shown} == {"bar predicted", "bar scan", "bar skinned"}
    operators.remove_preview()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "live.blend"))
    assert film.apart(scene.frame_current) <= APART
    operators.stop_live()
    assert names() == before
    assert [each.name for each in bar.modifiers] == modifiers
    assert film.apart(9, expected=film.skinned) == 0
    undone(film, before)


def edited(film):
    """After an edit of what the past was, no frame from before it is used."""
    bar, scene, rig = film.bar, film.scene, bpy.data.objects["rig"]
    shown = points_of(bar)
    limit = rig.pose.bones[1].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x, limit.owner_space = True, "LOCAL"
    scene.frame_set(10)
    limited = points_of(bar)
    part("live").characters["bar"].frames.clear()
    scene.frame_set(10)
    assert np.array_equal(points_of(bar), limited)
    assert np.abs(limited - shown).max() > 0.01
    rig.pose.bones[1].constraints.remove(limit)
    bar.modifiers["Armature"].use_deform_preserve_volume = True
    scene.frame_set(10)
    assert np.abs(points_of(bar) - shown).max() > 1e-3
    bar.modifiers["Armature"].use_deform_preserve_volume = False
    film.check([10, 11])

    # what is animated is no edit, in whatever it is animated
    smooth = bar.modifiers.new("Smooth", "SMOOTH")
    bar.modifiers.move(bar.modifiers.find("Smooth"), 0)
    for frame, factor in ((1, 0.0), (9, 0.0), (24, 1.0)):
        smooth.factor = factor
        smooth.keyframe_insert("factor", frame=frame)
    film.check([6, 7, 8])
    assert len(part("live").characters["bar"].frames) >= 8
    bar.modifiers.remove(smooth)
    bpy.data.actions.remove(bar.animation_data.action)
    bar.animation_data_clear()


def dialled(film):
    """Strength, at once and animated; dynamics; a region."""
    bar, settings = film.bar, film.bar.skin2scan
    settings.strength = 0
    assert np.array_equal(points_of(bar), film.skinned[film.scene.frame_current - 1])
    settings.keyframe_insert("strength", frame=1)
    settings.strength = 1
    settings.keyframe_insert("strength", frame=24)
    assert film.apart(1, expected=film.skinned) == 0
    whole = film.predicted[11] - film.skinned[11]
    film.scene.frame_set(12)
    half = points_of(bar) - film.skinned[11]
    assert 0.1 < (half * whole).sum() / (whole * whole).sum() < 0.9
    assert film.apart(24) <= APART
    bpy.data.actions.remove(bar.animation_data.action)
    bar.animation_data_clear()
    settings.strength, settings.dynamics = 1, 0
    assert film.apart(12) > 1e-4
    settings.dynamics, settings.region = 1, "middle"
    film.scene.frame_set(12)
    shares = part("baking").of_region(bar)[:, None]
    np.testing.assert_allclose(points_of(bar), film.skinned[11] + shares * whole, atol=1e-5)
    settings.region = ""
    film.check([12])


def undone(film, before):
    """Undo takes the live correction away, and redo brings it back."""
    bpy.ops.skin2scan.start_live()
    bpy.ops.ed.undo_push(message="live")
    film.scene.frame_set(12)
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    film.bar, film.scene = bpy.data.objects["bar"], bpy.context.scene
    film.check([12, 13])
    bpy.ops.ed.undo()
    film.bar, film.scene = bpy.data.objects["bar"], bpy.context.scene
    assert film.apart(9, expected=film.skinned) == 0
    assert names() == before


def duplicated(film):
    """A duplicate has corrections of its own; deleted, it leaves nothing."""
    before = names()
    bpy.ops.object.duplicate(linked=True)
    other = bpy.context.object
    other.skin2scan.strength = 0
    assert film.apart(14, other, film.skinned) == 0
    film.check([14, 15])
    bpy.ops.object.delete()
    film.check([16])
    assert names() == before
    select(film.bar)
    film.bar.name = "renamed"
    film.check([17])
    film.bar.name = "bar"
    film.check([18])
    assert names() == before


def opened(folder):
    """A file that was saved live, opened by another process."""
    film = Film(folder, "live.blend")
    assert film.apart(film.scene.frame_current) <= APART
    film.check()
    part("handlers").unregister()
    assert film.apart(5, expected=film.skinned) == 0, (
        "without the extension, no frame's corrections are shown at another"
    )
    part("handlers").register()
    film.check([6])


def not_installed(folder):
    """A file that was saved live, opened where there is no extension: the skinned mesh."""
    bpy.ops.wm.open_mainfile(filepath=str(folder / "live.blend"))
    skinned = np.load(folder / "skinned.npz")["vertices"]
    for frame in (3, 12):
        bpy.context.scene.frame_set(frame)
        assert np.array_equal(points_of(bpy.data.objects["bar"]), skinned[frame - 1])


def baked(folder):
    """To a point cache, to shape keys, and removed."""
    film = Film(folder, "live.blend")
    bar, operators = film.bar, bpy.ops.skin2scan
    bar.skin2scan.strength = 0.5
    half = film.skinned + 0.5 * (film.predicted - film.skinned)
    film.scene.frame_set(4)
    assert operators.bake_cache() == {"FINISHED"}
    assert film.scene.frame_current == 4
    assert [each.name for each in bar.modifiers] == ["Armature", "Skin2Scan cache"]
    for frame in (1, 4, 24):
        assert film.apart(frame, expected=half) <= APART
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "baked.blend"))
    operators.remove_baked()
    assert film.apart(4, expected=film.skinned) == 0
    operators.start_live()
    assert "found a file there already" in refused(operators.bake_cache)
    bar.skin2scan.key_frames = "3 x"
    assert "expected numbers such as 1 12 30-40" in refused(operators.bake_keys)
    bar.skin2scan.key_frames, bar.skin2scan.strength = "3 10-12", 1
    before = names()
    assert operators.bake_keys() == {"FINISHED"}
    film.check([3, 10, 11, 12])
    assert [each.name for each in bar.data.shape_keys.key_blocks][1:] == [
        f"Skin2Scan {each}" for each in (3, 10, 11, 12)
    ]
    values = []
    for frame in (3, 5, 10):
        film.scene.frame_set(frame)
        values.append([each.value for each in bar.data.shape_keys.key_blocks][1:3])
    np.testing.assert_allclose(values, [[1, 0], [5 / 7, 2 / 7], [0, 1]], atol=1e-6)
    operators.remove_baked()
    assert bar.data.shape_keys is None
    assert names()["actions"] == before["actions"]
    assert film.apart(4, expected=film.skinned) == 0


if __name__ == "__main__":
    name, folder, *rest = sys.argv[1:]
    if name != "not_installed":
        extension()
    globals()[name](Path(folder), *rest)
