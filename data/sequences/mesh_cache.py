"""Where parsed meshes are kept between runs, and how damage to them is found; `data.sequences.mesh_frames` reads and writes
them.

An entry is a folder of NumPy files named by the names, sizes and times of the files it was parsed from, with a checksum of
each of its files. Set SKIN2SCAN_CACHE to choose where the entries go.
"""

import hashlib
import json
import os
import zlib
from pathlib import Path

import platformdirs

CACHE_FORMAT = "8"
CHECKSUMS, STAMPS = "checksums.json", "draws_in.json"
BYTES_AT_ONCE = 1 << 22


def cache_folder() -> Path:
    """Return the folder of all cache entries: SKIN2SCAN_CACHE, or a folder in the user's cache directory."""
    return Path(os.environ.get("SKIN2SCAN_CACHE") or platformdirs.user_cache_dir("skin2scan"))


def stamp(path: Path) -> list[int]:
    """Return what changes when a file is resized or rewritten.

    It holds the time of the last change of any kind beside that of the last write, which programs can set back, as copying
    does.
    """
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def cache_key(folder: Path, files: list[Path], kind: str) -> str:
    """Return a name that changes when a file is added, removed, renamed, resized or rewritten; another for each kind of what is
    read out of the files."""
    stamps = [(path.name, *stamp(path)) for path in files]
    return hashlib.blake2b(
        repr((CACHE_FORMAT, kind, str(folder.resolve()), stamps)).encode(), digest_size=16
    ).hexdigest()


def write_stamps(entry: Path, files: list[Path]) -> None:
    """Note which other files the entry's file draws in, as they are now."""
    stamps = {os.fsdecode(path): stamp(path) for path in files}
    (entry / STAMPS).write_text(json.dumps(stamps), encoding="ascii")


def others_changed(entry: Path) -> bool:
    """Say whether a file that the entry's file draws in is no longer as it was."""
    try:
        stamps = json.loads((entry / STAMPS).read_text(encoding="ascii"))
        return any(stamp(Path(path)) != noted for path, noted in stamps.items())
    except (OSError, ValueError):
        return True


def checksums(entry: Path) -> dict[str, int]:
    """Return the CRC-32 of every file of an entry, by name."""
    found = {}
    for path in sorted(entry.iterdir()):
        if path.name != CHECKSUMS:
            value = 0
            with open(path, "rb") as file:
                while part := file.read(BYTES_AT_ONCE):
                    value = zlib.crc32(part, value)
            found[path.name] = value
    return found


def write_checksums(entry: Path) -> None:
    """Add the checksums of an entry's files to it."""
    (entry / CHECKSUMS).write_text(json.dumps(checksums(entry)), encoding="ascii")


def fingerprint(entry: Path) -> str:
    """Return what stands for the content of an entry: its files' checksums."""
    stored = json.loads((entry / CHECKSUMS).read_text(encoding="ascii"))
    return "-".join(f"{stored[name]:08x}" for name in sorted(stored) if name != STAMPS)


def is_whole(entry: Path) -> bool:
    """Say whether every file of an entry is as it was written."""
    try:
        return json.loads((entry / CHECKSUMS).read_text(encoding="ascii")) == checksums(entry)
    except (OSError, ValueError):
        return False
