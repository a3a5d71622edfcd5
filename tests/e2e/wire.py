# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Captures, and what tshark's dissector says of them."""
import signal
import time

from lab import PORT, fail, run, start, wait_for

FROM_SERVER = f'tcp.srcport == {PORT}'
FROM_CLIENTS = f'tcp.dstport == {PORT}'


def start_capture(path, interface):
    log = path.with_suffix('.dumpcap.log')
    child = start(log, 'dumpcap', '-q', '-i', interface, '-w', path)
    wait_for('dumpcap', lambda: log.exists() and 'File:' in log.read_text())
    return child


def stop_capture(child):
    """What passed shortly before is still in the kernel's buffer: dumpcap gets a moment for it."""
    time.sleep(1.5)
    child.send_signal(signal.SIGINT)
    child.wait(20)


def select(path, display_filter, *fields):
    """The wanted fields of each frame that the filter picks, tab between them."""
    words = [word for field in fields for word in ('-e', field)]
    output = run('tshark', '-r', path, '-Y', display_filter, '-T', 'fields', *words, timeout_s=300)
    return [line.split('\t') for line in output.splitlines()]


def check_capture(path, direction):
    """Fails on anything in a direction that is malformed, an error to the dissector, or unknown."""
    frames = select(path, f'{direction} && diameter.cmd.code == 272', 'frame.number')
    if not frames:
        fail(f'{path}: no credit-control message with {direction} in the capture')
    gates = {'malformed': f'{direction} && _ws.malformed',
             'an error to the dissector': f'{direction} && _ws.expert.severity == error',
             'an unknown AVP': f'{direction} && diameter.avp.unknown'}
    for what, gate in gates.items():
        found = select(path, gate, 'frame.number', '_ws.expert.message')
        if found:
            fail(f'{path}: {len(found)} frames with {direction} hold {what}, the first: {found[0]}')
    print(f'{path.name}: {len(frames)} frames with {direction} and CCR or CCA, none malformed')
