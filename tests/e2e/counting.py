# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""What tollload recorded, held against accounts and CDRs.

Each account must have paid at least what was answered, and at most that and what was sent without
an answer; each session that was answered to its end has one CDR, and it says what was answered.
"""
import collections
import json

from lab import fail, micro, wait_for

SUBSCRIBERS = 100
FIRST_MSISDN = 46700000000
START_BALANCE = '10000.00'  # nobody runs out

# Prices of the plan "prepaid" in micro-EUR (config/tariffs/demo.tariff).
BLOCK_OCTETS, BLOCK_PRICE = 102400, 10000
CALL_SETUP_S, CALL_SETUP_PRICE = 60, 100000
CALL_STEP_S, CALL_STEP_PRICE = 6, 10000
EVENT_PRICE = 100000

SUCCESS, TOO_BUSY = 2001, 3004


def provision(appliance):
    rows = ['account,msisdn,plan,balance']
    for msisdn in range(FIRST_MSISDN, FIRST_MSISDN + SUBSCRIBERS):
        rows.append(f'load-{msisdn},{msisdn},prepaid,{START_BALANCE}EUR')
    table = appliance.work / 'accounts.csv'
    table.write_text('\n'.join(rows) + '\n')
    appliance.control('account', 'import', table)


def load_words(record):
    """What tollload is told so that its record can be held against the accounts."""
    return ['--scenario', 'mixed', '--subscribers', SUBSCRIBERS, '--first-msisdn', FIRST_MSISDN,
            '--updates', 5, '--any-grant', '--requested-octets', 10 * BLOCK_OCTETS,
            '--used-octets', 150000, '--used-seconds', 25, '--record', record]


def check_all(appliance, sessions):
    check_results(sessions)
    appliance.audit()
    check_balances(appliance, sessions)
    check_records(appliance, sessions)


def read_record(path):
    """Session-Id -> the lines of its requests. A request that was sent twice counts once, and as
    answered if either was; one that was refused unseen has not been answered yet."""
    sessions = collections.defaultdict(dict)
    for line in path.read_text().splitlines():
        request = json.loads(line)
        requests, key = sessions[request['session_id']], (request['type'], request['number'])
        if key not in requests or requests[key].get('result', TOO_BUSY) == TOO_BUSY:
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
    or that may have been booked because no answer arrived: none at all, or none but TOO_BUSY to a
    repetition, which says nothing of the first."""
    used = [0, 0, 0]
    for request in requests:
        is_open = request.get('unanswered') or (
            request.get('result') == TOO_BUSY and request.get('resent'))
        if request.get('result') == SUCCESS or (with_unanswered and is_open):
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
