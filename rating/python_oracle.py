#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""CPython as the judge of compiled functions.

    python_oracle.py TOOL [--functions N] [--events N] [--seed N] [--json FILE]

Makes functions at random, has TOOL (rating/python_oracle.cc) compile and run them on events of its
own making, runs the same events here, and tells every difference. Where the compiled function says
that something went wrong (a number beyond 64 bits, a division by zero, a key that is missing), the
function is run again here with each operation watched, and has to go wrong in the same way.
"""
import argparse
import ast
import copy
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
FACTS = ['quantity', 'rating_group', 'service_identifier', 'service', 'zone', 'direction',
         'location', 'network', 'calling', 'called', 'year', 'month', 'day', 'hour', 'minute',
         'second', 'weekday', 'yearday', 'time'] + [f'counter{i}' for i in range(8)]
TEXTS = {'service', 'zone', 'direction', 'location'}
NUMBERS = ['quantity', 'quantity', *(fact for fact in FACTS[1:19] if fact not in TEXTS),
           'counter(0)', 'counter(2)', 'counter(7)']
NAMES = ['data', 'voice', 'EU', 'home', 'roaming', 'x']
OUTCOMES = ['ok', 'overflow', 'division_by_zero', 'index_out_of_range', 'key_missing', 'too_long']
LEAST, MOST = -2 ** 63, 2 ** 63 - 1


class Event:
    """What tollgate.Event is for people who try their functions out."""
    __slots__ = FACTS

    def counter(self, number):
        return getattr(self, f'counter{number}')


class Overflow(Exception):
    pass


def fits(value):
    if not LEAST <= value <= MOST:
        raise Overflow
    return value


class Watch(ast.NodeTransformer):
    """Puts fits() around every operation whose result may leave 64 bits."""

    def wrap(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name('fits', ast.Load()), [node], [])

    def visit_BinOp(self, node):
        return self.wrap(node)

    def visit_UnaryOp(self, node):
        return self.generic_visit(node) if isinstance(node.op, ast.Not) else self.wrap(node)

    def visit_Call(self, node):
        is_abs = isinstance(node.func, ast.Name) and node.func.id == 'abs'
        return self.wrap(node) if is_abs else self.generic_visit(node)

    def visit_AugAssign(self, node):
        target = ast.Name(node.target.id, ast.Load())
        value = ast.BinOp(target, node.op, self.visit(node.value))
        call = ast.Call(ast.Name('fits', ast.Load()), [value], [])
        return ast.Assign([node.target], call)


class Maker:
    """Functions within the subset, at random, that do not often go wrong."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self):
        pick = self.random.randrange(8)
        if pick == 0:
            return str(self.random.choice([2 ** 31, 2 ** 32 + 1, 10 ** 12, 2 ** 62, -2 ** 40]))
        return str(self.random.choice([0, 1, 2, 3, 7, 10, 60, 100, 1000, 86400, 1_000_000]))

    def expression(self, names, depth=0):
        pick = self.random.randrange(4 if depth > 3 else 15)
        again = lambda: self.expression(names, depth + 1)
        if pick <= 1:
            return self.random.choice(names)
        if pick == 2:
            return self.number()
        if pick == 3:
            return 'event.' + self.random.choice(NUMBERS)
        if pick <= 6:
            op = self.random.choice(['+', '-', '+', '-', '*', '&', '|', '^'])
            return f'({again()} {op} {again()})'
        if pick == 7:
            if self.random.randrange(3) == 0:  # rounded up
                return f'(-(-{again()} // {self.random.choice(["1", "6", "64", "1000", "STEP"])}))'
            divisor = self.random.choice(['3', '7', '60', '1024', '1000000', '-7', '1', again()])
            return f'({again()} {self.random.choice(["//", "%"])} {divisor})'
        if pick == 8:
            return f'{self.random.choice(["min", "max"])}({again()}, {again()})'
        if pick == 9:
            return f'({again()} if {self.condition(names, depth + 1)} else {again()})'
        if pick == 10:
            return self.random.choice([f'abs({again()})', f'(-{again()})', f'int({again()})'])
        if pick == 11:
            return f'LIST[{again()} % 5]' if self.random.randrange(4) else f'LIST[{again()}]'
        if pick == 12:
            key = f'{again()} % 12'
            return f'RATES.get({key}, {again()})' if self.random.randrange(3) else f'RATES[{key}]'
        if pick == 13:
            return f'_help{self.random.randrange(2)}(event, {again()}, {again()})'
        return f'({again()} {self.random.choice(["and", "or"])} {again()})'

    def condition(self, names, depth=0):
        pick = self.random.randrange(8)
        again = lambda: self.expression(names, depth + 1)
        if pick <= 2 or depth > 4:
            return f'{again()} {self.random.choice(["<", "<=", "==", "!=", ">", ">="])} {again()}'
        if pick == 3:
            least, most = sorted(self.random.sample([-3, 0, 1, 2, 8, 18, 60, 2 ** 40], 2))
            between = self.random.choice([again(), 'event.hour', 'event.month', 'c'])
            if self.random.randrange(2):
                return f'{least} <= {between} < {most}'
            return f'{again()} <= {again()} < {again()}'
        if pick == 4:
            a, b = self.condition(names, depth + 1), self.condition(names, depth + 1)
            return f'({a} {self.random.choice(["and", "or"])} {b})'
        if pick == 5:
            return f'not ({self.condition(names, depth + 1)})'
        if pick == 6:
            fact = self.random.choice(['service', 'zone', 'direction', 'location'])
            text = self.random.choice(NAMES)
            return self.random.choice([f'event.{fact} == "{text}"', f'event.{fact} != "{text}"',
                                       f'event.{fact} in ("{text}", "home")'])
        return self.random.choice([f'{again()} in (1, 2, 3, 60)', f'{again()} not in RATES',
                                   f'{again()} in LIST'])

    def statements(self, names, indent, depth, out):
        for _ in range(self.random.randrange(1, 4)):
            pick = self.random.randrange(8)
            pad = '    ' * indent
            fixed = [name for name in names if len(name) == 1 and name not in 'ij']
            if pick <= 2 or depth > 2:
                out.append(f'{pad}{self.random.choice(fixed)} = {self.expression(names)}')
            elif pick == 3:
                op = self.random.choice(['+=', '-=', '*=', '//='])
                out.append(f'{pad}{self.random.choice(fixed)} {op} {self.expression(names)}')
            elif pick <= 5:
                out.append(f'{pad}if {self.condition(names)}:')
                self.statements(names, indent + 1, depth + 1, out)
                if self.random.randrange(2):
                    out.append(f'{pad}else:')
                    self.statements(names, indent + 1, depth + 1, out)
            elif pick == 6:
                self.loop(names, indent, depth, out)
            elif self.random.randrange(3) == 0:
                out.append(f'{pad}if {self.condition(names)}:')
                out.append(f'{pad}    return {self.expression(names)}')
            else:
                out.append(f'{pad}pass')

    def loop(self, names, indent, depth, out):
        pad = '    ' * indent
        name = 'i' if depth == 0 else 'j'
        head = self.random.choice([f'{name} in range(5)', f'{name} in range(9, -3, -3)',
                                   f'{name} in range(min({self.random.choice(names)}, 4))',
                                   f'{name} in LIST', f'{name}, k in TIERS', f'{name}, k in DAYS',
                                   f'{name} in (3, 5)'])
        inside = names + [name] + (['k'] if ', k' in head else [])
        out.append(f'{pad}for {head}:')
        self.statements(inside, indent + 1, depth + 1, out)
        if self.random.randrange(2):
            out.append(f'{pad}    if {self.condition(inside)}:')
            out.append(f'{pad}        {self.random.choice(["break", "continue"])}')

    def function(self, name, depth=0):
        # As prices (the event alone), discounts (and the price before) and others are.
        names = self.random.choice([[], ['a'], ['a', 'b']])
        head = ''.join(f', {each}: int' for each in names)
        out = [f'def {name}(event: Event{head}) -> int:',
               f'    c = {names[0] if names else "event.quantity"}', '    d = 0']
        names = names + ['c', 'd']
        self.statements(names, 1, depth, out)
        out.append(f'    return {self.expression(names)}')
        return '\n'.join(out) + '\n'

    def file(self, count):
        parts = ['from tollgate import Event\n', 'LIST = [5, 0, -3, 100, 7]\n', 'STEP = 60\n',
                 'DAYS = [(1, 1), (5, 1), (12, 24), (12, 25), (12, 31)]\n',
                 'RATES = {1: 100, 2: 250, 5: -4, 9: 10 ** 9, 60: 1, 7: 0, 8: 3, 10: 9, 11: 2}\n',
                 'TIERS = [(10, 3), (100, 2), (1000, 1)]\n',
                 'def _help0(event: Event, a: int, b: int) -> int:\n'
                 '    if a > b:\n        return a - b\n    a += 1\n    return a\n',
                 'def _help1(event: Event, a: int, b: int) -> int:\n'
                 '    sum = 0\n    for limit, price in TIERS:\n        if a < limit:\n'
                 '            break\n        sum += price * b\n    return sum\n']
        parts += [self.function(f'f{number}') for number in range(count)]
        return '\n\n'.join(parts)


