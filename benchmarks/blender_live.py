"""How fast Blender plays a character with its live correction, and without: run by a Python that has `bpy`.

    .venv-blender/bin/python benchmarks/blender_live.py live.onnx geo/dyna_character/glb/dyna_character.glb

Medians over the frames of the animation, stepped through as fast as they come; a jump is to a frame whose 71 before it are not
known. ONNX Runtime is measured where it is installed.
"""

import importlib.util
import sys
import time
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
NAME = "skin2scan_blender"


def registered():
    """Return the extension, read from its folder, and registered as if it were installed."""
    folder = ROOT / "blender"
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules[NAME] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    bpy.context.preferences.addons.new().module = NAME
    module.register()
    return module


def milliseconds(scene, frames):
    """Return the time that each of some frames takes."""
    found = []
    for frame in frames:
        begin = time.perf_counter()
        scene.frame_set(frame)
        found.append(1000 * (time.perf_counter() - begin))
    return np.array(found)


def row(name, times):
    print(
        f"| {name} | {np.median(times):.1f} | {np.percentile(times, 99):.1f} | {1000 / np.median(times):.0f} |",
        flush=True,
    )


def main():
    model, character = sys.argv[1:]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = 30
    bpy.ops.import_scene.gltf(filepath=character)
    (obj,) = [each for each in bpy.data.objects if each.type == "MESH" and each.modifiers]
    live = registered().live
    frames = range(1, int(max(each.frame_range[1] for each in bpy.data.actions)) + 1)
    print(f"Blender {bpy.app.version_string}, {len(obj.data.vertices)} vertices, {len(frames)} frames, 2 threads")
    print("| | ms a frame | 99 % | frames/s |\n|---|---|---|---|")
    milliseconds(scene, frames)
    row("Blender's own skinning", milliseconds(scene, frames))
    obj.skin2scan.model = str(Path(model).resolve())
    obj.skin2scan.frame_end = frames[-1]
    in_numpy = live.Model(obj.skin2scan.model, with_runtime=False)
    live.attach(obj, scene)
    kinds = [("NumPy", in_numpy)]
    if type(live.characters[obj.name].model.graph).__name__ == "RuntimeGraph":
        kinds.insert(0, ("ONNX Runtime", live.characters[obj.name].model))
    for name, model in kinds:
        live.characters[obj.name].model = model
        milliseconds(scene, frames)
        row(f"with the live correction, {name}", milliseconds(scene, frames))
        row(f"above Blender's own, {name}, as the panel has it", 1000 * seconds_above(live, obj, scene, frames))
        jumps = []
        for _ in range(5):
            live.characters[obj.name].frames.clear()
            jumps.append(milliseconds(scene, [frames[-1]])[0])
        row(f"a jump, {name}", jumps)


def seconds_above(live, obj, scene, frames):
    found = []
    for frame in frames:
        scene.frame_set(frame)
        found.append(live.characters[obj.name].seconds)
    return np.array(found)


if __name__ == "__main__":
    main()
