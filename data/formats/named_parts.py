"""What stands behind a file's name: an object in it, or the mesh that a point cache moves."""

import re
from collections.abc import Sequence
from pathlib import Path

from data.input_error import InputError

WITH_PART = re.compile(r"(.+\.(?:abc|fbx|glb|gltf|mdd|pc2)):(.+)", re.IGNORECASE | re.DOTALL)


def named_part(path: Path) -> tuple[Path, str]:
    """Return a file, and the name that is written behind a colon: `cache.abc:/body/mesh`, `body.pc2:rest.obj`; an empty one
    where there is none."""
    match = WITH_PART.fullmatch(str(path))
    return (Path(match[1]), match[2].replace("\\", "/")) if match else (path, "")


def names_in(part: str) -> list[str]:
    """Return the names in what stands behind a colon: `Body,Walk`."""
    return [each.strip() for each in part.split(",") if each.strip()]


def check_names(path: Path, names: list[str], *there: Sequence[Sequence[str | None]]) -> None:
    """Raise `InputError` where none of the things that are there, meshes and animations, is called one of the names."""
    called = [name for things in there for own in things for name in own if name]
    missing = [name for name in names if name not in called]
    if missing:
        known = ", ".join(dict.fromkeys(called)) or "none has a name"
        raise InputError(f"{path}: found no {missing[0]} in it, expected meshes and animations that are there: {known}")


def the_one_named(
    path: Path,
    called: Sequence[Sequence[str | None]],
    names: list[str],
    what: str,
    first: Sequence[int] = (),
    example: str | None = "NAME",
) -> int:
    """Return the place of the one of several things that is named, or the one of those that come first, or the only one; each
    is called some names, the first of which is said. Raise `InputError`, with a name as an example, for another number of
    them."""
    found = [place for place, own in enumerate(called) if {*own} & {*names}] or first or range(len(called))
    if len(found) != 1:
        there = ", ".join(str(called[place][0]) for place in found[:5]) or "none"
        raise InputError(
            f"{path}: found {len(found)} {what} ({there}), expected one: name it, as in {path.name}:{example}"
        )
    return found[0]
