#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The house style as a test.

    tests/tidy.py [--build DIR] [GROUP...]

Groups: text, size, functions, arrows, headers, dead, banned, format. Without a group all of them
run. Each finding is one line, "file:line: what is wrong, and what to write instead", so that an
editor can jump to it. Exit 0 only without findings. Nothing here is a matter of taste that a tool
could settle: clang-format settles it.
"""
import argparse
import ast
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1000
FILE_LINES_P95_MAX = 750

# Functions that may be longer, "file:name": reason. Empty, and meant to stay so.
LONG_FUNCTIONS = {}

CODE = {'.cc', '.hh', '.c', '.h'}
SCRIPTS = {'.py', '.sh', '.erl', '.dia', '.toml', '.tariff', '.steps', '.proto'}
PACKET_PATH = ('dataplane', 'diameter', 'rating', 'ledger', 'app')

# Which folders a folder may include. Arrows point down only; the four in the middle do not see
# each other (app is where they meet), which keeps each of them testable alone.
ARROWS = {
    'base': {'base'},
    'dataplane': {'base', 'dataplane'},
    'diameter': {'base', 'diameter'},
    'rating': {'base', 'rating'},
    'ledger': {'base', 'ledger'},
    'app': {'base', 'dataplane', 'diameter', 'rating', 'ledger', 'app'},
    'app/launch': None,  # the program that starts all the others, control among them
    'control': {'base', 'control', 'ledger', 'rating'},
    'tools': None,  # None: everything
    'tests': None,
}

# Of the ledger and of rating, control sees what describes records and images, never what moves
# money: the shard that owns an account is the only one that writes to it.
CONTROL_NEVER_SEES = re.compile(r'ledger/(shard|reserve|debit|release|charge|expire)\w*\.hh$')

# Found by lwIP under these names, in dataplane/lwip.
LWIP_OVERLAY = {'lwipopts.h', 'arch/cc.h', 'tollgate_hooks.h'}
DPDK_AND_LWIP = re.compile(r'^(rte_\w+\.h|lwip/.*|netif/.*|usrsctp\.h)$')

# Threads of recovery wait for each other before any core polls: they may use locks.
BEFORE_THE_PACKETS = {'ledger/group_feed.cc', 'ledger/group_feed.hh'}

# (pattern, folders or suffixes or None for all, what to use instead). Tests, benches and fuzzers of
# a folder may do what the packet path may not (see is_beside_code).
BANNED = [
    (r'\bv?sprintf\s*\(', None, 'fmt::format_to_n or std::snprintf, which know the size'),
    (r'\bstr(n?cpy|n?cat)\s*\(', None, 'std::memcpy with a checked length, or std::string_view'),
    (r'\b(gets|strtok)\s*\(', None, 'std::string_view and find'),
    (r'\b(atoi|atol|atoll|atof|strtol|strtoul|strtod)\s*\(', ('.cc', '.hh'),
     'std::from_chars, which reports mistakes'),
    (r'(?<![\w.:>])(std::)?s?rand\s*\(', None,
     'a seeded generator, so that a failing run can be repeated'),
    (r'\bstd::endl\b', None, "'\\n'"),
    (r'(?<![\w_])assert\s*\(|<cassert>|<assert\.h>', None,
     'check() of base/check.hh, on in all builds'),
    (r'\busing namespace\b', ('.hh',), 'names: who includes a header has not asked for all of it'),
    (r'\b(float|double)\b', ('ledger', 'rating'), 'the integer amounts of base/amount.hh'),
    (r'\bstd::chrono\b|<chrono>|\bgettimeofday\s*\(|\bclock_gettime\s*\(', PACKET_PATH,
     'the clock of base/time.hh, which the simulator can replace'),
    (r'\bstd::(mutex|lock_guard|unique_lock|scoped_lock|condition_variable|shared_mutex)\b',
     PACKET_PATH, 'a link of base/: one writer each, no locks'),
    (r'\bthrow\b', ('base', 'dataplane', 'diameter', 'ledger'),
     'an outcome enum: the packet path has no exceptions'),
    (r'\bstd::regex\b', PACKET_PATH, 'a hand-written match: std::regex allocates and recurses'),
    (r'\b(std::map|std::unordered_map|std::list)\s*<', ('dataplane', 'diameter', 'ledger'),
     'a table of fixed size: the packet path does not allocate'),
]


NOT_OURS = re.compile(r'(build|run|third_party|\.git|\.cache)\b')


def tree_files():
    """Every file of the project, tracked or about to be; build folders and fetched code not."""
    try:
        listed = subprocess.run(
            ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
            cwd=ROOT, capture_output=True, check=True).stdout.decode().split('\0')
        names = [name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive without git
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob('*')
                 if not NOT_OURS.match(str(path.relative_to(ROOT)))]
    paths = [ROOT / name for name in sorted(set(names))]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def relative(path):
    return str(path.relative_to(ROOT))


def folder(path):
    return path.relative_to(ROOT).parts[0]


def is_beside_code(path):
    return re.search(r'_(test|bench|fuzz|fixture)$', path.stem) is not None


def is_text(path):
    first_line = b''
    if path.suffix == '' and path.name not in ('LICENSE',):
        with path.open('rb') as file:
            first_line = file.readline(80)
    return (path.suffix in CODE | SCRIPTS or path.name in ('meson.build', 'meson_options.txt')
            or first_line.startswith(b'#!'))


def code_files(files, suffixes=CODE):
    return [path for path in files if path.suffix in suffixes]


def without_comments(text):
    """The code with comments and literals blanked, line by line the same length in lines."""
    def blank(match):
        found = match.group(0)
        if found.startswith('/'):
            return ' ' + '\n' * found.count('\n')
        return found[0] + '\n' * found.count('\n') + found[0] if found[0] in '"\'' else '""'
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'
        r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z])\'(?:\\.|[^\'\\\n])+\'', re.S)

    def keep_lines(match):
        if match.group(0).startswith('R"'):
            return '""' + '\n' * match.group(0).count('\n')
        return blank(match)
    return pattern.sub(keep_lines, text)


def check_text(files, _build):
    """Columns, tabs, trailing spaces, the licence line, nothing left for later."""
    later = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X)\b')
    for path in files:
        if not is_text(path):
            continue
        lines = path.read_text(errors='replace').split('\n')
        for number, line in enumerate(lines, 1):
            at = f'{relative(path)}:{number}: '
            if len(line) > COLUMNS_MAX and 'http' not in line:
                yield f'{at}{len(line)} columns, at most {COLUMNS_MAX}'
            if '\t' in line:
                yield f'{at}a tab: use spaces'
            if line.endswith((' ', '\r')):
                yield f'{at}space at the end of the line'
            if later.search(line):
                yield f'{at}"{later.search(line).group(0)}": do it now or write an issue'
        if lines[-1] != '' or (len(lines) > 2 and lines[-2] == ''):
            yield f'{relative(path)}:{len(lines)}: end the file with exactly one newline'
        yield from check_licence(path, lines)


def check_licence(path, lines):
    head = lines[1:3] if lines[0].startswith('#!') else lines[:2]
    if not any('SPDX-License-Identifier: Apache-2.0' in line for line in head):
        yield f'{relative(path)}:1: "SPDX-License-Identifier: Apache-2.0" belongs in the first line'
    elif path.suffix in CODE and 'Copyright the Tollgate authors' not in head[1]:
        yield f'{relative(path)}:2: "// Copyright the Tollgate authors" belongs in the second line'


def check_size(files, _build):
    """File lengths: no giants. Prints the statistics that the house numbers speak of."""
    lengths = sorted((len(path.read_text(errors='replace').splitlines()), relative(path))
                     for path in code_files(files))
    for lines, name in lengths:
        if lines > FILE_LINES_MAX:
            yield f'{name}:1: {lines} lines, at most {FILE_LINES_MAX}: split it by what it is about'
    if not lengths:
        return
    median = lengths[len(lengths) // 2][0]
    p95 = lengths[min(len(lengths) - 1, len(lengths) * 95 // 100)][0]
    print(f'{len(lengths)} files of code: median {median} lines, 95th percentile {p95}, '
          f'longest {lengths[-1][1]} with {lengths[-1][0]}')
    if p95 > FILE_LINES_P95_MAX:
        yield (f'{lengths[-1][1]}:1: 95th percentile of file lengths {p95}, '
               f'at most {FILE_LINES_P95_MAX}')


NOT_A_FUNCTION = re.compile(
    r'^(?:if|for|while|switch|do|else|try|catch|namespace|class|struct|enum|union|extern|return)\b')
AFTER_PARAMETERS = re.compile(
    r'\)\s*(const|noexcept(\([^)]*\))?|override|final|&|->[^;{}]*|requires[^;{}]*|:[^:][^;]*|\s)*$',
    re.S)


def without_template(head):
    """The head without its leading "template <...>", whose brackets may nest."""
    while head.startswith('template'):
        depth = 0
        for position, character in enumerate(head):
            depth += (character == '<') - (character == '>')
            if character == '>' and depth == 0:
                break
        head = head[position + 1:].strip()
    return head


def is_function_head(head):
    """Whether the text between the last ; { } and an opening brace begins a function body."""
    head = re.sub(r'^\s*#.*$', '', head, flags=re.M)
    head = without_template(re.sub(r'\[\[[^\]]*\]\]', ' ', head).strip())
    head = re.sub(r'\boperator\s*(\(\)|[^\s\w(]+)', 'operator_', head)
    if '(' not in head or NOT_A_FUNCTION.match(head) or '=' in head.split('(', 1)[0]:
        return False
    return AFTER_PARAMETERS.search(head) is not None


def function_spans(text):
    """(name, first line, last line) of each function body; a lambda counts with its function."""
    code = without_comments(text)
    spans, outer, head_begin, function = [], [], 0, None
    for position, character in enumerate(code):
        if character == '{':
            head = code[head_begin:position]
            # clang-format writes a space before a body and none before an initialiser.
            is_initialiser = position > 0 and not code[position - 1].isspace()
            outer.append(head_begin if is_initialiser else None)
            if not is_initialiser and function is None and is_function_head(head):
                begin = head_begin + len(head) - len(head.lstrip())
                name = re.search(r'([~\w:]+|operator\S+)\s*\(', head)
                function = (name.group(1) if name else '?', code.count('\n', 0, begin) + 1,
                            len(outer))
            head_begin = head_begin if is_initialiser else position + 1
        elif character == '}' and outer:
            if function is not None and len(outer) == function[2]:
                spans.append((function[0], function[1], code.count('\n', 0, position) + 1))
                function = None
            resumed = outer.pop()
            head_begin = position + 1 if resumed is None else resumed
        elif character == ';':
            head_begin = position + 1
    return spans


def python_spans(text):
    return [(node.name, node.lineno, node.end_lineno) for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def check_functions(files, _build):
    """A function fits on a screen."""
    longest = (0, '')
    for path in files:
        if path.suffix in CODE:
            spans = function_spans(path.read_text())
        elif path.suffix == '.py':
            spans = python_spans(path.read_text())
        else:
            continue
        for name, first, last in spans:
            lines = last - first + 1
            longest = max(longest, (lines, f'{relative(path)}:{first} {name}'))
            if lines > FUNCTION_LINES_MAX and f'{relative(path)}:{name}' not in LONG_FUNCTIONS:
                yield (f'{relative(path)}:{first}: {name} has {lines} lines, at most '
                       f'{FUNCTION_LINES_MAX}: find the step that deserves a name')
    print(f'longest function: {longest[0]} lines, {longest[1]}')


INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def includes(text):
    """(line, quoted or not, name) of each include."""
    for match in INCLUDE.finditer(text):
        yield text.count('\n', 0, match.start(2)) + 1, match.group(1) == '"', match.group(2)


def is_from_root(name, build):
    """A file of the tree, or one that a meson.build of the folder generates."""
    if (ROOT / name).is_file() or (build / name).is_file():
        return True
    rules = ROOT / os.path.dirname(name) / 'meson.build'
    return '/' in name and rules.is_file() and os.path.basename(name) in rules.read_text()


def check_arrows(files, build):
    """base <- {dataplane, diameter, rating, ledger} <- app; DPDK and lwIP in dataplane only."""
    for path in code_files(files):
        here = folder(path)
        if relative(path.parent) in ARROWS:
            here = relative(path.parent)
        if here not in ARROWS:
            continue
        allowed = ARROWS[here]
        for line, quoted, name in includes(path.read_text()):
            at = f'{relative(path)}:{line}: '
            if DPDK_AND_LWIP.match(name) and here != 'dataplane':
                yield f'{at}<{name}> only inside dataplane/: use its streams and ports'
            target = name.split('/')[0]
            if quoted and path.suffix in ('.cc', '.hh') and not DPDK_AND_LWIP.match(name):
                if not is_from_root(name, build) and name not in LWIP_OVERLAY:
                    yield f'{at}"{name}": write includes from the root of the tree'
            if target in ARROWS and allowed is not None and target not in allowed:
                yield f'{at}{here}/ must not include {target}/ ("{name}"): see docs/architecture.md'
            if here == 'control' and CONTROL_NEVER_SEES.search(name):
                yield f'{at}control/ sees records and images, not "{name}": send a command instead'


def compile_flags(build):
    """Folder -> compiler command without its input and output, from compile_commands.json."""
    entries = json.loads((build / 'compile_commands.json').read_text())
    flags = {}
    for entry in entries:
        source = pathlib.Path(os.path.normpath(os.path.join(entry['directory'], entry['file'])))
        words = shlex.split(entry['command'])
        kept, skip = [], False
        for word in words:
            if skip or word in ('-o', '-MF', '-MQ'):
                skip = not skip
            elif word not in ('-c', '-MD', entry['file']) and not word.startswith('-fsanitize'):
                kept.append(word)
        flags[str(source)] = (kept, entry['directory'])
    return flags


def flags_for(header, flags):
    """The command of the header's own .cc, else the longest one of its folder (it sees most)."""
    for suffix in ('.cc', '_test.cc'):
        own = str(header.with_name(header.stem + suffix))
        if own in flags:
            return flags[own]
    for where in (header.parent, header.parent.parent):
        beside = [value for name, value in flags.items()
                  if pathlib.Path(name).parent == where and name.endswith('.cc')]
        if beside:
            return max(beside, key=lambda value: len(value[0]))
    return None


