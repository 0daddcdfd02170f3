"""Checks what the formatter and the linter do not know: the import rule, purity, size, words and paths.

`python -m tools.tidy` prints `file:line: what: what to do` for each finding and ends with status 1.

Patterns are written with a bracket in one word (`w[o]rk`), so that this file does not find itself.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[1]

LINES_MAX: Final = 400
FILE_BYTES_MAX: Final = 2_000_000
"""Larger files are data."""

PRODUCT: Final = ("schemas", "streams", "services")
OTHERS: Final = ("tests", "tools", "bench")

ALLOWED_IMPORTS: Final = {
    "schemas/": ("schemas",),
    "streams/domain/": ("schemas", "streams.domain"),
    "streams/": ("schemas", "streams"),
    "services/": ("schemas", "services"),
}
"""What each folder may import of ours; the first row that matches counts."""

COMPOSERS: Final = ("services/cli/", "services/roles/", "services/roles.py", "services/supervisor.py")
"""The command line, the roles and the supervisor put both halves together."""

PURE: Final = ("schemas/", "streams/domain/")
IMPURE_MODULES: Final = frozenset(
    {
        "asyncio",
        "http",
        "importlib",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "uuid",
    }
)
IMPURE_CALLS: Final = frozenset({"open", "print", "input"})
CLOCK_CALLS: Final = frozenset({"now", "utcnow", "today"})

VENDORS: Final = {
    "aiokafka": ("streams/kafka/",),
    "chdb": ("services/metrics/",),
    "clickhouse_connect": ("services/metrics/",),
    "coincurve": ("schemas/nostr/secp256k1.py",),
    "cryptography": ("schemas/ciphers.py",),
    "embit": ("services/payments/chain_keys.py",),
    # Its agents and tables are named where they are used; the app and the transport are set up once.
    "faust": ("streams/faust_app.py", "streams/transport.py", "streams/intake.py", "streams/views.py"),
    "mode": ("streams/faust_app.py", "streams/transport.py"),
    "nostr_sdk": ("services/embedded/relay.py",),
    "psutil": ("services/supervision/processes.py",),
    "pycountry": ("schemas/market/countries.py",),
    "rich": ("services/cli/",),
    "typer": ("services/cli/",),
    "uvicorn": ("services/roles/",),
    "websockets": ("services/relays/", "services/payments/socket_notices.py"),
}
"""Where each library of a vendor may be imported; tests may import any."""

_BANNED: Final = (
    # In quotes the three letters are ISO 4217's "no currency".
    (r"\b(T[O]DO|F[I]XME|(?<!\")X[X]X(?!\"))\b", "a note to self", "do it, or write it into an issue"),
    (r"/(w[o]rk|r[o]ot|f[a]rm)/", "a path of one machine", "use a path relative to the tree or an option"),
    (
        r"p[y]pi\.org|p[y]thonhosted|registry\.n[p]mjs|repo1?\.m[a]ven|static\.cr[a]tes|index\.cr[a]tes"
        r"|proxy\.g[o]lang|deb\.d[e]bian",
        "a package registry's host",
        "leave the choice of a registry to the machine",
    ),
)
_BANNED_IN_PYTHON: Final = (
    (r"pytest\.(sk[i]p|xf[a]il|imp[o]rtorskip)|mark\.(sk[i]p|xf[a]il)", "a test that may not run", "mend or delete it"),
)


@dataclass(frozen=True)
class Finding:
    """One thing to mend, and how."""

    path: PurePosixPath
    line: int
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}: {self.advice}"


def check_tree(root: Path) -> tuple[int, list[Finding]]:
    """How many files were read, and the findings in all of them, in the order of their paths."""
    files = sorted(_files(root))
    return len(files), [found for path in files for found in check_file(path, _text(root / path))]


def check_file(path: PurePosixPath, text: str) -> list[Finding]:
    """The findings in one file, by line; `path` is relative to the tree."""
    findings = _words(path, text, _BANNED)
    if path.suffix == ".py":
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            return [Finding(path, error.lineno or 1, f"cannot be parsed: {error.msg}", "mend the syntax")]
        findings = chain(
            findings,
            _words(path, text, _BANNED_IN_PYTHON),
            _shape(path, text, tree),
            _imports(path, tree),
            _purity(path, tree),
            _handlers(path, tree),
            _test_docstrings(path, tree),
        )
    return sorted(findings, key=lambda found: found.line)


def _words(path: PurePosixPath, text: str, rules: tuple[tuple[str, str, str], ...]) -> Iterator[Finding]:
    for pattern, what, advice in rules:
        for match in re.finditer(pattern, text):
            yield Finding(path, text.count("\n", 0, match.start()) + 1, f"{what}, {match[0]!r}", advice)


def _shape(path: PurePosixPath, text: str, tree: ast.Module) -> Iterator[Finding]:
    if tree.body and ast.get_docstring(tree) is None:
        yield Finding(path, 1, "no module docstring", "say in one line what the module is for")
    lines = text.count("\n")
    if lines > LINES_MAX:
        yield Finding(path, LINES_MAX, f"{lines} lines", f"look for two ideas; {LINES_MAX} are the most")


def _imports(path: PurePosixPath, tree: ast.Module) -> Iterator[Finding]:
    name = str(path)
    if not name.startswith(tuple(f"{folder}/" for folder in PRODUCT)):
        return
    allowed = next(allowed for folder, allowed in ALLOWED_IMPORTS.items() if name.startswith(folder))
    if name.startswith(COMPOSERS):
        allowed = PRODUCT
    for line, module in _imported(path, tree):
        top = module.partition(".")[0]
        if top in PRODUCT + OTHERS and not _is_within(module, allowed):
            yield Finding(path, line, f"imports {module}", f"this folder may import {', '.join(allowed)} of ours")
        homes = VENDORS.get(top)
        if homes is not None and not name.startswith(homes):
            yield Finding(path, line, f"imports {top}", f"only {', '.join(homes)} may; call what is there")


def _purity(path: PurePosixPath, tree: ast.Module) -> Iterator[Finding]:
    if not str(path).startswith(PURE):
        return
    advice = "take what it gives as an argument"
    for line, module in _imported(path, tree):
        if _is_within(module, IMPURE_MODULES):
            yield Finding(path, line, f"imports {module} in a pure folder", advice)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in IMPURE_CALLS:
                yield Finding(path, node.lineno, f"calls {called} in a pure folder", advice)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=called)) if (
                called in CLOCK_CALLS
            ):
                yield Finding(path, node.lineno, f"asks the clock with {called} in a pure folder", advice)


def _handlers(path: PurePosixPath, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        match node:
            case ast.ExceptHandler(type=None):
                yield Finding(path, node.lineno, "a bare except", "name what is expected")
            case ast.ExceptHandler(type=ast.Name(id="Exception" | "BaseException"), body=[ast.Pass()]):
                yield Finding(path, node.lineno, "swallows every error", "name what is expected, or let it rise")


def _test_docstrings(path: PurePosixPath, tree: ast.Module) -> Iterator[Finding]:
    if not (path.parts[0] == "tests" and path.name.startswith("test_")):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test_") and ast.get_docstring(node) is None:
            yield Finding(path, node.lineno, f"{node.name} has no docstring", "state the fact it checks in a sentence")


def _imported(path: PurePosixPath, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each imported module with its line, relative ones resolved; `from a import b` counts as `a.b`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                # One dot is the folder the file is in, for a module as for an __init__.
                base = path.parts[: len(path.parts) - level] if level else ()
                yield from ((node.lineno, ".".join([*base, *filter(None, [module]), alias.name])) for alias in names)


def _is_within(module: str, parents: tuple[str, ...] | frozenset[str]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def _files(root: Path) -> list[PurePosixPath]:
    """What git tracks or would track; every file of an unpacked archive, where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [PurePosixPath(name) for name in listed.stdout.split("\0") if name and (root / name).is_file()]
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return [PurePosixPath(path) for path in paths if not any(part.startswith(".") for part in path.parts)]


def _text(file: Path) -> str:
    if file.stat().st_size > FILE_BYTES_MAX:
        return ""
    data = file.read_bytes()
    return "" if b"\0" in data else data.decode(errors="replace")


def main() -> int:
    """Checks this tree."""
    count, findings = check_tree(ROOT)
    for found in findings:
        print(found)
    print(f"{len(findings)} findings in {count} files" if findings else f"{count} files are tidy")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
