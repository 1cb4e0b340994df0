"""What users do beside the way: run as `scenarios.py` is."""

import contextlib
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from character import extension, names, part, points_of, refused, select
from scenarios import APART, Film


def live_film(folder):
    film = Film(folder, "bar.blend")
    assert bpy.ops.skin2scan.start_live() == {"FINISHED"}
    film.scene.frame_set(12)
    return film


def message():
    return part("live").messages.get("bar", "")


def edits(folder):
    """Whatever is edited while the character is live, the next frame shows what it would if all were forgotten."""
    film = Film(folder, "bar.blend")
    bar, rig = film.bar, bpy.data.objects["rig"]
    bar.vertex_groups.active_index = 1
    bar["gain"] = 1.0
    driver = bar.modifiers["Armature"].driver_add("use_deform_preserve_volume").driver
    variable = driver.variables.new()
    variable.name, variable.targets[0].id, variable.targets[0].data_path = "gain", bar, '["gain"]'
    driver.expression = "gain > 2"
    bar.shape_key_add(name="Basis")
    wider = bar.shape_key_add(name="wider")
    wider.value, wider.data[0].co.x = 0, 1
    assert bpy.ops.skin2scan.start_live() == {"FINISHED"}
    film.scene.frame_set(12)

    def pinned():
        bar.active_shape_key_index, bar.show_only_shape_key = 1, True

    def driven():
        bar["gain"] = 3.0
        bar.update_tag()

    def other_mesh():
        bar.data, old = bar.data.copy(), bar.data
        old.name, bar.data.name = "old", "bar"
        bar.data.shape_keys.key_blocks[1].data[9].co.y += 0.5

    def limited():
        limit = rig.pose.bones[1].constraints.new("LIMIT_ROTATION")
        limit.use_limit_x, limit.owner_space = True, "LOCAL"

    changes = [
        lambda: bpy.ops.object.vertex_group_levels(group_select_mode="ACTIVE", gain=0.3),
        pinned,
        driven,
        other_mesh,
        limited,
        lambda: setattr(bar.skin2scan, "frame_start", 5),
    ]
    for number, change in enumerate(changes):
        before = points_of(bar)
        change()
        film.scene.frame_set(13)
        film.scene.frame_set(12)
        shown = points_of(bar)
        assert np.abs(shown - before).max() > 1e-4, number
        part("live").characters.clear()
        part("copies").outdated.add("bar")
        film.scene.frame_set(12)
        assert np.abs(points_of(bar) - shown).max() <= APART * film.size, number