def content_key(header, command, build, contents):
    """A hash of the command and of every project header that the header reaches."""
    digest = hashlib.sha256('\0'.join(command).encode())
    queue, reached = [header], {header}
    while queue:
        path = queue.pop()
        if path not in contents:
            contents[path] = path.read_bytes()
        digest.update(contents[path])
        for _, _, name in includes(contents[path].decode(errors='replace')):
            for found in (ROOT / name, build / name):
                if found.is_file() and found not in reached:
                    reached.add(found)
                    queue.append(found)
    return digest.hexdigest()


def compile_alone(header, command, directory):
    """The first error of a translation unit that holds nothing but this header, twice."""
    unit = f'#include "{relative(header)}"\n' * 2
    run = subprocess.run(command + ['-I', str(ROOT), '-fdiagnostics-color=never', '-fsyntax-only',
                                    '-x', 'c++', '-'],
                         input=unit, cwd=directory, capture_output=True, text=True)
    if run.returncode == 0:
        return None
    errors = [line for line in run.stderr.splitlines() if 'error' in line]
    return (errors or run.stderr.splitlines() or ['the compiler failed'])[0]


def check_headers(files, build):
    """Each header compiles alone, so that the order of includes never matters."""
    flags = compile_flags(build)
    cache_file = build / 'tidy-headers.json'
    try:
        good = set(json.loads(cache_file.read_text()))
    except (OSError, ValueError):
        good = set()
    contents, jobs, kept = {}, [], set()
    for header in code_files(files, {'.hh'}):
        found = flags_for(header, flags)
        if found is None:
            yield f'{relative(header)}:1: no source beside it is compiled: is the folder built?'
            continue
        key = content_key(header, found[0], build, contents)
        if key in good:
            kept.add(key)
        else:
            jobs.append((header, found, key))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda job: compile_alone(job[0], *job[1]), jobs)
        for (header, _, key), error in zip(jobs, results):
            if error is None:
                kept.add(key)
            else:
                yield f'{relative(header)}:1: does not compile alone: {error}'
    cache_file.write_text(json.dumps(sorted(kept)))
    print(f'{len(jobs)} headers compiled, {len(kept)} good')


