"""Pack this folder into a zip that Blender installs, with ONNX Runtime for one system, or for all that have it.

    python blender/pack.py skin2scan-blender.zip
    python blender/pack.py skin2scan-blender.zip --no_wheels

Blender 4.2 to 5.0 run Python 3.11, later ones 3.13.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.13")
# as pip calls them
SYSTEMS = {
    "linux": "manylinux_2_28_x86_64",
    "windows": "win_amd64",
    "macos": "macosx_14_0_arm64",
}
NOT_PACKED = {"pack.py", "__pycache__"}


def fetched_wheels(folder, system):
    """Let pip fetch ONNX Runtime's wheels for a system, without what else it names, which prediction does not need."""
    for python in PYTHONS:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            str(folder),
        ]
        subprocess.run(
            [*command, "--python-version", python, "--platform", SYSTEMS[system], "onnxruntime>=1.20,<2"], check=True
        )
    return sorted(folder.glob("*.whl"))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="where to write (.zip)")
    here = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    parser.add_argument("--system", choices=SYSTEMS, default=here, help="whose ONNX Runtime (default: this one's)")
    parser.add_argument("--no_wheels", action="store_true", help="predict with NumPy alone, slower")
    args = parser.parse_args(argv)
    manifest = (HERE / "blender_manifest.toml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(args.output, "w", zipfile.ZIP_DEFLATED) as packed:
        wheels = [] if args.no_wheels else fetched_wheels(Path(temporary), args.system)
        named = json.dumps([f"./wheels/{each.name}" for each in wheels])
        given, packed_as = "wheels = []", f"wheels = {named}"
        assert given in manifest
        packed.writestr("blender_manifest.toml", manifest.replace(given, packed_as))
        for file in sorted(HERE.iterdir()):
            if file.name not in {*NOT_PACKED, "blender_manifest.toml"}:
                packed.write(file, file.name)
        for wheel in wheels:
            packed.write(wheel, f"wheels/{wheel.name}", zipfile.ZIP_STORED)
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB, {len(wheels)} wheels")


if __name__ == "__main__":
    main()
