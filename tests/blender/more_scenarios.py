"""What goes wrong, where else a character may stand, a final render, and the package: run as `scenarios.py` is."""

import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from character import NAME, build, extension, names, part, points_of, refused, select
from scenarios import APART, Film


def refusing(folder):
    """What cannot be done is a line, and changes nothing."""
    film, operators = Film(folder, "bar.blend"), bpy.ops.skin2scan
    bar, settings, model = film.bar, film.bar.skin2scan, film.bar.skin2scan.model
    ball = bpy.data.objects.new("ball", bpy.data.meshes.new("ball"))
    film.scene.collection.objects.link(ball)
    select(ball)
    assert "ball: found no model" in refused(operators.start_live)
    ball.skin2scan.model = model
    assert "ball: found no armature, expected an object with an Armature modifier" in refused(operators.start_live)
    assert "found no armature" in refused(operators.write_sequences)
    select(bpy.data.objects["rig"])
    assert "found no mesh selected" in refused(operators.start_live)
    select(bar)
    for path, line in (
        ("nowhere.onnx", "nowhere.onnx: no such file, expected a model of export_onnx.py --streaming"),
        ("bar.blend", "bar.blend: found no whole ONNX file"),
        ("windows.onnx", "windows.onnx: found an ONNX file that takes no frame and state"),
    ):
        settings.model = str(folder / path)
        assert line in refused(operators.start_live), path
    settings.model, settings.modifier = model, "Smooth"
    assert "bar: found Smooth as Up to" in refused(operators.start_live)
    settings.modifier = ""

    refusing_while_live(film)
    for name, change, line in (
        ("turned over", lambda mesh: mesh.flip_normals(), "found other faces, or vertices in another order"),
        ("one more", lambda mesh: mesh.vertices.add(1), "found 105 vertices, expected 104"),
    ):
        own, bar.data = bar.data, bar.data.copy()
        change(bar.data)
        assert line in refused(operators.start_live), name
        changed, bar.data = bar.data, own
        bpy.data.meshes.remove(changed)
    refusing_to_write(film)


def refusing_while_live(film):
    """Modifiers that change the vertices, a model that is away, a mesh that is edited."""
    bar, operators, settings = film.bar, bpy.ops.skin2scan, film.bar.skin2scan
    model = settings.model
    finer = bar.modifiers.new("Finer", "SUBSURF")
    bar.modifiers.move(1, 0)
    assert "modifier Finer changes it: move it after" in refused(operators.start_live)
    settings.overwrite = True
    assert "modifier Finer changes it" in refused(operators.write_sequences)
    bar.modifiers.move(0, 1)
    assert operators.start_live() == {"FINISHED"}
    assert [each.type for each in bar.modifiers] == ["ARMATURE", "NODES", "SUBSURF"]
    film.scene.frame_set(9)
    assert not part("live").messages
    bar.modifiers.remove(finer)
    film.check([9, 12])

    kept = Path(model).rename(Path(model).with_name("away.onnx"))
    part("live").characters.clear()
    assert film.apart(13, expected=film.skinned) == 0
    assert "no such file" in part("live").messages["bar"]
    kept.rename(model)
    film.check([14])
    assert not part("live").messages
    own = bar.data
    bar.data = own.copy()
    bar.data.vertices.add(1)
    film.scene.frame_set(15)
    assert "found 105 vertices, expected 104" in part("live").messages["bar"]
    assert np.array_equal(points_of(bar)[:104], film.skinned[14])
    changed, bar.data = bar.data, own
    bpy.data.meshes.remove(changed)
    film.check([15, 16])
    bar.data.flip_normals()
    film.scene.frame_set(17)
    assert "found other faces" in part("live").messages["bar"]
    bar.data.flip_normals()
    film.check([17])
    operators.stop_live()


def refusing_to_write(film):
    settings, write = film.bar.skin2scan, bpy.ops.skin2scan.write_sequences
    settings.overwrite = True
    scan = settings.scan
    settings.scan = bpy.data.objects["ball"]
    assert "ball: found 0 vertices at frame 1, expected 104 as in bar" in refused(write)
    settings.scan = scan
    scan.hide_set(True)
    assert "scan: found it hidden" in refused(write)
    scan.hide_set(False)
    settings.scan = None
    assert "bar: found no scan" in refused(write)
    settings.scan_file = "//nowhere.abc"
    assert "nowhere.abc: no such file" in refused(write)
    settings.scan_file, settings.scan = "", scan
    film.scene.unit_settings.scale_length = 0.0254
    assert "found a unit scale of 0.0254, expected 1, 0.01 or 0.001" in refused(write)
    film.scene.unit_settings.scale_length = 1
    settings.frame_end = 0
    assert "found a last frame of 0" in refused(write)
    bpy.ops.wm.read_homefile(use_empty=True)
    build("//here")
    assert "found a folder beside this file, which has no name yet" in refused(write)


