#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""kill -9 of a core, of control and of the launcher, each under load; then everything is counted.

    kill_test.py BUILD [ROUNDS]

tollload keeps its own record of each request and its answer, and sends again what a dead connection
left unanswered. Afterwards the ledger must agree with that record: every answered debit is there
once, none twice, whatever was killed in between; CDRs are complete and single; the audit is clean;
and a stop and another start change nothing of that. Journals grow from round to round.
Snapshots are taken every second, so that kills fall into them, and starts begin with one.

Two appliances are tried: one over memif, whose core and control are processes of their own, and one
on a tap, whose only process is everything, and whose clients find it again after its death.
"""
import os
import signal
import sys
import time

from counting import check_all, load_words, provision, read_record
from lab import APPLIANCE, MemifAppliance, TapAppliance, fail, run_test, start, wait_for

ROUNDS = 5
RATE = 2000   # requests a second
SETTLE_S = 1  # of load before each kill
SNAPSHOTS = ('[state]', '[snapshot]\ninterval_seconds = 1\njournal_mib = 8\n\n[state]')


def test(build, work):
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    for name, appliance_class, play in (('memif', MemifAppliance, play_memif),
                                        ('tap', TapAppliance, play_tap)):
        folder = work / f'kill-{name}'
        folder.mkdir()
        appliance = appliance_class(build, folder, edits=[SNAPSHOTS])
        appliance.start()
        provision(appliance)
        sessions = {}
        for number in range(1, rounds + 1):
            print(f'-- {name}, round {number} of {rounds}')
            record = folder / f'load-{number}.jsonl'
            play(appliance, record)
            sessions.update(read_record(record))
            for is_again in (False, True):
                if is_again:
                    appliance.stop()
                    appliance.start()
                check_all(appliance, sessions)
        appliance.stop()
        check_files(appliance)


def check_files(appliance):
    """The folder of the stopped appliance is whole, and the starts began with snapshots."""
    report = appliance.control('journal', 'verify', appliance.work / 'run' / 'journal')
    if report['ok'] is not True or len(report['snapshots']) != 2:
        fail(f'the journal folder is not whole: {report}')
    starts = [line for line in appliance.log.read_text().splitlines() if 'recovered' in line]
    if not any('snapshot' in line for line in starts):
        fail(f'no start began with a snapshot: {starts}')


def start_load(appliance, record, seconds, *words):
    log = record.with_suffix('.log')
    load = start(log, appliance.build / 'tollload', *load_words(record), '--connections', 2,
                 '--rate', RATE, '--seconds', seconds, '--duplicates', 20, '--reconnect', *words)
    before = answered_count(appliance)
    wait_for('the load', lambda: load.poll() is not None or
             answered_count(appliance) > before + RATE // 2)
    if load.poll() is not None:
        fail(f'tollload ended at once: {log.read_text()}')
    return load


def play_memif(appliance, record):
    """The core and control are started again beside the living port. With the launcher all of them
    die, and the port: what was under way then is never answered."""
    load = start_load(appliance, record, 60, '--connect-timeout', 8, '--answer-timeout', 8,
                      '--no-terminate', *appliance.load_words())
    for kind in ('core', 'control'):
        kill(appliance, kind)
        wait_for_load(appliance, kind)
    # The load stands still while its port goes away: DPDK's memif unmaps it in another thread.
    kill(appliance, 'launcher', just_before=lambda: load.send_signal(signal.SIGSTOP))
    load.send_signal(signal.SIGINT)  # it ends when the answers under way are overdue
    load.send_signal(signal.SIGCONT)
    if wait_for_end(load) < 0:
        fail(f'tollload died: {record.with_suffix(".log").read_text()}')
    appliance.start()


def play_tap(appliance, record):
    """The kernel's clients connect again, send again, and come to their end: all is answered. If
    all that was sent had arrived, a client learns of the death only from its watchdog."""
    load = start_load(appliance, record, 6, '--transport', 'kernel', '--to', APPLIANCE,
                      '--connect-timeout', 60, '--answer-timeout', 60)
    kill(appliance, 'launcher')
    appliance.start()
    if wait_for_end(load) != 0:
        fail(f'tollload found wrong answers: {record.with_suffix(".log").read_text()}')


def wait_for_end(load):
    wait_for('the end of the load', lambda: load.poll() is not None, timeout_s=120)
    return load.returncode


# -- Killing ---------------------------------------------------------------------------------------

def processes(appliance, kind):
    listed = appliance.control('stats')['processes']
    return [process['pid'] for process in listed if process['name'].startswith(kind)]


def answered_count(appliance):
    return appliance.control('stats')['cca_sent'] if appliance.is_controlled() else 0


def kill(appliance, kind, just_before=lambda: None):
    """Kills one process under load; its launcher starts another, or everything has ended."""
    time.sleep(SETTLE_S)
    pids = processes(appliance, kind)
    if not pids:
        fail(f'stats names no process {kind}')
    print(f'killing {kind}, pid {pids[0]}, after {answered_count(appliance)} answers')
    just_before()
    os.kill(pids[0], signal.SIGKILL)
    if kind == 'launcher':
        wait_for('the death of the launcher', lambda: appliance.process.poll() is not None)
    else:
        wait_for(f'another {kind}', lambda: is_replaced(appliance, kind, pids[0]))


def wait_for_load(appliance, kind):
    resumed = answered_count(appliance)
    wait_for(f'answers after the death of {kind}',
             lambda: answered_count(appliance) > resumed + RATE)


def is_replaced(appliance, kind, pid):
    return appliance.is_controlled() and [
        found for found in processes(appliance, kind) if found != pid]


if __name__ == '__main__':
    sys.exit(run_test(test))
