# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The laboratory of the end to end tests: a network namespace of the test's own, the processes in
it, the appliance behind its tap, and captures of what went over it.

The test process itself moves into a fresh namespace, so every process that it starts is in there
too and nothing has to be removed afterwards: the namespace ends with its last process. Children
are killed when the test ends, however it ends.
"""
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
APPLIANCE = '198.18.0.1'
CLIENT = '198.18.0.2'
PORT = 3868
HUGE_PAGES_FREE_MIN = 384  # of 2 MiB, for an appliance and a generator

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)
children = []


class Failure(Exception):
    """What the test found; its text is the whole report."""


def fail(text):
    raise Failure(text)


def run_test(test):
    """Runs test(work folder) and turns its outcome into an exit code and a readable line."""
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / 'build').resolve()
    name = pathlib.Path(sys.argv[0]).stem
    work = build / 'e2e' / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        enter_namespace()
        test(build, work)
        print(f'{name}: ok')
        return 0
    except Failure as failure:
        print(f'{name}: FAILED: {failure}\nLogs and captures: {work}', file=sys.stderr)
        return 1
    finally:
        for child in children:
            stop(child)


def enter_namespace():
    if os.geteuid() != 0:
        fail('this test makes a network namespace: run it as root')
    if libc.unshare(CLONE_NEWNET) != 0:
        fail(f'no network namespace: {os.strerror(ctypes.get_errno())}')
    run('ip', 'link', 'set', 'lo', 'up')


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*command, timeout_s=60):
    """Runs to the end and returns standard output; anything but exit code 0 fails the test."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout_s, preexec_fn=die_with_parent)
    if done.returncode != 0:
        fail(f'{" ".join(map(str, command))}: exit code {done.returncode}: '
             f'{(done.stderr or done.stdout).strip()[-2000:]}')
    return done.stdout


def start(log, *command, **options):
    """Starts a process whose output goes to a file."""
    with open(log, 'ab') as file:
        child = subprocess.Popen([str(word) for word in command], stdout=file, stderr=file,
                                 preexec_fn=die_with_parent, **options)
    children.append(child)
    return child


def stop(child, patience_s=15):
    """SIGTERM, and after some patience SIGKILL. Returns the exit code."""
    if child.poll() is None:
        child.terminate()
    try:
        return child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def wait_for(what, condition, timeout_s=30, every_s=0.05):
    """Waits until condition() is true; returns its value."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(every_s)
    return fail(f'{what}: not within {timeout_s} s')


def answers_tcp(address=APPLIANCE, port=PORT):
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def tail(log, lines=15):
    return '\n'.join(pathlib.Path(log).read_text(errors='replace').splitlines()[-lines:])


# -- The appliance ---------------------------------------------------------------------------------

class Appliance:
    """build/tollgate on a copy of one of the samples in config/, whose state lies in the test's own
    folder. edits are pairs of a text in the sample and what stands there instead."""

    def __init__(self, build, work, sample, edits=()):
        self.build, self.work = build, work
        self.log = work / 'tollgate.log'
        self.config = work / sample
        self.process = None
        for program in ('tollgate', 'tollctl', 'tollload'):
            if not (build / program).is_file():
                fail(f'{build / program} is missing: build it first (tools/setup)')
        folder = ROOT / 'config'
        text = self.own_paths((folder / sample).read_text(), folder)
        for old, new in edits:
            if text.count(old) != 1:
                fail(f'config/{sample} has "{old}" {text.count(old)} times, not once')
            text = text.replace(old, new)
        self.config.write_text(text)

    def own_paths(self, text, folder):
        """Paths in a configuration are relative to its file: run/NAME becomes the test's folder,
        what else exists beside the sample stays what it is."""
        def moved(match):
            path = match.group(1)
            if path.startswith('../run/'):
                return '"' + re.sub(r'^../run/[^/"]*', str(self.work / 'run'), path) + '"'
            if path and not path.startswith('/') and (folder / path).exists():
                return f'"{folder / path}"'
            return match.group(0)
        return re.sub(r'"([^"\n]*)"', moved, text)

    def start(self):
        self.launch()
        self.wait_until_up()

    def launch(self):
        (self.work / 'run').mkdir(exist_ok=True)
        self.process = start(self.log, self.build / 'tollgate', '--config', self.config)

    def wait_until_up(self):
        wait_for('tollctl', self.is_controlled, timeout_s=60)

    def is_controlled(self):
        self.check_alive()
        return subprocess.run([self.build / 'tollctl', '--config', self.config, '--json', 'stats'],
                              capture_output=True).returncode == 0

    def check_alive(self):
        if self.process.poll() is not None:
            fail(f'tollgate ended with code {self.process.returncode}:\n{tail(self.log)}')

    def stop(self):
        code = stop(self.process, patience_s=30)
        if code != 0:
            fail(f'tollgate stopped with code {code}, not 0:\n{tail(self.log)}')

    def control(self, *words):
        """tollctl --json, decoded."""
        output = run(self.build / 'tollctl', '--config', self.config, '--json', *words)
        try:
            return json.loads(output) if output.strip() else {}
        except ValueError:
            return fail(f'tollctl {" ".join(map(str, words))}: not one JSON object: {output[:500]}')

    def bucket(self, identity, unit='EUR'):
        """(balance, reserved) of the account's buckets of a unit, as whole micro-units."""
        shown = self.control('account', 'show', identity)
        buckets = [bucket for bucket in shown['buckets'] if bucket['unit'] == unit]
        return tuple(sum(micro(bucket[key]) for bucket in buckets)
                     for key in ('balance', 'reserved'))

    def audit(self):
        audit = self.control('audit')
        if audit.get('ok') is not True:
            fail(f'the audit is not clean: {json.dumps(audit)}')
        return audit

    def cdr_lines(self):
        """Every CDR in the CDR files, oldest first. The end of the open one may be half written."""
        folder = self.work / 'run' / 'cdr'
        texts = [path.read_text() for path in sorted(folder.glob('*.jsonl'))]
        texts += [path.read_text().rpartition('\n')[0] for path in folder.glob('*.jsonl.open')]
        return [json.loads(line) for text in texts for line in text.splitlines()]


