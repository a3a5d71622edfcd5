#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""RAR and ASR with OTP's diameter as the client: after a top-up, by an operator's word, and when an
account is suspended; the sums, the counters and the capture must agree with what happened. So must
a trace of that account: the same messages as on the wire, and beside them all that was debited. A
trace of the client has what it and we say of ourselves, and nothing that is charged.
"""
import re
import sys

from lab import PORT, TapAppliance, expect, micro, run_test, start, stop, wait_for
from peers import ORIGINS, play_otp
import wire

POOR = '46700000031'
NAMES = {'poor': POOR}
# 0.05 + 5.00 EUR; 1 536 000 octets are 15 blocks of 0.01.
LEFT = '4.90'


def test(build, work):
    appliance = TapAppliance(build, work)
    appliance.start()
    appliance.control('account', 'add', 'poor', '--identity', f'msisdn:{POOR}', '--plan', 'prepaid',
                      '--balance', '0.05EUR')
    session = f'{ORIGINS["otp"]};{work.name};poor'
    capture = wire.start_capture(work / 'appliance.pcapng', 'toll0')
    trace = start_trace(appliance, work, 'account', 'poor')
    peer_trace = start_trace(appliance, work, 'peer', ORIGINS['otp'])
    play_otp(build, work, 'reauth.steps', NAMES, {
        'topped_up': lambda: appliance.control('topup', f'msisdn:{POOR}', '5.00EUR'),
        'by_word': lambda: appliance.control('session', 'reauth', session, '--rating-group', '10'),
        'blocked': lambda: appliance.control('account', 'set', 'poor', '--state', 'suspended'),
    })
    wire.stop_capture(capture)
    stop(trace)
    check_trace(work, session)
    wait_for('DPA in the trace of the peer', lambda: 'DPA' in (work / 'peer.log').read_text())
    stop(peer_trace)
    rows = wire.select(work / 'peer.pcap', 'diameter', 'diameter.cmd.code')
    codes = {code for row in rows for code in row[0].split(',')} - {'280'}
    expect('commands in the trace of the peer, but for watchdogs', codes, {'257', '282'})
    expect('balance and reserve at the end', appliance.bucket(f'msisdn:{POOR}'), (micro(LEFT), 0))
    wait_for('the counters', lambda: counted(appliance) == (3, 3))
    wait_for('the CDR', lambda: [line for line in appliance.cdr_lines()
                                 if line['session_id'] == session])
    record = next(line for line in appliance.cdr_lines() if line['session_id'] == session)
    expect('the client in its CDR', record['origin_host'], ORIGINS['otp'])
    expect('the cause', record['cause'], 'normal_release')
    appliance.audit()
    appliance.stop()


def start_trace(appliance, work, noun, who):
    log = work / f'{noun}.log'
    child = start(log, appliance.build / 'tollctl', '--config', appliance.config, 'trace', noun,
                  who, '--pcap', work / f'{noun}.pcap')
    wait_for('the trace', lambda: 'watching' in log.read_text())
    return child


def check_trace(work, session):
    """What tollctl wrote is what went over the wire, to tshark as well."""
    wire.check_capture(work / 'account.pcap', wire.FROM_SERVER)
    wire.check_capture(work / 'account.pcap', wire.FROM_CLIENTS)
    found = messages_of(work / 'account.pcap', session)
    expect('messages in the trace', found, messages_of(work / 'appliance.pcapng', session))
    text = (work / 'account.log').read_text()
    expect('lines of messages', len(re.findall(r'@hbh=', text)), len(found))
    debited = sum(micro(amount) for amount in re.findall(r'debited ([0-9.]+)', text))
    expect('debited in the trace', debited, micro('5.05') - micro(LEFT))


def messages_of(path, session):
    """(who sent it, is it a request, hop-by-hop) of each message of a session."""
    rows = wire.select(path, f'diameter.Session-Id == "{session}"', 'tcp.srcport',
                       'diameter.flags.request', 'diameter.hopbyhopid')
    return {(port == str(PORT), flag, hop) for port, flags, hops in rows
            for flag, hop in zip(flags.split(','), hops.split(','))}


def counted(appliance):
    tiles = appliance.control('stats')['tiles']['charge0']
    return tiles['orders'], tiles['orders_taken']


if __name__ == '__main__':
    sys.exit(run_test(test))
