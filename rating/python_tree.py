# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Reads Python from standard input and writes its syntax tree, as CPython's own parser sees it.

A node is `(Name line column field ...)`, a list `[item ...]`, nothing `-`; a number `i12`, a truth
`b1`, a text `s68656c6c6f` (hexadecimal), any other constant `xfloat`. A text that is no Python is
`(Mistake line column s...)`. rating/python_tree.hh reads it.
"""
import ast
import sys

FIELDS = {
    'Module': ['body'],
    'FunctionDef': ['name', 'args', 'body', 'decorator_list', 'returns'],
    'arguments': ['posonlyargs', 'args', 'vararg', 'kwonlyargs', 'kwarg', 'defaults'],
    'arg': ['arg', 'annotation'],
    'Return': ['value'], 'Assign': ['targets', 'value'], 'AugAssign': ['target', 'op', 'value'],
    'AnnAssign': ['target', 'annotation', 'value'],
    'For': ['target', 'iter', 'body', 'orelse'], 'If': ['test', 'body', 'orelse'],
    'Expr': ['value'], 'Pass': [], 'Break': [], 'Continue': [],
    'BoolOp': ['op', 'values'], 'BinOp': ['left', 'op', 'right'], 'UnaryOp': ['op', 'operand'],
    'Compare': ['left', 'ops', 'comparators'], 'Call': ['func', 'args', 'keywords'],
    'IfExp': ['test', 'body', 'orelse'], 'Constant': ['value'], 'Name': ['id'],
    'Attribute': ['value', 'attr'], 'Subscript': ['value', 'slice'], 'Tuple': ['elts'],
    'List': ['elts'], 'Dict': ['keys', 'values'], 'ImportFrom': ['module', 'names'],
    'alias': ['name', 'asname'],
}


def dump(value, out):
    if isinstance(value, ast.AST):
        name = type(value).__name__
        line = getattr(value, 'lineno', 0)
        column = getattr(value, 'col_offset', -1) + 1
        out.append(f'({name} {line} {column}')
        for field in FIELDS.get(name, []):
            dump(getattr(value, field), out)
        out.append(')')
    elif isinstance(value, list):
        out.append('[')
        for item in value:
            dump(item, out)
        out.append(']')
    elif value is None:
        out.append('-')
    elif isinstance(value, bool):
        out.append(f'b{int(value)}')
    elif isinstance(value, int):
        out.append(f'i{value}' if abs(value) < 10 ** 30 else 'i1' + '0' * 30)
    elif isinstance(value, str):
        out.append('s' + value.encode('utf-8', 'surrogatepass').hex())
    else:
        out.append('x' + type(value).__name__)


def main():
    out = []
    try:
        dump(ast.parse(sys.stdin.buffer.read()), out)
    except SyntaxError as error:
        out = [f'(Mistake {error.lineno or 0} {error.offset or 0}',
               's' + str(error.msg).encode().hex(), ')']
    except (ValueError, RecursionError, MemoryError) as error:
        out = ['(Mistake 0 0', 's' + str(error).encode().hex(), ')']
    sys.stdout.write(' '.join(out))


main()