def load(source, watched):
    tree = ast.parse(source.replace('from tollgate import Event\n', ''))
    if watched:
        body = tree.body
        tree.body = [Watch().visit(node) if isinstance(node, ast.FunctionDef) else node
                     for node in body]
        ast.fix_missing_locations(tree)
    names = {'Event': Event, 'fits': fits}
    exec(compile(tree, 'made', 'exec'), names)
    return names


def outcome_of(function, event, arguments):
    try:
        return 'ok', int(function(event, *arguments))
    except Overflow:
        return 'overflow', 0
    except ZeroDivisionError:
        return 'division_by_zero', 0
    except IndexError:
        return 'index_out_of_range', 0
    except KeyError:
        return 'key_missing', 0


class Trials:
    """One function's line and its events, as the tool writes them."""

    def __init__(self, stream, keys):
        self.stream, self.keys = stream, keys
        line = stream.readline().decode().split()
        self.is_there = bool(line)
        if line:
            self.name, self.parameters, facts, self.count = line[0], *map(int, line[1:])
            self.used = [fact for number, fact in enumerate(FACTS) if facts >> number & 1]

    def records(self):
        """(the event, which is the next one's too; its words, outcome and result last)"""
        size = 8 * (self.parameters + len(self.used) + 2)
        texts = [fact in TEXTS for fact in self.used]
        event = Event()
        left = self.count
        while left:
            part = min(left, 8192)
            data = self.stream.read(part * size)
            for words in struct.iter_unpack(f'={size // 8}q', data):
                for fact, is_text, word in zip(self.used, texts, words[self.parameters:]):
                    setattr(event, fact, self.keys[word] if is_text else word)
                yield event, words
            left -= part