class TapAppliance(Appliance):
    """config/tap.toml: one process, reached by clients of the kernel in the test's namespace."""

    def __init__(self, build, work, edits=()):
        # A name of its own: two appliances of one name on a machine would share their memory files.
        super().__init__(build, work, 'tap.toml',
                         [('name = "tap"', f'name = "{work.name}"'), *edits])

    def wait_until_up(self):
        wait_for('the tap toll0', self.has_tap)
        run('ip', 'addr', 'replace', f'{CLIENT}/24', 'dev', 'toll0')
        run('ip', 'link', 'set', 'toll0', 'up')
        wait_for(f'TCP {APPLIANCE}:{PORT}', self.is_answering)
        super().wait_until_up()

    def has_tap(self):
        self.check_alive()
        return 'toll0:' in pathlib.Path('/proc/self/net/dev').read_text()

    def is_answering(self):
        self.check_alive()
        return answers_tcp()


class MemifAppliance(Appliance):
    """config/demo.toml made small: a process each for the launcher, the cores and control, reached
    by tollload over memif. What runs on which core is the scheduler's choice."""
    ADDRESS = '198.18.1.1'

    def __init__(self, build, work, cores=(('net0', 'charge0', 'journal0'),), edits=()):
        rows = ', '.join(f'{{ cpu = -1, tiles = {json.dumps(tiles)} }}' for tiles in cores)
        super().__init__(build, work, 'demo.toml', [
            ('name = "demo"', f'name = "{work.name}"'),
            ('dpdk_mib = 256', 'dpdk_mib = 192'),
            ('accounts_max = 1100000', 'accounts_max = 10000'),
            ('sessions_max = 300000', 'sessions_max = 20000\ntariff_mib = 1'),
            ('segment_mib = 256', 'segment_mib = 16'),
            ('segments_ahead = 4', 'segments_ahead = 2'),
            ('cores = [{ cpu = 0, tiles = ["net0", "charge0", "journal0"] }]', f'cores = [{rows}]'),
            *edits])

    def launch(self):
        reserve_huge_pages(HUGE_PAGES_FREE_MIN)
        super().launch()

    def load_words(self):
        """What tells tollload the way to this appliance."""
        return ['--transport', 'memif', '--to', self.ADDRESS, '--memif-socket',
                self.work / 'run' / 'memif.sock', '--memory-mib', 128]


def reserve_huge_pages(free_min):
    """Makes the pool as much larger as pages are missing."""
    setting = pathlib.Path('/proc/sys/vm/nr_hugepages')
    meminfo = pathlib.Path('/proc/meminfo').read_text()
    missing = free_min - int(re.search(r'HugePages_Free: *(\d+)', meminfo).group(1))
    if missing > 0:
        setting.write_text(str(int(setting.read_text()) + missing))


def micro(text):
    """"9.50" -> 9500000, exactly."""
    whole, _, fraction = text.strip().partition('.')
    value = int(whole.lstrip('-') or 0) * 1000000 + int(fraction.ljust(6, '0') or 0)
    return -value if whole.startswith('-') else value


def expect(what, got, wanted):
    if got != wanted:
        fail(f'{what}: got {got}, expected {wanted}')
