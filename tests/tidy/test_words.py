"""Words: docstrings everywhere, no drawers, no unfinished work, one meaning a word."""

from __future__ import annotations

import ast
import re

from tidy import tree

DRAWERS = {"utils", "util", "helpers", "helper", "common", "shared", "base", "misc", "stuff"}
UNFINISHED = re.compile("|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b")))
PLACES = ("/wo" + "rk/", "/tmp/" + "plan", "art" + "ifactory")
HOSTS = {
    "127.0.0.1",
    "localhost",
    "github.com",
    "pypi.org",
    "files.pythonhosted.org",
    "proxy.golang.org",
    "www.w3.org",
    "json.schemastore.org",
    "docs.astral.sh",
    "example.com",
}
PROSE = (
    ".py",
    ".pyx",
    ".pxd",
    ".pyi",
    ".proto",
    ".md",
    ".toml",
    ".yaml",
    ".json",
    ".sh",
    ".lock",
    "",
)


def test_every_module_says_what_it_owns() -> None:
    silent = [
        source.name
        for source in tree.files(".py")
        if source.text.strip() and not ast.get_docstring(tree.parsed(source.path))
    ]
    assert not silent, (
        "give each a docstring: what it owns, what it must never know:\n" + "\n".join(silent)
    )


def test_cython_modules_say_what_they_own() -> None:
    silent = [
        source.name
        for source in tree.files(".pyx", ".pxd")
        if source.path.name != "__init__.pxd"
        and not re.match(r'(#[^\n]*\n|\s)*("""|# )', source.text)
    ]
    assert not silent, "begin each with its docstring or a comment:\n" + "\n".join(silent)


def test_product_modules_say_what_they_must_not_know() -> None:
    vague = [
        source.name
        for source in tree.files(".py")
        if source.is_product
        and source.path.name != "__init__.py"
        and source.text.strip()
        and not re.search(
            r"\b(never|no|not|only|nothing|without|alone)\b",
            (ast.get_docstring(tree.parsed(source.path)) or "").lower(),
        )
    ]
    assert not vague, "say in the docstring what the module must never know:\n" + "\n".join(vague)


def test_no_drawers() -> None:
    drawers = [
        source.name
        for source in tree.tracked()
        if DRAWERS & {part.split(".")[0] for part in source.path.relative_to(tree.ROOT).parts}
    ]
    assert not drawers, "name the noun that the file owns instead:\n" + "\n".join(drawers)


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{source.name}:{number}"
        for source in tree.files(".py", ".pyx", ".pxd", ".proto", ".md")
        for number, line in enumerate(source.text.split("\n"), 1)
        if UNFINISHED.search(line)
    ]
    assert not left, "finish it or write it down as an issue:\n" + "\n".join(left)


def test_no_workplace_in_the_tree() -> None:
    told = [
        f"{source.name}: {place!r}"
        for source in tree.tracked()
        if source.path.suffix in PROSE
        for place in PLACES
        if place in _text(source).lower()
    ]
    assert not told, "the tree must stand alone; take these out:\n" + "\n".join(told)


def test_urls_lead_to_public_places() -> None:
    strange = [
        f"{source.name}: {host}"
        for source in tree.tracked()
        if source.path.suffix in PROSE
        for host in sorted(set(re.findall(r"https?://([A-Za-z0-9.-]+)", _text(source))) - HOSTS)
        if "." in host
    ]
    assert not strange, "only public, well-known hosts belong into the tree:\n" + "\n".join(strange)


def _text(source: tree.Source) -> str:
    try:
        return source.text
    except UnicodeDecodeError:
        return ""


def test_phase_means_trading_phase() -> None:
    wrong = [
        f"{source.name}:{number}"
        for source in tree.files(".py", ".pyx", ".pxd", ".proto")
        for number, line in enumerate(source.text.split("\n"), 1)
        if re.search(r"\b(two|commit|prepare)[- _]phase\b", line, re.I)
    ]
    assert not wrong, "PREPARE and CONFIRM are steps; a phase trades:\n" + "\n".join(wrong)
