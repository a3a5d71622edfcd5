#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""freeDiameter as a relay between OTP's diameter and the appliance: requests and answers, RAR and
ASR find their way through it, and money moves once. Then scapy sends odd and hostile messages.
"""
import sys

from lab import (APPLIANCE, CLIENT, PORT, ROOT, TapAppliance, expect, fail, micro, run_test, start,
                 stop, tail, wait_for)
from peers import ORIGINS, play_otp, start_relay
import wire

POOR, PAYER = '46700000041', '46700000042'
# Of our realm: the client asks for the realm of whom it is connected to.
RELAY = 'dra.tollgate.example'
# 0.05 + 5.00 EUR; 1 536 000 octets are 15 blocks of 0.01: reauth.steps.
POOR_LEFT = '4.90'
# 10.00 EUR; 204 900 octets are 3 blocks, and a message for 0.10: relay.steps.
PAYER_LEFT = '9.87'


def test(build, work):
    appliance = TapAppliance(build, work)
    appliance.start()
    for name, number, balance in ('poor', POOR, '0.05EUR'), ('payer', PAYER, '10.00EUR'):
        appliance.control('account', 'add', name, '--identity', f'msisdn:{number}', '--plan',
                          'prepaid', '--balance', balance)
    capture = wire.start_capture(work / 'appliance.pcapng', 'toll0')
    relay = start_relay(work, RELAY, ORIGINS['otp'])
    wait_for('the relay at the appliance', lambda: is_peer(appliance, RELAY))
    through_relay(build, work, appliance)
    wire.stop_capture(capture)
    stop(relay)
    hostile(work)
    check_capture(work / 'appliance.pcapng')
    appliance.audit()
    appliance.stop()


def is_peer(appliance, host):
    return any(peer['origin_host'] == host and peer['state'] == 'open'
               for peer in appliance.control('peer', 'list')['peers'])


def through_relay(build, work, appliance):
    session = f'{ORIGINS["otp"]};{work.name};poor'
    names = {'poor': POOR, 'payer': PAYER}
    play_otp(build, work, 'relay.steps', names, host=CLIENT)
    play_otp(build, work, 'reauth.steps', names, {
        'topped_up': lambda: appliance.control('topup', f'msisdn:{POOR}', '5.00EUR'),
        'by_word': lambda: appliance.control('session', 'reauth', session, '--rating-group', '10'),
        'blocked': lambda: appliance.control('account', 'set', 'poor', '--state', 'suspended'),
    }, host=CLIENT)
    for name, number, left in ('poor', POOR, POOR_LEFT), ('payer', PAYER, PAYER_LEFT):
        expect(f'balance and reserve of the {name} one', appliance.bucket(f'msisdn:{number}'),
               (micro(left), 0))


def hostile(work):
    log = work / 'hostile.log'
    child = start(log, '/usr/bin/python3', ROOT / 'tests' / 'scapy' / 'hostile.py', APPLIANCE, PORT,
                  PAYER)
    code = child.wait(60)
    print(log.read_text(), end='')
    if code != 0:
        fail(f'scapy: exit code {code}:\n{tail(log)}')


def check_capture(path):
    """All that we sent is good to the dissector, and what the relay sent was relayed."""
    wire.check_capture(path, wire.FROM_SERVER)
    relayed = wire.select(path, f'diameter.cmd.code == 272 && {wire.FROM_CLIENTS} && '
                          f'diameter.Route-Record == "{ORIGINS["otp"]}"', 'frame.number')
    if not relayed:
        fail('no request came with a Route-Record')


if __name__ == '__main__':
    sys.exit(run_test(test))
