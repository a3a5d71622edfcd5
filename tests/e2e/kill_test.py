#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""kill -9 of a core, of control and of the launcher, each under load; then everything is counted.

tollload keeps its own record of each request and its answer, and sends again what a dead connection
left unanswered. Afterwards the ledger must agree with that record: every answered debit is there
once, none twice, whatever was killed in between; CDRs are complete and single; the audit is clean.
"""
import collections
import json
import os
import signal
import sys
import time

from lab import APPLIANCE, PORT, Appliance, expect, fail, micro, run_test, start, tail, wait_for

SUBSCRIBERS = 100
FIRST_MSISDN = 46700000000
START_BALANCE = '1000.00'  # nobody runs out
LOAD_S = 45
SETTLE_S = 4               # of load before each kill

# Prices of the plan "prepaid" in micro-EUR (config/tariffs/demo.tariff).
BLOCK_OCTETS, BLOCK_PRICE = 102400, 10000
CALL_SETUP_S, CALL_SETUP_PRICE = 60, 100000
CALL_STEP_S, CALL_STEP_PRICE = 6, 10000
EVENT_PRICE = 100000

SUCCESS, TOO_BUSY = 2001, 3004


def test(build, work):
    appliance = Appliance(build, work)
    appliance.start()
    provision(appliance)
    record_file = work / 'load.jsonl'
    load = start_load(build, work, record_file)

    kill_and_wait(appliance, 'core', restart=False)
    kill_and_wait(appliance, 'control', restart=False)
    kill_and_wait(appliance, 'launcher', restart=True)

    code = load.wait(LOAD_S + 180)
    sessions = read_record(record_file)
    print(f'{sum(len(lines) for lines in sessions.values())} requests in {len(sessions)} sessions')
    check_results(sessions)
    expect('exit code of tollload', code, 0)
    for again in (False, True):
        if again:
            appliance.stop()
            appliance.start()
        appliance.audit()
        check_balances(appliance, sessions)
        check_records(appliance, sessions)
    appliance.stop()


def provision(appliance):
    for number in range(SUBSCRIBERS):
        msisdn = FIRST_MSISDN + number
        appliance.control('account', 'add', f'load-{msisdn}', '--identity', f'msisdn:{msisdn}',
                          '--plan', 'prepaid', '--balance', f'{START_BALANCE}EUR')


def start_load(build, work, record_file):
    load = start(work / 'tollload.log', build / 'tollload', '--transport', 'kernel',
                 '--to', f'{APPLIANCE}:{PORT}', '--scenario', 'mixed', '--connections', 2,
                 '--window', 64, '--subscribers', SUBSCRIBERS, '--first-msisdn', FIRST_MSISDN,
                 '--seconds', LOAD_S, '--updates', 5, '--duplicates', 20, '--reconnect',
                 '--any-grant', '--answer-timeout', 60, '--connect-timeout', 60,
                 '--requested-octets', 10 * BLOCK_OCTETS, '--used-octets', 150000,
                 '--used-seconds', 25, '--record', record_file, '--json', work / 'tollload.json')
    time.sleep(1)
    if load.poll() is not None:
        fail(f'tollload ended at once:\n{tail(work / "tollload.log")}')
    return load


# -- Killing ---------------------------------------------------------------------------------------

def processes(appliance, kind):
    listed = appliance.control('stats')['processes']
    return [process['pid'] for process in listed if process['name'].startswith(kind)]


def answered_count(appliance):
    return appliance.control('stats')['cca_sent']


def kill_and_wait(appliance, kind, restart):
    """Kills under load, then waits until requests are answered again."""
    time.sleep(SETTLE_S)
    before = answered_count(appliance)
    pids = processes(appliance, kind)
    if not pids:
        fail(f'stats names no process {kind}')
    print(f'killing {kind}, pid {pids[0]}, after {before} answers')
    os.kill(pids[0], signal.SIGKILL)
    if restart:
        appliance.process.wait(10)
        appliance.start()
    else:
        wait_for(f'another {kind}', lambda: is_replaced(appliance, kind, pids[0]), timeout_s=60)
    resumed = answered_count(appliance)
    wait_for(f'answers after the death of {kind}',
             lambda: answered_count(appliance) > resumed + 100, timeout_s=60)


def is_replaced(appliance, kind, pid):
    appliance.check_alive()
    if not appliance.is_controlled():
        return False
    return [found for found in processes(appliance, kind) if found != pid]


# -- Counting --------------------------------------------------------------------------------------

def read_record(path):
    """Session-Id -> the lines of its requests. A request that was sent twice counts once, and as
    answered if either was."""
    sessions = collections.defaultdict(dict)
    for line in path.read_text().splitlines():
        request = json.loads(line)
        requests, key = sessions[request['session_id']], (request['type'], request['number'])
        if key not in requests or requests[key].get('unanswered'):
            requests[key] = request
    return {session: list(requests.values()) for session, requests in sessions.items()}


def check_results(sessions):
    codes = collections.Counter(request.get('result', 'unanswered')
                                for requests in sessions.values() for request in requests)
    print(f'results: {dict(codes)}')
    wrong = set(codes) - {SUCCESS, TOO_BUSY, 'unanswered'}
    if wrong:
        fail(f'results {sorted(map(str, wrong))} under load: {dict(codes)}')
    if codes[SUCCESS] < 1000:
        fail(f'only {codes[SUCCESS]} answers: that was no load')


def usage(requests, with_unanswered):
    """(octets, seconds, events) that a session used in requests that were answered with success,
    or that may have been booked because no answer arrived."""
    used = [0, 0, 0]
    for request in requests:
        if request.get('result') == SUCCESS or (with_unanswered and request.get('unanswered')):
            for index, key in enumerate(('used_octets', 'used_seconds', 'events')):
                used[index] += request.get(key, 0)
    return tuple(used)


def cost(used):
    """What a session of the plan costs: blocks begun, counted over the session."""
    octets, seconds, events = used
    total = -(-octets // BLOCK_OCTETS) * BLOCK_PRICE + events * EVENT_PRICE
    if seconds > 0:
        beyond = max(0, seconds - CALL_SETUP_S)
        total += CALL_SETUP_PRICE + -(-beyond // CALL_STEP_S) * CALL_STEP_PRICE
    return total


def check_balances(appliance, sessions):
    """Each account has paid what its answered requests cost; unanswered ones may have been booked,
    once. With none of them the equality is exact."""
    least, most = collections.Counter(), collections.Counter()
    for requests in sessions.values():
        msisdn = requests[0]['msisdn']
        least[msisdn] += cost(usage(requests, with_unanswered=False))
        most[msisdn] += cost(usage(requests, with_unanswered=True))
    wrong = []
    for msisdn in least:
        balance, reserved = appliance.bucket(f'msisdn:{msisdn}')
        paid = micro(START_BALANCE) - balance - reserved
        if not least[msisdn] <= paid <= most[msisdn]:
            wrong.append(f'{msisdn} paid {paid}, expected {least[msisdn]} to {most[msisdn]}')
    if wrong:
        fail(f'{len(wrong)} of {len(least)} accounts are wrong (micro-EUR), the first: {wrong[0]}')
    print(f'{len(least)} accounts paid what was answered')


def closed_sessions(sessions):
    """The sessions whose end was answered with success; each must have its CDR."""
    return {session: requests for session, requests in sessions.items()
            if any(request['type'] in ('termination', 'event')
                   and request.get('result') == SUCCESS for request in requests)}


def check_records(appliance, sessions):
    closed = closed_sessions(sessions)
    wait_for('all CDRs', lambda: closed.keys() <= {
        record['session_id'] for record in appliance.cdr_lines()}, timeout_s=20, every_s=1)
    seen = collections.Counter()
    for record in appliance.cdr_lines():
        session = record['session_id']
        seen[session] += 1
        if session in closed:
            check_record(record, closed[session])
    repeated = [session for session, count in seen.items() if count > 1]
    if repeated:
        fail(f'{len(repeated)} sessions have more than one CDR, the first: {repeated[0]}')
    strange = [session for session in seen if session not in sessions]
    if strange:
        fail(f'{len(strange)} CDRs of sessions that nobody had, the first: {strange[0]}')
    print(f'{len(closed)} sessions ended, each with one CDR')


def check_record(record, requests):
    """The CDR of a session that was answered to its end holds exactly what was answered."""
    lowest = sum(usage(requests, with_unanswered=False))
    highest = sum(usage(requests, with_unanswered=True))
    used = sum(micro(service['used']) for service in record['services'])
    if not micro(str(lowest)) <= used <= micro(str(highest)):
        fail(f'the CDR of {record["session_id"]} has {used} micro-units used, '
             f'answered were {lowest} (at most {highest})')


if __name__ == '__main__':
    sys.exit(run_test(test))