def elsewhere(folder):
    """The same character in centimetres, a hundred times as large, half a metre aside, and turned about the vertical."""
    film = Film(folder, "bar.blend")
    stage = bpy.data.objects.new("stage", None)
    film.scene.collection.objects.link(stage)
    stage.scale, stage.location, stage.rotation_euler.z = (100, 100, 100), (50, 0, 0), 1.0
    bpy.data.objects["rig"].parent = stage
    film.scene.unit_settings.scale_length = 0.01
    assert bpy.ops.skin2scan.start_live() == {"FINISHED"}
    turn = np.array([[np.cos(1), -np.sin(1), 0], [np.sin(1), np.cos(1), 0], [0, 0, 1]])
    for frame in (2, 9, 24, 23):
        film.scene.frame_set(frame)
        expected = 100 * film.predicted[frame - 1] @ turn.T + [50, 0, 0]
        assert np.abs(points_of(film.bar) - expected).max() <= 100 * APART * film.size


def seeing_joints(folder):
    """A model that sees joints, too."""
    film = Film(folder, "bar.blend")
    film.bar.skin2scan.model = str(folder / "joints.onnx")
    film.predicted = np.load(folder / "predicted_by_joints.npz")["vertices"]
    assert bpy.ops.skin2scan.start_live() == {"FINISHED"}
    film.check()
    bones = bpy.data.objects["rig"].data
    select(bpy.data.objects["rig"])
    bpy.ops.object.mode_set(mode="EDIT")
    bones.edit_bones.remove(bones.edit_bones["top"])
    bpy.ops.object.mode_set(mode="OBJECT")
    part("live").characters.clear()
    film.scene.frame_set(5)
    assert "bar: found 2 bones, expected 3 as joints.onnx was trained on" in part("live").messages["bar"]


def linked(folder):
    """A character of another file: refused as it is, live with a library override, and gone again."""
    film = Film(folder, "bar.blend")
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(folder / "bar.blend"), link=True) as (_, wanted):
        wanted.objects = ["bar", "rig"]
    scene = film.scene = bpy.context.scene
    bar, rig = (bpy.data.objects[each] for each in ("bar", "rig"))
    scene.collection.objects.link(bar)
    scene.collection.objects.link(rig)
    select(bar)
    assert "bar: found an object of a library" in refused(bpy.ops.skin2scan.start_live)
    for each in (rig, bar):
        scene.collection.objects.unlink(each)
        scene.collection.objects.link(each.override_create(remap_local_usages=True))
    film.bar = next(each for each in bpy.data.objects if each.name == "bar" and not each.library)
    rig = next(each for each in bpy.data.objects if each.name == "rig" and not each.library)
    film.bar.parent = film.bar.modifiers["Armature"].object = rig
    select(film.bar)
    before = names()
    assert bpy.ops.skin2scan.start_live() == {"FINISHED"}
    film.check([1, 2, 12, 24])
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "linked.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "linked.blend"))
    film.scene = bpy.context.scene
    film.bar = next(each for each in bpy.data.objects if each.name == "bar" and not each.library)
    select(film.bar)
    film.check([3, 20])
    bpy.ops.skin2scan.stop_live()
    assert names() == before
    assert film.apart(5, expected=film.skinned) == 0


def rendered(folder):
    """A final render of two view layers, every seventh frame, backwards: as with the cache that was baked, not as skinned."""
    pictures = {}
    for kind, file in (("live", "live.blend"), ("baked", "baked.blend"), ("skinned", "bar.blend")):
        film = Film(folder, file)
        if kind == "live":
            film.bar.skin2scan.strength = 0.5  # as it was baked
        scene, render = film.scene, film.scene.render
        bpy.data.objects["scan"].hide_render = True
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(scene.camera)
        scene.camera.location, scene.camera.rotation_euler = (0, -6, 1), (np.pi / 2, 0, 0)
        scene.collection.objects.link(bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN")))
        scene.view_layers.new("another")
        render.engine, scene.cycles.samples, render.resolution_x, render.resolution_y = "CYCLES", 1, 64, 64
        render.filepath = str(folder / f"{kind}_")
        for frame in (22, 15, 8):
            scene.frame_start = scene.frame_end = frame
            bpy.ops.render.render(animation=True)
        pictures[kind] = [pixels(folder / f"{kind}_{frame:04d}.png") for frame in (8, 15, 22)]
    for live, baked, skinned in zip(*pictures.values(), strict=True):
        assert np.abs(live - baked).mean() < 1e-3
        assert np.abs(live - skinned).mean() > 10 * np.abs(live - baked).mean()


def pixels(path):
    image = bpy.data.images.load(str(path))
    return np.array(image.pixels)


def installed(folder, package):
    """The package, installed as a user does; prediction is ONNX Runtime's, from its wheel."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=True)
    name = "bl_ext.user_default.skin2scan"
    assert name in bpy.context.preferences.addons
    sys.modules.update(
        {each.replace(name, NAME): sys.modules[each] for each in list(sys.modules) if each.startswith(name)}
    )
    film = Film(folder, "bar.blend")
    assert bpy.ops.skin2scan.start_live() == {"FINISHED"}
    assert type(part("live").characters["bar"].model.graph).__name__ == "RuntimeGraph"
    film.check()
    bpy.ops.skin2scan.stop_live()
    assert bpy.ops.preferences.addon_disable(module=name) == {"FINISHED"}
    assert not hasattr(film.bar, "skin2scan")
    handlers = [
        each for kind in dir(bpy.app.handlers) for each in [getattr(bpy.app.handlers, kind)] if isinstance(each, list)
    ]
    assert not [each for some in handlers for each in some if "skin2scan" in each.__module__]


if __name__ == "__main__":
    name, folder, *rest = sys.argv[1:]
    if name != "installed":
        extension()
    globals()[name](Path(folder), *rest)
