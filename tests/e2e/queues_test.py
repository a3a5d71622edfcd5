#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Four processes: two net tiles on two queues of one memif port, a charge tile, a journal tile.

Every answer must be right, both net tiles must have been served, and the money must add up.
Charging goes over links between processes here, not within one.
"""
import json
import subprocess
import sys

from lab import MemifAppliance, expect, fail, micro, run_test, tail, wait_for

CORES = (('net0',), ('net1',), ('charge0',), ('journal0',))
SUBSCRIBERS = 50
FIRST_MSISDN = 46700000000


def test(build, work):
    folder = work / 'queues'
    folder.mkdir()
    appliance = MemifAppliance(build, folder, CORES)
    appliance.start()
    provision(appliance)
    # Connections fall on queues by their ports: eight of them on two, so that none stays empty.
    load = subprocess.run([str(word) for word in (
        build / 'tollload', *appliance.load_words(), '--queues', 2, '--scenario', 'mixed',
        '--connections', 8, '--window', 64, '--subscribers', SUBSCRIBERS, '--first-msisdn',
        FIRST_MSISDN, '--seconds', 3, '--updates', 20, '--duplicates', 10, '--answer-timeout', 20,
        '--requested-octets', 100000, '--json', work / 'load.json')],
        capture_output=True, text=True, timeout=120)
    if load.returncode != 0:
        fail(f'tollload ended with {load.returncode}:\n{load.stderr[-2000:]}')
    check_load(json.loads((work / 'load.json').read_text()))
    check_tiles(appliance)
    check_money(appliance)
    appliance.stop()


def provision(appliance):
    rows = ['account,msisdn,plan,balance']
    rows += [f'load-{number},{FIRST_MSISDN + number},prepaid,100000.00EUR'
             for number in range(SUBSCRIBERS)]
    table = appliance.work / 'accounts.csv'
    table.write_text('\n'.join(rows) + '\n')
    appliance.control('account', 'import', table)


def check_load(result):
    print(f'{result["answered"]} answers, {result["answers_per_second"]} a second')
    expect('wrong answers', result['wrong'], 0)
    expect('lost requests', result['lost'], 0)
    if result['answered'] < 1000:
        fail(f'only {result["answered"]} answers: that was no load')


def check_tiles(appliance):
    tiles = appliance.control('stats')['tiles']
    served = {name: tiles[name]['ccr_received'] for name in ('net0', 'net1')}
    print(f'requests by tile: {served}')
    for name, count in served.items():
        if count == 0:
            fail(f'{name} was not served: {served}')


def check_money(appliance):
    """All sessions have ended, so nothing is held, and what is not there any more was consumed."""
    wait_for('the end of all sessions',
             lambda: not appliance.control('session', 'list')['sessions'])
    euros = next(unit for unit in appliance.audit()['units'] if unit['unit'] == 'EUR')
    expect('what was put in', micro(euros['put_in']), micro('100000') * SUBSCRIBERS)
    expect('what is held', micro(euros['reserved']), 0)
    expect('what is left', micro(euros['balance']),
           micro(euros['put_in']) - micro(euros['consumed']))
    if micro(euros['consumed']) == 0:
        fail('nothing was charged')


if __name__ == '__main__':
    sys.exit(run_test(test))
