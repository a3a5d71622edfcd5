#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Starts that cannot be: each is told in one clear sentence with exit code 2, and nothing on disk
is touched; then the appliance starts as before, with its accounts. Mistakes in tariffs and tables
are told with line and column, and nothing of them is taken."""
import hashlib
import json
import re
import shutil
import subprocess
import sys

from lab import ROOT, MemifAppliance, TapAppliance, expect, fail, micro, run_test

PAGE = 4096
ACCOUNTS = 20


def test(build, work):
    folder = work / 'bad-starts'
    folder.mkdir()
    appliance = TapAppliance(build, folder)
    appliance.start()
    for number in range(ACCOUNTS):
        appliance.control('account', 'add', f'a{number}', '--identity',
                          f'msisdn:4670000000{number}', '--plan', 'prepaid', '--balance', '1.00EUR')
    check_second_start(appliance)
    check_tariff_mistake(appliance)
    check_table_mistake(appliance)
    appliance.stop()
    check_configurations(appliance)
    check_huge_pages(build, work)
    check_journals(appliance)
    appliance.start()
    for number in range(ACCOUNTS):
        expect(f'balance of a{number} after all of that',
               appliance.bucket(f'msisdn:4670000000{number}'), (micro('1.00'), 0))
    appliance.audit()
    appliance.stop()


def refused(appliance, what, pattern, config=None):
    """A start that must be refused, in one line that matches pattern."""
    before = fingerprint(appliance.work / 'run')
    done = subprocess.run([appliance.build / 'tollgate', '--config', config or appliance.config],
                          capture_output=True, text=True, timeout=60)
    expect(f'exit code with {what} (it says: {done.stderr.strip()})', done.returncode, 2)
    # What was recovered is told before the port is looked at: no complaint.
    lines = [line for line in done.stderr.splitlines() if not line.startswith('recovered ')]
    if len(lines) != 1 or not re.search(pattern, lines[0]):
        fail(f'with {what} expected one line like "{pattern}", got:\n{done.stderr}')
    after = fingerprint(appliance.work / 'run')
    changed = [path for path, digest in before.items() if after.get(path) != digest]
    if changed:
        fail(f'the start with {what} changed {changed}')
    print(f'{what}: {lines[0]}')


def fingerprint(folder):
    """What accounts, journal and records are made of."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for part in ('journal', 'cdr', 'state')
            for path in sorted((folder / part).rglob('*')) if path.is_file()}


def changed_config(appliance, old, new):
    text = appliance.config.read_text()
    expect(f'places of {old}', text.count(old), 1)
    path = appliance.work / 'changed.toml'
    path.write_text(text.replace(old, new))
    return path


# -- The cases -------------------------------------------------------------------------------------

def check_second_start(appliance):
    done = subprocess.run([appliance.build / 'tollgate', '--config', appliance.config],
                          capture_output=True, text=True, timeout=60)
    expect('exit code of a second start', done.returncode, 2)
    if 'is running on' not in done.stderr or len(done.stderr.splitlines()) != 1:
        fail(f'a second start says: {done.stderr}')
    appliance.audit()
    print(f'a second start: {done.stderr.strip()}')


def check_configurations(appliance):
    for what, old, new, pattern in (
            ('a port that is not there', 'kind = "tap"\naddress = "toll0"',
             'kind = "af_packet"\naddress = "nosuch0"', r'no interface nosuch0'),
            ('a kind of port that is none', 'kind = "tap"', 'kind = "tape"',
             r':\d+:\d+: .*kind'),
            ('a number out of its range', 'segment_mib = 32', 'segment_mib = 0',
             r':\d+:\d+: .*segment_mib'),
            ('a key that is none', 'realm = "tollgate.example"', 'relm = "tollgate.example"',
             r':\d+:\d+: '),
            ('a text without its end', 'name = "', 'name = "\\q', r':\d+:\d+: '),
            ('another segment size', 'segment_mib = 32', 'segment_mib = 64',
             r'was made with 1 streams of 32 MiB')):
        if what == 'a key that is none':
            # Two mistakes: the key is not known, and the one that was meant is missing.
            done = subprocess.run([appliance.build / 'tollgate', 'check',
                                   changed_config(appliance, old, new)],
                                  capture_output=True, text=True, timeout=60)
            expect('exit code of check', done.returncode, 2)
            if not all(re.search(pattern, line) for line in done.stderr.splitlines()):
                fail(f'tollgate check says: {done.stderr}')
            continue
        refused(appliance, what, pattern, changed_config(appliance, old, new))


