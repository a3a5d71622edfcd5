#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The clients and the capture gate, tried on a server that is not ours: OTP's own diameter.

If this fails, the tests with the appliance say nothing. It also shows that a wrong answer is
noticed: a table with a wrong expectation must fail.
"""
import subprocess
import sys

from lab import APPLIANCE, CLIENT, PORT, expect, fail, run, run_test, start, wait_for
from peers import erl, flat_steps, play_freediameter, play_otp
import wire


def test(build, work):
    run('ip', 'link', 'add', 'toll0', 'type', 'veth', 'peer', 'name', 'toll1')
    for address in (APPLIANCE, CLIENT):
        run('ip', 'addr', 'add', f'{address}/24', 'dev', 'toll0')
    run('ip', 'link', 'set', 'toll0', 'up')
    log = work / 'responder.log'
    start(log, *erl(build, 'ro_responder', APPLIANCE, PORT), cwd=work, stdin=subprocess.PIPE)
    wait_for('the responder', lambda: 'listening' in log.read_text())

    # Both addresses are this kernel's own, so the packets go over lo.
    capture = wire.start_capture(work / 'clients.pcapng', 'lo')
    play_otp(build, work, 'responder.steps', {})
    play_freediameter(build, work, 'responder.steps', {}, 'responder.otp.example')
    wire.stop_capture(capture)

    wire.check_capture(work / 'clients.pcapng', wire.FROM_SERVER)
    wire.check_capture(work / 'clients.pcapng', wire.FROM_CLIENTS)
    check_repetitions(work / 'clients.pcapng')
    check_that_a_wrong_answer_fails(build, work)


def check_repetitions(pcap):
    """A repeated step carries the T flag and the end-to-end identifier of the first."""
    requests = f'{wire.FROM_CLIENTS} && diameter.cmd.code == 272 && diameter.flags.request == 1'
    sent = wire.select(pcap, f'{requests} && diameter.flags.T == 1', 'diameter.endtoendid')
    first = wire.select(pcap, f'{requests} && diameter.flags.T == 0', 'diameter.endtoendid')
    expect('retransmissions on the wire', len(sent), 3)  # OTP on both connections, freeDiameter
    for identifier in sent:
        if identifier not in first:
            fail(f'the retransmission {identifier} repeats no request')


def check_that_a_wrong_answer_fails(build, work):
    path = flat_steps(work, 'responder.steps', 'otp', {})
    wrong = work / 'wrong.steps'
    wrong.write_text(path.read_text().replace('result=2001', 'result=4012', 1))
    done = subprocess.run([str(word) for word in erl(build, 'ro_client', APPLIANCE, PORT, wrong)],
                          capture_output=True, text=True, cwd=work, timeout=60)
    expect('exit code with a wrong expectation', done.returncode, 1)
    if 'FAIL step=initial' not in done.stdout or 'expected_result=4012' not in done.stdout:
        fail(f'the wrong step is not reported:\n{done.stdout}')


if __name__ == '__main__':
    sys.exit(run_test(test))
