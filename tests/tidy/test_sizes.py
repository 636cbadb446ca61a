"""House limits on size. Split the file; never edit the number here."""

from __future__ import annotations

import ast
import re

import pytest
from tidy import tree

FILE_LIMITS = {".py": 500, ".pyx": 600, ".pxd": 300, ".proto": 400}
TEST_LIMIT = 600
FUNCTION_LIMIT = 70
MODULES_PER_FOLDER = 16
# Two folders are flat on purpose; their numbers may only shrink.
FLAT = {
    "services/execution/titan_execution/core": 25,  # one compiled state machine, one cimport space
    "sdk/python/titan_sdk": 22,  # what an author imports, in one place
}
FOLDERS_DEEP = 3
CYTHON_FUNCTION = re.compile(r"^( *)(?:cdef|cpdef|def)\b[^=]*\(.*$")


def test_files_are_small() -> None:
    too_long = []
    for source in tree.files(*FILE_LIMITS):
        limit = TEST_LIMIT if source.name.startswith("tests/") else FILE_LIMITS[source.path.suffix]
        lines = source.text.count("\n")
        if lines > limit:
            too_long.append(f"{source.name}: {lines} lines, limit {limit}; cut it along a noun")
    assert not too_long, "\n".join(too_long)


def test_functions_fit_a_screen() -> None:
    too_long = []
    for source in tree.files(".py"):
        for node in ast.walk(tree.parsed(source.path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LIMIT:
                too_long.append(f"{source.name}:{node.lineno} {node.name}: {lines} lines")
    assert not too_long, f"limit {FUNCTION_LIMIT}; name the steps:\n" + "\n".join(too_long)


def cython_functions(text: str) -> list[tuple[str, int, int]]:
    """(head, first line, lines) of each function body, by indentation."""
    lines = text.split("\n")
    found = []
    for index, line in enumerate(lines):
        head = CYTHON_FUNCTION.match(line)
        if head is None:
            continue
        indent, last, inside_signature = len(head.group(1)), index, True
        for below in range(index + 1, len(lines)):
            body = lines[below]
            if not body.strip():
                continue
            depth = len(body) - len(body.lstrip())
            if inside_signature and body.lstrip().startswith(")"):
                inside_signature = False
            elif depth <= indent:
                break
            last = below
        found.append((line.strip(), index + 1, last - index + 1))
    return found


def test_cython_functions_fit_a_screen() -> None:
    too_long = [
        f"{source.name}:{first} {head}: {lines} lines"
        for source in tree.files(".pyx", ".pxd")
        for head, first, lines in cython_functions(source.text)
        if lines > FUNCTION_LIMIT
    ]
    assert not too_long, f"limit {FUNCTION_LIMIT}; name the steps:\n" + "\n".join(too_long)


def test_the_cython_counter_counts() -> None:
    first = "cdef int f(\n    int a,\n) noexcept nogil:\n    x = 1\n\n    return x\n"
    text = first + "\n\ndef g():\n    pass\n"
    assert [(first, lines) for _, first, lines in cython_functions(text)] == [(1, 6), (9, 2)]


def test_folders_hold_few_modules() -> None:
    crowded: dict[str, set[str]] = {}
    for source in tree.files(".py", ".pyx"):
        if source.is_product and source.path.name != "__init__.py":
            crowded.setdefault(str(source.path.parent), set()).add(source.path.stem)
    names_of = {folder.removeprefix(f"{tree.ROOT}/"): names for folder, names in crowded.items()}
    wrong = [
        f"{folder}: {len(names)} modules"
        for folder, names in names_of.items()
        if len(names) > FLAT.get(folder, MODULES_PER_FOLDER)
    ]
    assert not wrong, f"limit {MODULES_PER_FOLDER}; make a sub-package:\n" + "\n".join(wrong)


@pytest.mark.parametrize("root", tree.SOURCE_ROOTS)
def test_trees_are_shallow(root: str) -> None:
    deep = [
        source.name
        for source in tree.files(".py", ".pyx")
        if source.name.startswith(root + "/")
        and len(source.path.relative_to(tree.ROOT / root).parts) > FOLDERS_DEEP + 2
    ]
    assert not deep, f"at most {FOLDERS_DEEP} folders below a package: {deep}"