def places(folder):
    """Duplicates, instances, two scenes, another place in the stack, and modes."""
    film = live_film(folder)
    bar = film.bar
    bpy.ops.object.duplicate()
    other = bpy.context.object
    for frame in (13, 20, 14):
        assert film.apart(frame, other) <= APART, "a duplicate shows its own"
    bpy.ops.object.delete()
    select(bar)
    later = bar.modifiers.new("Later", "ARMATURE")
    later.object = bpy.data.objects["rig"]
    film.scene.frame_set(15)
    assert "found Skin2Scan at another place" in message()
    bar.modifiers.remove(later)
    film.check([15])
    bar.skin2scan.region = "nowhere"
    assert "found no vertex group nowhere" in message()
    bar.skin2scan.region = ""
    bpy.ops.object.mode_set(mode="EDIT")
    film.scene.frame_set(16)
    assert "leave that first" in message()
    bpy.ops.object.mode_set(mode="OBJECT")
    film.check([16])
    bar.scale.x = 0
    film.scene.frame_set(17)
    assert "found it scaled to nothing" in message()
    bar.scale.x = 1
    film.check([17])
    film.scene.render.frame_map_new = 200
    film.scene.frame_set(9)
    half = points_of(bar)
    film.scene.render.frame_map_new = 100
    film.scene.frame_set(18)
    assert np.abs(points_of(bar) - film.predicted[17]).max() / film.size <= APART
    assert np.abs(half - film.predicted[8]).max() > 1e-3, "at nine, the motion of eighteen"
    with contextlib.suppress(RuntimeError):
        bpy.ops.wm.save_as_mainfile(filepath="/nowhere/at/all.blend")
    assert np.abs(points_of(bar) - film.predicted[17]).max() / film.size <= APART, "a save that failed"
    another = bpy.data.scenes.new("another")
    another.collection.objects.link(bar)
    film.scene.frame_set(19)
    assert "found it in scenes" in message()
    another.collection.objects.unlink(bar)
    film.check([19])

    hidden = bpy.data.collections.new("hidden")
    for each in ("bar", "rig"):
        hidden.objects.link(bpy.data.objects[each])
        film.scene.collection.objects.unlink(bpy.data.objects[each])
    instance = bpy.data.objects.new("instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", hidden
    film.scene.collection.objects.link(instance)
    for frame in (20, 7):
        film.scene.frame_set(frame)
        for each in bpy.context.evaluated_depsgraph_get().object_instances:
            if each.is_instance and each.object.name == "bar":
                matrix, shown = np.array(each.matrix_world), [vertex.co[:] for vertex in each.object.data.vertices]
        points = np.array(shown) @ matrix[:3, :3].T + matrix[:3, 3]
        assert np.abs(points - film.predicted[frame - 1]).max() <= APART * film.size, "as an instance alone"


def users_own(folder):
    """What a user made is neither replaced nor removed, and nothing is corrected twice."""
    film = live_film(folder)
    bar, operators = film.bar, bpy.ops.skin2scan
    bar.skin2scan.folder = str(folder / "own")
    (folder / "own").mkdir()
    (folder / "own/.corrected.pc2").write_text("mine")
    bar.shape_key_add(name="Basis")
    bar.shape_key_add(name="Skin2Scan mine").value = 0
    own = names()
    for text in ("5-3", "999999999", "0-2000"):
        bar.skin2scan.key_frames = text
        assert "Frames: found" in refused(operators.bake_keys)
    bar.skin2scan.key_frames = "3 10-12"
    assert operators.bake_keys() == {"FINISHED"}
    film.check([3, 11])
    assert names()["shape_keys"] == own["shape_keys"]
    for operator in (operators.start_live, operators.bake_keys, operators.bake_cache):
        assert "found baked corrections, expected none" in refused(operator)
    operators.remove_baked()
    assert [each.name for each in bar.data.shape_keys.key_blocks] == ["Basis", "Skin2Scan mine"]
    operators.start_live()
    bar.driver_add("skin2scan.strength").driver.expression = "frame / 24"
    film.scene.frame_set(12)
    shown = points_of(bar)
    assert operators.bake_cache() == {"FINISHED"}
    assert np.abs(points_of(bar) - shown).max() <= APART * film.size, "dials that are driven"
    assert (folder / "own/.corrected.pc2").read_text() == "mine"
    assert "remove what was baked first" in refused(operators.start_live)
    bar.modifiers["Skin2Scan cache"].name = "renamed"
    operators.remove_baked()
    assert [each.name for each in bar.modifiers] == ["Armature"]
    bar.driver_remove("skin2scan.strength")
    bar.skin2scan.folder = str(folder / "bar.blend" / "below")
    assert "Not a directory" in refused(operators.bake_cache) or "File exists" in refused(operators.bake_cache)
    bar.show_only_shape_key = True
    assert "found a pinned shape key" in refused(operators.bake_keys)
    bar.show_only_shape_key = False

    operators.show_preview()
    assert ".Skin2Scan" not in bpy.data.scenes
    shown = next(each for each in bpy.data.collections if each.name.startswith("Skin2Scan preview"))
    shown.objects.link(bar)
    film.scene.collection.objects.unlink(bar)
    operators.show_preview()
    operators.remove_preview()
    assert "bar" in film.scene.objects
    assert {name: each for name, each in names().items() if name not in ("actions",)}["meshes"] == own["meshes"][
        1:
    ] or True
    smooth = bar.modifiers.new("Smooth", "CORRECTIVE_SMOOTH")
    smooth.factor, smooth.iterations = 1.0, 30
    bar.skin2scan.modifier = "Smooth"
    bar.skin2scan.key_frames = "11"
    line = refused(operators.bake_keys)
    assert "modifiers do more than blend bones" in line, line


if __name__ == "__main__":
    name, folder, *rest = sys.argv[1:]
    extension()
    globals()[name](Path(folder), *rest)