class Judge:
    def __init__(self, source, keys):
        self.plain = load(source, False)
        self.watched = load(source, True)
        self.keys = keys
        self.events = 0
        self.functions = 0
        self.mismatches = []
        self.outcomes = dict.fromkeys(OUTCOMES, 0)

    def judge(self, stream):
        """One function: its line, then its records."""
        trials = Trials(stream, self.keys)
        if not trials.is_there:
            return False
        plain, watched = self.plain[trials.name], self.watched[trials.name]
        for event, words in trials.records():
            arguments = words[:trials.parameters]
            if words[-2] == 0:
                try:
                    if plain(event, *arguments) == words[-1]:
                        continue
                except (ArithmeticError, LookupError):
                    pass
            self.outcomes[OUTCOMES[words[-2]]] += 1
            expected = outcome_of(watched, event, arguments)
            found = (OUTCOMES[words[-2]], words[-1] if words[-2] == 0 else 0)
            if expected != found:
                self.mismatches.append((trials.name, words, expected, found))
        self.events += trials.count
        self.functions += 1
        return True


def usual_calls(tool, path, count, seed):
    """By function of a file, its usual events: (event, arguments) and what they come to."""
    command = [tool, 'usual', str(path), str(count), str(seed)]
    calls = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while (trials := Trials(process.stdout, text_keys(tool))).is_there:
            calls[trials.name] = [((copy.copy(event), *words[:trials.parameters]), words[-1])
                                  for event, words in trials.records()]
    return calls


def text_keys(tool):
    """The numbers that stand for texts, from the tool itself."""
    listed = subprocess.run([tool, 'keys', *NAMES], capture_output=True, check=True).stdout
    return {int(line.split()[1]): line.split()[0] for line in listed.decode().splitlines()}


def compare(tool, functions, events, seed):
    source = Maker(seed).file(functions)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'made.py'
        path.write_text(source)
        judge = Judge(source, text_keys(tool))
        command = [tool, 'check', str(path), str(max(1, events // functions)), str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            while judge.judge(process.stdout):
                pass
        if process.returncode != 0:
            judge.mismatches.append(('the tool', process.returncode))
        if judge.functions * 4 < functions * 3:
            judge.mismatches.append(('too few compile', judge.functions))
    return judge, source


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('tool')
    parser.add_argument('--functions', type=int, default=40)
    parser.add_argument('--events', type=int, default=8000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json', type=pathlib.Path)
    chosen = parser.parse_args()
    judge, source = compare(chosen.tool, chosen.functions, chosen.events, chosen.seed)
    judge.outcomes['ok'] += judge.events - sum(judge.outcomes.values())
    told = {'functions': judge.functions, 'events': judge.events,
            'mismatches': len(judge.mismatches), 'outcomes': judge.outcomes}
    print(json.dumps(told))
    if chosen.json:
        chosen.json.write_text(json.dumps(told) + '\n')
    for one in judge.mismatches[:5]:
        print('mismatch:', one)
    for name in {one[0] for one in judge.mismatches[:1]}:
        begin = source.find(f'def {name}(')
        if begin >= 0:
            print(source[begin:source.find('\n\n\ndef', begin)])
    return 1 if judge.mismatches or not judge.events else 0


if __name__ == '__main__':
    sys.exit(main())