def check_dead(files, build):
    """Every source is built by somebody, every header included by somebody."""
    compiled = set(compile_flags(build))
    included = set()
    for path in code_files(files):
        for _, quoted, name in includes(path.read_text()):
            included |= {str(ROOT / name), str(path.parent / name)} if quoted else set()
            included.add(str(ROOT / name))
    builds = {path.parent: path.read_text() for path in files if path.name == 'meson.build'}
    for path in code_files(files):
        if path.suffix in ('.hh', '.h'):
            foreign = folder(path) == 'subprojects' or 'lwip' in path.parts  # lwIP includes them
            if str(path) not in included and not foreign:
                yield f'{relative(path)}:1: included nowhere: delete it or use it'
        elif str(path) not in compiled and not is_named(path, builds):
            yield f'{relative(path)}:1: in no meson.build: delete it or build it'


def is_named(path, builds):
    """Whether a meson.build at or above names the file or its stem (as foreach lists do)."""
    stem = re.sub(r'_(test|bench|fuzz)$', '', path.stem)
    above = [builds[parent] for parent in path.parents if parent in builds]
    return any(f"'{name}'" in text or f"/{name}'" in text
               for text in above for name in (path.name, path.stem, stem))


def check_banned(files, _build):
    """Calls that have a better one here."""
    for path in code_files(files):
        lines = without_comments(path.read_text()).split('\n')
        raw = path.read_text().split('\n')
        for pattern, where, instead in BANNED:
            if where is not None and path.suffix not in where and (
                    folder(path) not in where or is_beside_code(path) or
                    relative(path) in BEFORE_THE_PACKETS):
                continue
            for number, line in enumerate(lines, 1):
                # An include's name is blanked as a literal: look at the line as written.
                text = raw[number - 1] if line.lstrip().startswith('#') else line
                found = re.search(pattern, text)
                if found:
                    yield f'{relative(path)}:{number}: {found.group(0).strip()}: use {instead}'


