#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The appliance behind its tap, with OTP's diameter and freeDiameter as clients.

Each client plays prepaid.steps with accounts of its own; afterwards balances, CDRs and the audit
must be what the arithmetic below says, and the capture of what we sent must please tshark.
"""
import collections
import sys

from lab import TapAppliance, expect, fail, micro, run_test, wait_for
from peers import ORIGINS, play_freediameter, play_otp
import wire

CLIENTS = {
    'otp': {'payer': '46700000011', 'payer_imsi': '240010000000011', 'poor': '46700000012',
            'nobody': '46799999999'},
    'freediameter': {'payer': '46700000021', 'payer_imsi': '240010000000021',
                     'poor': '46700000022', 'nobody': '46799999999'},
}

# The payer began with 10.00 EUR. Data: 16 blocks of 0.01. Call: 0.11. Message: 0.10.
#   10.00 - 0.16 - 0.11 - 0.10 = 9.63
PAYER_LEFT = '9.63'
# The poor one began with 0.05 EUR, and used 5 blocks of 0.01.
POOR_LEFT = '0.00'
# Both clients: put in 2 x (10.00 + 0.05) = 20.10, consumed 2 x (0.37 + 0.05) = 0.84, left 19.26.
PUT_IN, CONSUMED, LEFT = '20.10', '0.84', '19.26'

# A CDR for each session that was opened and each event that was debited; the refused event and the
# unknown user opened nothing.
RECORDED = ('data', 'free', 'barred', 'call', 'sms', 'last', 'held')


def test(build, work):
    appliance = TapAppliance(build, work)
    appliance.start()
    provision(appliance)
    capture = wire.start_capture(work / 'appliance.pcapng', 'toll0')

    play_otp(build, work, 'prepaid.steps', CLIENTS['otp'])
    play_freediameter(build, work, 'prepaid.steps', CLIENTS['freediameter'], 'ocs.tollgate.example')
    check_balances(appliance)
    check_hold(build, work, appliance)

    wire.stop_capture(capture)
    wire.check_capture(work / 'appliance.pcapng', wire.FROM_SERVER)
    check_audit(appliance)
    check_records(appliance, work)
    appliance.stop()
    check_after_restart(appliance, work)


def provision(appliance):
    """One way of putting money in each: with the account, and by a top-up."""
    for names in CLIENTS.values():
        appliance.control('account', 'add', f'payer-{names["payer"]}', '--identity',
                          f'msisdn:{names["payer"]}', '--identity', f'imsi:{names["payer_imsi"]}',
                          '--plan', 'prepaid', '--balance', '10.00EUR')
        appliance.control('account', 'add', f'poor-{names["poor"]}', '--identity',
                          f'msisdn:{names["poor"]}', '--plan', 'prepaid')
        appliance.control('topup', f'msisdn:{names["poor"]}', '0.05EUR')


def check_balances(appliance):
    for client, names in CLIENTS.items():
        expect(f'balance and reserve of the payer of {client}',
               appliance.bucket(f'imsi:{names["payer_imsi"]}'), (micro(PAYER_LEFT), 0))
        expect(f'balance and reserve of the poor one of {client}',
               appliance.bucket(f'msisdn:{names["poor"]}'), (micro(POOR_LEFT), 0))


def check_hold(build, work, appliance):
    """While a session has its grant, 0.10 EUR are held beside the balance: 9.63 = 9.53 + 0.10."""
    names = CLIENTS['otp']
    identity = f'msisdn:{names["payer"]}'
    play_otp(build, work, 'hold.steps', names)
    expect('balance and reserve with a session open', appliance.bucket(identity),
           (micro('9.53'), micro('0.10')))
    sessions = appliance.control('session', 'list', identity)['sessions']
    names_open = [session['session_id'].split(';')[-1] for session in sessions]
    expect('open sessions', names_open, ['held'])
    appliance.audit()
    play_otp(build, work, 'release.steps', names)
    expect('balance and reserve after its end', appliance.bucket(identity), (micro(PAYER_LEFT), 0))


def check_audit(appliance):
    euros = [unit for unit in appliance.audit()['units'] if unit['unit'] == 'EUR']
    expect('units of EUR in the audit', len(euros), 1)
    wanted = {'put_in': PUT_IN, 'consumed': CONSUMED, 'balance': LEFT, 'reserved': '0'}
    for key, value in wanted.items():
        expect(f'the audit\'s {key}', micro(euros[0][key]), micro(value))


def check_records(appliance, work):
    wanted = {f'{origin};{work.name};{session}' for client, origin in ORIGINS.items()
              for session in RECORDED if session != 'held' or client == 'otp'}
    # The CDR writer reads the journal behind the answers: give it a moment.
    wait_for('all CDRs', lambda: wanted <= session_counts(appliance).keys(), timeout_s=10)
    counts = session_counts(appliance)
    expect('sessions with a CDR', sorted(counts), sorted(wanted))
    repeated = [session for session, count in counts.items() if count != 1]
    if repeated:
        fail(f'more than one CDR for {repeated}')
    prefix = f'{ORIGINS["otp"]};{work.name}'
    check_record(appliance, f'{prefix};data', 10, '1536100', ('0.16', 'EUR'))
    check_record(appliance, f'{prefix};free', 20, '5000000', (None, None))


def session_counts(appliance):
    return collections.Counter(record['session_id'] for record in appliance.cdr_lines())


def check_record(appliance, session, rating_group, octets, cost):
    record = next(line for line in appliance.cdr_lines() if line['session_id'] == session)
    expect('services of the session', len(record['services']), 1)
    service = record['services'][0]
    expect('its rating group', service['rating_group'], rating_group)
    expect('its octets', micro(service['used']), micro(octets))
    expect('its cost', (service['cost'], service['currency']), cost)


def check_after_restart(appliance, work):
    """A clean stop and a start change nothing: not the balances, not the CDRs."""
    appliance.start()
    check_balances(appliance)
    check_audit(appliance)
    check_records(appliance, work)
    appliance.stop()


if __name__ == '__main__':
    sys.exit(run_test(test))
