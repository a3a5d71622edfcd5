#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The disk becomes full under load: charges are refused with TOO_BUSY, what was answered stays, and
when there is room again it goes on. A disk of its own, in a file, is made for it."""
import json
import os
import signal
import sys
import time

from counting import check_all, load_words, provision, read_record
from lab import APPLIANCE, CLONE_NEWNS, TapAppliance, fail, libc, run, run_test, start, wait_for

RATE = 4000
SECONDS = 300  # more than it takes: it is stopped
DISK_MIB = 160


def test(build, work):
    folder = work / 'disk-full'
    disk = folder / 'run'
    disk.mkdir(parents=True)
    mount_small_disk(folder / 'disk.img', disk)
    appliance = TapAppliance(build, folder, [('segment_mib = 32', 'segment_mib = 8')])
    appliance.start()
    provision(appliance)
    record = folder / 'load.jsonl'
    load = start(folder / 'load.log', build / 'tollload', *load_words(record), '--transport',
                 'kernel', '--to', APPLIANCE, '--connections', 2, '--rate', RATE,
                 '--duplicates', 20, '--seconds', SECONDS, '--json', folder / 'load.json')
    wait_for('the load', lambda: result_count(appliance, '2001') > RATE)
    filler = disk / 'filler'
    fill(filler)
    wait_for('TOO_BUSY', lambda: result_count(appliance, '3004') > 100, timeout_s=60)
    granted = result_count(appliance, '2001')
    time.sleep(1)
    if result_count(appliance, '2001') > granted:
        fail('charges go on although the journal has no room')
    appliance.audit()
    print(f'{granted} charged, then TOO_BUSY; the disk has room again')
    filler.unlink()
    wait_for('charges go on', lambda: result_count(appliance, '2001') > granted + RATE)
    load.send_signal(signal.SIGINT)
    if load.wait(60) != 0:
        fail(f'tollload found wrong answers: {(folder / "load.log").read_text()[-2000:]}')
    print(json.loads((folder / 'load.json').read_text())['result_codes'])
    sessions = read_record(record)
    for is_again in (False, True):
        if is_again:
            appliance.stop()
            appliance.start()
        check_all(appliance, sessions)
    appliance.stop()


def mount_small_disk(image, folder):
    """The mount is seen by this test and its children only, and ends with them."""
    if libc.unshare(CLONE_NEWNS) != 0:
        fail('no mount namespace: is this root?')
    run('mount', '--make-rprivate', '/')
    with open(image, 'wb') as file:
        file.truncate(DISK_MIB << 20)
    run('mkfs.ext4', '-q', '-m', '0', image)
    run('mount', '-o', 'loop', image, folder)


def fill(path):
    """Takes all that is left: large pieces first, then what still fits."""
    with open(path, 'wb') as file:
        taken = 0
        for size in (1 << 20, 4096):
            try:
                while True:
                    os.posix_fallocate(file.fileno(), taken, size)
                    taken += size
            except OSError:
                continue


def result_count(appliance, code):
    appliance.check_alive()
    return appliance.control('stats')['result_codes'].get(code, 0)


if __name__ == '__main__':
    sys.exit(run_test(test))
