"""What stands behind a file's name: an object in it, or the mesh that a point cache moves."""

import re
from pathlib import Path

WITH_PART = re.compile(r"(.+\.(?:abc|fbx|glb|gltf|mdd|pc2)):(.+)", re.IGNORECASE | re.DOTALL)


def named_part(path: Path) -> tuple[Path, str]:
    """Return a file, and the name that is written behind a colon: `cache.abc:/body/mesh`, `body.pc2:rest.obj`; an empty one
    where there is none."""
    match = WITH_PART.fullmatch(str(path))
    return (Path(match[1]), match[2].replace("\\", "/")) if match else (path, "")
