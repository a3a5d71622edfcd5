#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""tools/demo [--seconds N] [--json FILE]: watch Tollgate charge.

Installs and builds what is missing, makes huge pages, starts the appliance of config/demo.toml with
100 000 subscribers, drives it over memif with packet data, calls and messages, and shows what came
of it: an account before and after, a charging record, the audit. Everything is stopped at the end,
also by Ctrl-C. State stays in run/demo until the next demo.

Exit 0 only if every answer was right, none was lost, the audit is clean and all stopped cleanly.
"""
import argparse
import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from appliance import (Appliance, ROOT, fail, fresh_folder, load_command, machine,
                       machine_text, main, prepare, read_json, say, start)

SUBSCRIBERS = 100_000
BALANCE = '250.00EUR'  # so that nobody runs empty in the longest demo that anybody watches
FOLDER = ROOT / 'run' / 'demo'
HUGE_MIB = 1536


def arguments():
    parser = argparse.ArgumentParser(prog='tools/demo', description=__doc__.split('\n')[0])
    parser.add_argument('--seconds', type=int, default=10, help='of load (default 10)')
    parser.add_argument('--json', type=pathlib.Path, metavar='FILE', help='the result for programs')
    chosen = parser.parse_args()
    if not 1 <= chosen.seconds <= 3600:
        parser.error('--seconds: 1 to 3600 is expected')
    return chosen


def heading(text):
    say(f'\n== {text}')


def drive(appliance, seconds):
    """Runs the load; it prints a line a second. Returns (exit code, its result)."""
    result = FOLDER / 'load.json'
    load = start(*load_command(
        'memif', '--to', '198.18.1.1', '--from', '198.18.1.2/24',
        '--memif-socket', appliance.memif_socket, '--huge-dir', '/dev/hugepages',
        '--scenario', 'mixed', '--connections', 8, '--window', 2048,
        '--subscribers', SUBSCRIBERS, '--seconds', seconds,
        # Ten blocks of 100 KiB, so that what is granted is exactly what was asked for.
        '--requested-octets', 1_024_000, '--used-octets', 20_000, '--json', result))
    try:
        code = load.wait(1.5 + seconds / 2)
    except subprocess.TimeoutExpired:
        show_meanwhile(appliance)
        code = load.wait()
    return code, read_json(result, 'tollload')


def show_meanwhile(appliance):
    """In the middle of the load: what a look at the appliance shows."""
    stats = appliance.ask('stats')
    say(f'  meanwhile: {stats["peers_open"]} peers, {stats["ccr_per_second"]:,} requests a second, '
        f'drops {sum(stats["drops"].values())}')
    peers = appliance.ask('peer', 'list').get('peers', [])
    say(f'  one of the peers: {json.dumps(peers[0])}' if peers else '  no peers')
    sessions = appliance.ask('session', 'list', 's0')['sessions']
    say(f'  s0 has {len(sessions)} open sessions' + (f': {json.dumps(sessions[0])}' if sessions
                                                     else ''))


def one_record():
    """The last charging record that was written, whichever file it is in."""
    last = None
    for path in sorted((FOLDER / 'cdr').glob('*.jsonl*'), key=lambda path: path.stat().st_mtime):
        with open(path) as file:
            for line in file:
                last = line if line.endswith('\n') else last
    return json.loads(last) if last else fail('no charging record was written')


def demo(chosen):
    prepare(HUGE_MIB)
    heading('starting the appliance')
    say(f'  {machine_text(machine())}')
    fresh_folder(FOLDER)
    appliance = Appliance(ROOT / 'config' / 'demo.toml', FOLDER, 'demo')
    appliance.start()
    say(f'  it is up: memif at {appliance.memif_socket.relative_to(ROOT)}, 198.18.1.1:3868')
    heading(f'importing {SUBSCRIBERS} subscribers with {BALANCE} each')
    appliance.import_subscribers(SUBSCRIBERS, 'prepaid', BALANCE)
    heading('an account before')
    appliance.show('account', 'show', 's0')
    heading(f'{chosen.seconds} s of packet data, calls and messages')
    load_code, result = drive(appliance, chosen.seconds)
    heading('the same account after')
    appliance.show('account', 'show', 's0')
    heading('what the appliance counted')
    show_counters(appliance.ask('stats'))
    heading('the audit: put in = balance + reserved + consumed + expired')
    appliance.show('audit')
    audit = appliance.ask('audit')
    heading('stopping')
    stop_code = appliance.stop()
    say(f'  tollgate ended with code {stop_code}')
    heading('a charging record')
    say('  ' + json.dumps(one_record()))
    return verdict(chosen, load_code, stop_code, {**result, 'audit': audit})


def show_counters(stats):
    """All of `tollctl stats` that is not zero."""
    for name, value in stats.items():
        group = value if name in ('result_codes', 'drops') else {name: value}
        for inner, count in group.items():
            if isinstance(count, int) and count != 0:
                say(f'  {inner if group is not value else name + "." + inner:<30}{count:>16,}')


def verdict(chosen, load_code, stop_code, result):
    if chosen.json:
        chosen.json.write_text(json.dumps(result) + '\n')
    faults = [text for is_fault, text in (
        (result['wrong'] != 0, f'{result["wrong"]} answers were wrong'),
        (result['lost'] != 0, f'{result["lost"]} requests were not answered'),
        (result['audit'].get('ok') is not True, 'the audit is not clean'),
        (load_code != 0, f'tollload ended with code {load_code}'),
        (stop_code != 0, f'tollgate ended with code {stop_code}')) if is_fault]
    heading('summary')
    say(f'  {result["answers_per_second"]:,} durable answers a second, {result["answered"]:,} in '
        f'all, {result["wrong"]} wrong, {result["lost"]} lost')
    say(f'  {"; ".join(faults) if faults else "every answer was right and the audit is clean"}')
    return 1 if faults else 0


if __name__ == '__main__':
    options = arguments()
    sys.exit(main('tools/demo', lambda: demo(options)))