def check_format(files, _build):
    """clang-format has the last word."""
    names = [relative(path) for path in code_files(files) if folder(path) != 'subprojects']
    batches = [names[i::os.cpu_count() * 2] for i in range(os.cpu_count() * 2)]

    def dry_run(batch):
        if not batch:
            return ''
        return subprocess.run(['clang-format-14', '--dry-run', '--Werror', *batch], cwd=ROOT,
                              capture_output=True, text=True).stderr
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        output = ''.join(pool.map(dry_run, batches))
    found = {}
    for match in re.finditer(r'^(\S+?):(\d+):\d+: error: code should be', output, re.M):
        found.setdefault(match.group(1), match.group(2))
    for name, line in sorted(found.items()):
        yield f'{name}:{line}: not formatted: clang-format-14 -i {name}'


GROUPS = {'text': check_text, 'size': check_size, 'functions': check_functions,
          'arrows': check_arrows, 'headers': check_headers, 'dead': check_dead,
          'banned': check_banned, 'format': check_format}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', type=pathlib.Path, default=ROOT / 'build',
                        help='a configured build folder (default: build)')
    parser.add_argument('groups', nargs='*', metavar='GROUP', help=', '.join(GROUPS))
    options = parser.parse_args()
    unknown = [group for group in options.groups if group not in GROUPS]
    if unknown:
        parser.error(f'no group {unknown[0]}: there are {", ".join(GROUPS)}')
    files, findings = tree_files(), 0
    for group in options.groups or GROUPS:
        for finding in GROUPS[group](files, options.build.resolve()):
            print(finding)
            findings += 1
    print(f'{findings} findings')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