def check_huge_pages(build, work):
    folder = work / 'no-huge-pages'
    folder.mkdir()
    ordinary = folder / 'memory'
    refused(MemifAppliance(build, folder, edits=[('"/dev/hugepages"', f'"{ordinary}"')]),
            'a folder that is no hugetlbfs', r'is not on a hugetlbfs: run tools/hugepages')
    folder = work / 'few-huge-pages'
    folder.mkdir()
    refused(MemifAppliance(build, folder, edits=[('accounts_max = 10000',
                                                  'accounts_max = 2000000000')]),
            'more memory than there is', r'huge pages|hugepages')


def check_journals(appliance):
    journal = appliance.work / 'run' / 'journal'
    identity = journal / 'appliance.json'
    whole = identity.read_text()
    journal.rename(journal.with_name('elsewhere'))
    refused(appliance, 'a journal whose disk is not mounted',
            r'belongs to another journal than the one in')
    shutil.rmtree(journal)
    journal.with_name('elsewhere').rename(journal)
    known = json.loads(whole)
    for what, key, value, pattern in (
            ('a journal of another layout', 'layout', known['layout'] + 1, r'has layout'),
            ('the journal of another appliance', 'appliance', known['appliance'] ^ 1,
             r'belongs to another journal')):
        identity.write_text(json.dumps({**known, key: value}) + '\n')
        refused(appliance, what, pattern)
    identity.write_text(whole)
    segment = journal / '0-00000001.tgj'
    good = segment.read_bytes()
    segment.write_bytes(good[:at_appliance(good, known)] + bytes(8) +
                        good[at_appliance(good, known) + 8:])
    refused(appliance, 'a changed segment', r'the header of .* is damaged')

    pages = [at for at in range(PAGE, len(good), PAGE) if any(good[at:at + PAGE])]
    at = pages[len(pages) // 2] + 40
    segment.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:])
    refused(appliance, f'a journal damaged at {at}',
            r'stream 0 is damaged: .* segment 1 at offset \d+')
    segment.write_bytes(good)


def at_appliance(segment, known):
    """Where a segment's header names its appliance."""
    return segment.index(known['appliance'].to_bytes(8, 'little'))


def check_tariff_mistake(appliance):
    text = (ROOT / 'config' / 'tariffs' / 'demo.tariff').read_text()
    path = appliance.work / 'wrong.tariff'
    path.write_text(text.replace('price 0.01EUR per 100KiB', 'price 0.01EUR pro 100KiB', 1))
    for verb in ('check', 'load'):
        done = tollctl(appliance, 'tariff', verb, path)
        expect(f'exit code of tariff {verb}', done.returncode in (1, 2), True)
        if not re.search(r'wrong\.tariff:\d+:\d+: ', done.stderr + done.stdout):
            fail(f'tariff {verb} says: {done.stdout}{done.stderr}')
    print(f'a tariff mistake: {(done.stderr or done.stdout).strip().splitlines()[0]}')


def check_table_mistake(appliance):
    before = appliance.control('account', 'list')
    path = appliance.work / 'wrong.csv'
    path.write_text('account,msisdn,plan,balance\nb1,46700000101,prepaid,1.00EUR\n'
                    'b2,46700000102,prepaid,1.0.0EUR\n')
    done = tollctl(appliance, 'account', 'import', path)
    expect('exit code of an import with a mistake', done.returncode, 1)
    if ':3:24: ' not in done.stderr + done.stdout:
        fail(f'the import says: {done.stdout}{done.stderr}')
    print(f'a mistake in a table: {(done.stderr or done.stdout).strip().splitlines()[0]}')
    expect('accounts after it', appliance.control('account', 'list'), before)


def tollctl(appliance, *words):
    return subprocess.run([str(word) for word in (appliance.build / 'tollctl', '--config',
                                                  appliance.config, *words)],
                          capture_output=True, text=True, timeout=60)


if __name__ == '__main__':
    sys.exit(run_test(test))
