#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""kill -9 of a core, of control and of the launcher, each under load; then everything is counted.

    kill_test.py BUILD [ROUNDS]

tollload keeps its own record of each request and its answer, and sends again what a dead connection
left unanswered. Afterwards the ledger must agree with that record: every answered debit is there
once, none twice, whatever was killed in between; CDRs are complete and single; the audit is clean;
and a stop and another start change nothing of that. Journals grow from round to round.

Two appliances are tried: one over memif, whose core and control are processes of their own, and one
on a tap, whose only process is everything, and whose clients find it again after its death.
"""
import collections
import json
import os
import signal
import sys
import time

from lab import APPLIANCE, MemifAppliance, TapAppliance, expect, fail, micro, run_test, start, wait_for

ROUNDS = 5
SUBSCRIBERS = 100
FIRST_MSISDN = 46700000000
START_BALANCE = '10000.00'  # nobody runs out
RATE = 2000                 # requests a second
SETTLE_S = 1                # of load before each kill

# Prices of the plan "prepaid" in micro-EUR (config/tariffs/demo.tariff).
BLOCK_OCTETS, BLOCK_PRICE = 102400, 10000
CALL_SETUP_S, CALL_SETUP_PRICE = 60, 100000
CALL_STEP_S, CALL_STEP_PRICE = 6, 10000
EVENT_PRICE = 100000

SUCCESS, TOO_BUSY = 2001, 3004


def test(build, work):
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    for name, appliance_class, play in (('memif', MemifAppliance, play_memif),
                                        ('tap', TapAppliance, play_tap)):
        folder = work / f'kill-{name}'
        folder.mkdir()
        appliance = appliance_class(build, folder)
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


def provision(appliance):
    rows = ['account,msisdn,plan,balance']
    for msisdn in range(FIRST_MSISDN, FIRST_MSISDN + SUBSCRIBERS):
        rows.append(f'load-{msisdn},{msisdn},prepaid,{START_BALANCE}EUR')
    table = appliance.work / 'accounts.csv'
    table.write_text('\n'.join(rows) + '\n')
    appliance.control('account', 'import', table)


def start_load(appliance, record, seconds, *words):
    log = record.with_suffix('.log')
    load = start(log, appliance.build / 'tollload', '--scenario', 'mixed', '--connections', 2,
                 '--rate', RATE, '--subscribers', SUBSCRIBERS, '--first-msisdn', FIRST_MSISDN,
                 '--seconds', seconds, '--updates', 5, '--duplicates', 20, '--reconnect',
                 '--any-grant', '--requested-octets', 10 * BLOCK_OCTETS, '--used-octets', 150000,
                 '--used-seconds', 25, '--record', record, *words)
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
                      *appliance.load_words())
    for kind in ('core', 'control'):
        kill(appliance, kind)
        wait_for_load(appliance, kind)
    kill(appliance, 'launcher')
    load.send_signal(signal.SIGINT)  # it ends when the answers under way are overdue
    load.wait(40)
    appliance.start()


def play_tap(appliance, record):
    """The kernel's clients connect again, send again, and come to their end."""
    load = start_load(appliance, record, 6, '--transport', 'kernel', '--to', APPLIANCE,
                      '--connect-timeout', 60, '--answer-timeout', 60)
    kill(appliance, 'launcher')
    appliance.start()
    wait_for_load(appliance, 'launcher')
    if load.wait(120) != 0:
        fail(f'tollload found wrong answers: {record.with_suffix(".log").read_text()}')


# -- Killing ---------------------------------------------------------------------------------------

def processes(appliance, kind):
    listed = appliance.control('stats')['processes']
    return [process['pid'] for process in listed if process['name'].startswith(kind)]


def answered_count(appliance):
    return appliance.control('stats')['cca_sent'] if appliance.is_controlled() else 0


def kill(appliance, kind):
    """Kills one process under load; its launcher starts another, or everything has ended."""
    time.sleep(SETTLE_S)
    pids = processes(appliance, kind)
    if not pids:
        fail(f'stats names no process {kind}')
    print(f'killing {kind}, pid {pids[0]}, after {answered_count(appliance)} answers')
    os.kill(pids[0], signal.SIGKILL)
    if kind == 'launcher':
        appliance.process.wait(10)
    else:
        wait_for(f'another {kind}', lambda: is_replaced(appliance, kind, pids[0]))


def wait_for_load(appliance, kind):
    resumed = answered_count(appliance)
    wait_for(f'answers after the death of {kind}',
             lambda: answered_count(appliance) > resumed + RATE)


def is_replaced(appliance, kind, pid):
    return appliance.is_controlled() and [
        found for found in processes(appliance, kind) if found != pid]


# -- Counting --------------------------------------------------------------------------------------

def check_all(appliance, sessions):
    check_results(sessions)
    appliance.audit()
    check_balances(appliance, sessions)
    check_records(appliance, sessions)


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
