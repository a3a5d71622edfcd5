# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""What tools/demo and tools/bench share: starting an appliance and what drives it, asking it by
tollctl, and ending everything that was started.

Whatever is started here ends with the script: children get SIGTERM at the end, however that comes,
and the kernel kills them if the script itself is killed. Nobody else's process is touched.
"""
import ctypes
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / 'build'
FIRST_MSISDN = 46_700_000_000  # tollload's defaults
FIRST_IMSI = 240_010_000_000_000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)
children = []


class Failure(Exception):
    """Why the script ends early; its text is one sentence for people."""


def fail(text):
    raise Failure(text)


def say(text=''):
    print(text, flush=True)


def main(name, work):
    """Runs work() -> exit code; whatever happens, ends what was started."""
    def interrupted(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        return work()
    except Failure as failure:
        print(f'{name}: {failure}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f'{name}: stopped', file=sys.stderr)
        return 130
    finally:
        for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(stopping, signal.SIG_IGN)  # the end is short and not interrupted
        for child in reversed(children):
            end(child)


# -- Processes -------------------------------------------------------------------------------------

def die_with_parent():
    # Ctrl-C reaches this script only, which then ends its children in order.
    os.setpgid(0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(*command, **options):
    child = subprocess.Popen([str(word) for word in command], preexec_fn=die_with_parent, **options)
    children.append(child)
    return child


def end(child, patience_s=30):
    """SIGTERM, SIGKILL after some patience. Returns the exit code."""
    if child.poll() is None:
        child.terminate()
    try:
        return child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def run(*command, **options):
    """Runs to the end; its output is the script's. Anything but exit code 0 ends the script."""
    child = start(*command, **options)
    if child.wait() != 0:
        fail(f'{" ".join(str(word) for word in command)} ended with code {child.returncode}')


def prepare(huge_mib):
    """Packages, build and huge pages: quick when there is nothing to do."""
    if os.geteuid() != 0:
        fail('run it as root: huge pages and the memory of other processes need it')
    run(ROOT / 'tools' / 'setup', cwd=ROOT)
    run(ROOT / 'tools' / 'hugepages', '--mib', huge_mib)


def cpu_of_load():
    """A processor for the load beside processor 0, where the appliance's core is; else that one."""
    return 1 if (os.cpu_count() or 1) > 1 else 0


# -- The appliance ---------------------------------------------------------------------------------

class Appliance:
    """build/tollgate on a configuration whose state lies in `folder`."""

    def __init__(self, config, folder, name):
        self.config, self.folder, self.name = config, folder, name
        self.log = folder / 'tollgate.log'
        self.memif_socket = folder / 'memif.sock'
        self.process = None

    def start(self, patience_s=120):
        """Returns when it answers tollctl and its tariff is in force."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, 'ab') as log:
            self.process = start(BUILD / 'tollgate', '--config', self.config,
                                 stdout=log, stderr=log)
        until = time.monotonic() + patience_s
        while not self.is_ready():
            if self.process.poll() is not None:
                fail(f'tollgate ended with code {self.process.returncode}: {self.last_words()}')
            if time.monotonic() > until:
                fail(f'tollgate is not ready after {patience_s} s: {self.last_words()}')
            time.sleep(0.05)

    def is_ready(self):
        try:
            self.ask('stats')
            return bool(self.ask('tariff', 'list').get('plans'))
        except Failure:
            return False

    def stop(self):
        """Returns the exit code: 0 if it stopped cleanly."""
        return end(self.process)

    def last_words(self):
        lines = self.log.read_text(errors='replace').strip().splitlines()
        return lines[-1] if lines else f'{self.log} is empty'

    def command(self, *words):
        return [str(BUILD / 'tollctl'), '--config', str(self.config), *map(str, words)]

    def ask(self, *words):
        """tollctl --json, decoded."""
        done = subprocess.run(self.command('--json', *words), capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return fail(f'tollctl {" ".join(words)}: {done.stderr.strip() or done.stdout[:200]}')

    def show(self, *words):
        """A command as a person would type it, with what it prints."""
        say(f'$ tollctl {" ".join(map(str, words))}')
        done = subprocess.run(self.command(*words), capture_output=True, text=True)
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            say(f'  {line}')
        return done.returncode

    def import_subscribers(self, count, plan, balance):
        """By CSV file, as an operator would; tollctl tells its progress."""
        path = self.folder / 'subscribers.csv'
        with open(path, 'w') as file:
            file.write('account,msisdn,imsi,plan,balance\n')
            file.writelines(f's{i},{FIRST_MSISDN + i},{FIRST_IMSI + i},{plan},{balance}\n'
                            for i in range(count))
        run(*self.command('account', 'import', path))


def fresh_folder(folder):
    """Empties a folder of this script's own under run/."""
    if ROOT / 'run' not in folder.parents:
        fail(f'{folder} is not below {ROOT / "run"}')
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def load_command(transport, *words):
    return [BUILD / 'tollload', '--transport', transport, '--core', cpu_of_load(), *words]


def read_json(path, what):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as why:
        return fail(f'{what} left no result: {why}')


# -- The machine -----------------------------------------------------------------------------------

def machine():
    """What stands beside every measured figure."""
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    model = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    memory = pathlib.Path('/proc/meminfo').read_text().split()[1]
    return {'processor': model[0] if model else platform.processor(), 'processors': os.cpu_count(),
            'memory_gib': round(int(memory) / 2**20, 1), 'kernel': platform.release(),
            'load_at_start': round(os.getloadavg()[0], 2)}


def machine_text(about):
    return (f'{about["processors"]} x {about["processor"]}, {about["memory_gib"]} GiB, Linux '
            f'{about["kernel"]}, load {about["load_at_start"]} at start')
