"""Who may import whom: scripts → utils → models, data; neither models nor data know of each other or of utils."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = {path.stem for path in ROOT.glob("*.py")}
FORBIDDEN = {
    "models": {"data", "utils"} | SCRIPTS,
    "data": {"models", "utils"} | SCRIPTS,
    "utils": SCRIPTS,
    ".": SCRIPTS,
}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports(folder):
    files = list((ROOT / folder).glob("*.py" if folder == "." else "**/*.py"))
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & FORBIDDEN[folder], path
