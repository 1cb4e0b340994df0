"""What the README and the documents say: commands that parse, files and tests that are there."""

import importlib
import re
import shlex

import pytest
from terminal import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks/RESULTS.md"]
PARSED = re.compile(r"(?:\S*python3?|torchrun(?: --\S+)*) (\w+)\.py(.*)")
IN_PROSE = {"SKINNED_FOLDER", "SCAN_FOLDER", "NEW_SKINNED_FOLDER", "[MORE", "...]"}  # words that stand for a user's own

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def commands(document):
    """The commands of a document: lines of its blocks of code, and code within its sentences."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    candidates = lines + [part.strip() for code in inline for part in code.split("&&")]
    return [each for each in candidates if re.match(r"(\S*python|torchrun|make|pip) ", each)]


@each_document
def test_commands(document):
    """Scripts take the flags that they are given, and files that are named are there."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in commands(document):
        words = [word for word in shlex.split(command) if word not in IN_PROSE]
        if words[0] == "make":
            assert set(words[1:]) <= {*targets}, command
            continue
        if found := PARSED.fullmatch(" ".join(shlex.quote(word) for word in words)):
            script = importlib.import_module(found[1])
            arguments = shlex.split(found[2])
            if "SKINNED_FOLDER" in command:
                arguments[arguments.index("-src") + 1 : arguments.index("-src") + 1] = ["folder"]
            if "SCAN_FOLDER" in command:
                arguments[arguments.index("-tar") + 1 : arguments.index("-tar") + 1] = ["folder"]
            script.parse_arguments(arguments)
        elif re.search("python", words[0]) and words[1] != "-m":
            assert (ROOT / words[1]).exists(), command
        for requirements in re.findall(r"requirements\S*\.txt", command):
            assert (ROOT / requirements).exists(), command


def test_there_are_commands_to_test():
    assert sum(len(commands(document)) for document in DOCUMENTS) > 30


@each_document
def test_files_and_tests_that_are_named_are_there(document):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text):
        assert (document.parent / link).exists(), link
    tests = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    for name in re.findall(r"\btest_\w+\.py", text):
        assert name in tests, name
    for name in re.findall(r"`(test_\w+)`", text):
        assert any(f"def {name}(" in content for content in tests.values()), name
    for name, file in re.findall(r"`(test_\w+)` in (test_\w+\.py)", text):
        assert f"def {name}(" in tests[file], f"{name} in {file}"
    for path in re.findall(r"`((?:models|data|utils|tests|benchmarks|examples)/[\w./]*)`", text):
        assert (ROOT / path).exists() or path == "data/formats/off.py", path


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_flag_has_a_row(monkeypatch):
    """In the table of flags, of the scripts to fit and to infer."""
    table = {flag for row in re.findall(r"^\| `--.*", (ROOT / "README.md").read_text(), re.MULTILINE)
             for flag in re.findall(r"`(--?\w+)`", row.split("|")[1] + row.split("|")[2])}  # fmt: skip
    parsers = []

    def give_up(parser, argv):
        parsers.append(parser)
        raise LookupError

    fits = ("fit_mesh", "fit_mesh_with_joints", "fit_mesh_smoothened")
    monkeypatch.setattr("argparse.ArgumentParser.parse_args", give_up)
    for name in (*fits, "inference_mesh", "inference_mesh_with_joints"):
        with pytest.raises(LookupError):
            importlib.import_module(name).parse_arguments([])
    flags = {flag for parser in parsers for action in parser._actions for flag in action.option_strings}
    assert flags - {"-h", "--help"} == table
