"""Do the tests notice? Small faults are put into what judges and measures, one at a time; a test has to fail.

    .venv/bin/python tests/mutate.py               # every file in TARGETS, two at a time: a quarter of an hour
    .venv/bin/python tests/mutate.py judge bounds  # these
    .venv/bin/python tests/mutate.py judge 17      # one fault, with what the tests say

A fault is another comparison, operator, number, truth value or name in quotes; a condition turned round or left out;
`and` for `or`, `min` for `max`, `any` for `all`; or nothing returned. Each is tried in a process of its own, against
the tests named in TARGETS, with a time limit. The words of sentences are left alone, and so are `frozen` and `strict`,
which guard against mistakes of ours. Prints what no test noticed; docs/mutation.md says of each why it is none.
"""

import ast
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[1]
TARGETS = {
    "judge": ("gosip_check.judge", ["tests/unit/test_judge.py", "tests/unit/test_settle.py"]),
    "quotes": (
        "gosip_check.probes.path.quotes",
        [f"tests/unit/probes/path/test_{name}.py" for name in ("volley", "rounds", "quotes")],
    ),
    "bounds": (
        "gosip_check.probes.media.bounds",
        [f"tests/unit/probes/media/test_{name}.py" for name in ("bounds", "media_faults")],
    ),
    "summary": ("gosip_check.probes.media.summary", ["tests/unit/probes/media/test_summary.py"]),
}
AT_ONCE = 2
LONGEST_S = 60.0

_COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Fault:
    """What it replaces, by what, and where in the tree that it was found in."""

    line: int
    before: str
    after: ast.AST
    parent: ast.AST
    field: str
    index: int | None

    def put(self) -> None:
        """Put it into that tree."""
        if self.index is None:
            setattr(self.parent, self.field, self.after)
        else:
            getattr(self.parent, self.field)[self.index] = self.after


def faults(tree: ast.Module) -> Iterator[Fault]:
    """Every fault of a module, in an order that is the same each time. One of them may be put into the tree."""
    for parent, field, index, node in _expressions(tree):
        for after in _replacements(node):
            fixed = ast.fix_missing_locations(after)
            yield Fault(getattr(node, "lineno", 0), ast.unparse(node), fixed, parent, field, index)


def _expressions(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, field, index in it, node) of what may be replaced: no annotation, docstring or words of a sentence."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_params", "bases", "format_spec"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            words = isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
            guard = isinstance(child, ast.keyword) and child.arg in ("frozen", "strict")
            if isinstance(child, ast.AST) and not (docstring or words or guard):
                yield node, field, index, child
                yield from _expressions(child)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=comparators):
            for other in _COMPARISONS[type(operator)]:
                yield ast.Compare(left, [other()], comparators)
        case ast.BoolOp(op=ast.And(), values=values):
            yield ast.BoolOp(ast.Or(), values)
        case ast.BoolOp(op=ast.Or(), values=values):
            yield ast.BoolOp(ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(operator)](), right)
        case ast.AugAssign(target=target, op=operator, value=value) if type(operator) in _OPERATORS:
            yield ast.AugAssign(target, _OPERATORS[type(operator)](), value)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value.replace(".", "_").isidentifier():
            yield ast.Constant("")
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in _CALLS:
            yield ast.Call(ast.Name(_CALLS[name], ast.Load()), arguments, keywords)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.If(test=test, body=body, orelse=orelse) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test=test, body=body, orelse=orelse) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.comprehension(target=target, iter=iterated, ifs=[_, *_], is_async=is_async):
            yield ast.comprehension(target, iterated, [], is_async)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module out of a changed tree; all others come as ever."""

    def __init__(self, module: str, code: CodeType) -> None:
        self._module, self._code = module, code

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def _source(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def _try(module: str, number: int, tests: Sequence[str], *, quiet: bool) -> int:
    """In a process that ends afterwards: pytest's exit code with one fault put in; -1 is the module as it is."""
    source = _source(module)
    tree = ast.parse(source.read_text())
    if number >= 0:
        list(faults(tree))[number].put()
    code = compile(ast.fix_missing_locations(tree), str(source), "exec")
    sys.meta_path.insert(0, Finder(module, code))
    if quiet:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    import pytest

    options = ["-x", "-q", "-m", "not waits", "-p", "no:cacheprovider", "--no-header", "--hypothesis-seed=0"]
    return int(pytest.main([*options, *tests]))


def _start(module: str, number: int, tests: Sequence[str]) -> int:
    """The process id of a try."""
    child = os.fork()
    if child == 0:
        os.setsid()
        code = 99
        try:
            code = _try(module, number, tests, quiet=True)
        finally:
            os._exit(code)
    return child


def unnoticed(module: str, tests: Sequence[str], count: int) -> list[int]:
    """The numbers of the faults with which every test passes. Endless loops are stopped, and count as noticed."""
    waiting = list(range(count - 1, -1, -1))
    running: dict[int, tuple[int, float]] = {}
    passed: list[int] = []
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            number = waiting.pop()
            running[_start(module, number, tests)] = (number, time.monotonic())
        for child, (number, began_s) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del running[child]
                if os.waitstatus_to_exitcode(status) == 0:
                    passed.append(number)
            elif time.monotonic() - began_s > LONGEST_S:
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
    return sorted(passed)


def report(name: str) -> bool:
    """Try every fault of one target and print what was not noticed. Whether nine in ten were noticed."""
    module, tests = TARGETS[name]
    _, status = os.waitpid(_start(module, -1, tests), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{name}: its tests fail as it is.")
    found = list(faults(ast.parse(_source(module).read_text())))
    left = unnoticed(module, tests, len(found))
    noticed = len(found) - len(left)
    print(f"{name}: {noticed} of {len(found)} noticed, {100 * noticed / len(found):.1f} %", flush=True)
    for number in left:
        fault = found[number]
        print(f"  {number:4} line {fault.line}: {fault.before}  ->  {ast.unparse(fault.after)}", flush=True)
    return noticed >= 0.9 * len(found)


def main(arguments: Sequence[str]) -> int:
    """0 where nine in ten faults were noticed in every target."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.gettempdir()
    if len(arguments) == 2 and arguments[1].isdigit():
        module, tests = TARGETS[arguments[0]]
        return _try(module, int(arguments[1]), tests, quiet=False)
    import hypothesis  # noqa: F401 - what every try needs is loaded once
    import msgspec  # noqa: F401
    import pytest  # noqa: F401

    enough = [report(name) for name in arguments or TARGETS]
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
