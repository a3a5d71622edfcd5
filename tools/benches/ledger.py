# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The bench ledger: 20 million accounts in memory, snapshots under load, recovery.

build/tools/limit/tollgate_ledger_limit does all of it in one process: net, charge and journal tile
on processor 0, journal on disk, no packets. It runs twice: with as many accounts as were asked for,
a quarter of them with an open session, and with 100 000. Both rates are those of the same requests,
for each second of processor that the core had, so that what else runs on the machine counts against
neither.

`snapshot_dip_percent` is by how much the rate falls while snapshots are taken one after the other.
`recovery_seconds` is from empty memory to a ledger that can be charged: newest snapshot, the
journal behind it, all that is derived, the identity index. `read_seconds` is reading the same files
with nothing done to them.
"""
import os
import re
import subprocess

from appliance import (BUILD, ROOT, end, fail, fresh_folder, machine, machine_text, prepare,
                       read_json, say, start)

FOLDER = ROOT / 'run' / 'bench-ledger'
SMALL = 100_000
FULL = 20_000_000
BYTES_OF_ALL = 430  # an account with its share of sessions, their table, their extensions
SPARE_MIB = 768     # links, undo, journal groups, and a memory that is made while one goes


def bench(chosen):
    accounts = chosen.accounts
    prepare((accounts * BYTES_OF_ALL >> 20) + SPARE_MIB)
    about = machine()
    say(f'ledger: {machine_text(about)}')
    large = run_one(accounts, chosen)
    small = run_one(min(SMALL, accounts), chosen)
    rate = large['answers_per_second_and_core']
    result = {
        'accounts': large['accounts'],
        'sessions': large['sessions'],
        'bytes_per_account': large['bytes_per_account'],
        'answers_per_second_20m': rate if accounts == FULL else None,
        'answers_per_second': rate,
        'answers_per_second_100k': small['answers_per_second_and_core'],
        'share_of_100k': round(rate / small['answers_per_second_and_core'], 3),
        'snapshot_dip_percent': large['snapshot_dip_percent'],
        'snapshot_seconds': large['snapshot_seconds'],
        'recovery_seconds': large['recovery_seconds'],
        'read_seconds': large['read_seconds'],
        'large': large, 'small': small,
        'wrong': large['wrong'] + small['wrong'],
        'machine': about,
    }
    tell(result)
    return result


def configuration(folder, accounts):
    """config/demo.toml with other places and sizes."""
    text = (ROOT / 'config' / 'demo.toml').read_text()
    samples = os.path.relpath(ROOT / 'config', folder)
    for old, new in (('name = "demo"', 'name = "bench-ledger"'), ('"../run/demo/', '"./'),
                     ('["tariffs"]', f'["{samples}/tariffs"]')):
        if old not in text:
            fail(f'config/demo.toml has no {old}')
        text = text.replace(old, new)
    sizes = {'accounts_max': accounts, 'buckets_max': accounts, 'identities_max': 2 * accounts,
             'sessions_max': accounts // 4 + 1000}
    text = re.sub(r'(?m)^(accounts_max|sessions_max) = .*\n', '', text)
    text = text.replace('[ledger]\n', '[ledger]\n' + ''.join(
        f'{name} = {value}\n' for name, value in sizes.items()))
    path = folder / 'bench.toml'
    path.write_text(text)
    return path


def run_one(accounts, chosen):
    fresh_folder(FOLDER)
    config = configuration(FOLDER, accounts)
    said = FOLDER / 'ledger.json'
    program = None
    try:
        with open(said, 'w') as output:
            program = start(BUILD / 'tools/limit/tollgate_ledger_limit', '--config', config,
                            '--subscribers', accounts, '--sessions', max(accounts // 4, 1),
                            '--seconds', max(chosen.seconds // 3, 1),
                            '--journal-seconds', chosen.journal_seconds, '--core', 0,
                            stdout=output, stderr=subprocess.DEVNULL if chosen.quiet else None)
            if program.wait() != 0:
                fail(f'tollgate_ledger_limit ended with code {program.returncode}')
        return read_json(said, 'tollgate_ledger_limit')
    finally:
        if program is not None:
            end(program)
        fresh_folder(FOLDER)


def tell(result):
    say()
    for name in ('accounts', 'bytes_per_account', 'answers_per_second', 'answers_per_second_100k',
                 'share_of_100k', 'snapshot_dip_percent', 'snapshot_seconds', 'recovery_seconds',
                 'read_seconds', 'wrong'):
        say(f'  {name:26} {result[name]}')
