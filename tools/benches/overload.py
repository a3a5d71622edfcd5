# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The bench overload: goodput when twice as much comes as the appliance can do.

Sessions of some twenty updates begin, go on and end, on one core with its journal on disk. First
the best: a closed loop as wide as in the bench gy. Then an open loop at the same rate, and at twice
that rate: the client sends at planned moments, whatever the server does. Goodput is answers with
2001 a second; what is refused as too busy is told quickly and is not counted as lost. The share of
the best is taken within a round, whose parts see the same machine.
"""
import shutil
import statistics
import subprocess

from appliance import (Appliance, end, fresh_folder, load_command, machine, machine_text, prepare,
                       read_json, say, start, fail)
from benches.gy import FOLDER, HUGE_MIB, configuration

UPDATES = 20  # of a session, on average
SUCCESS, TOO_BUSY = '2001', '3004'
GOAL = 0.9  # of the best


def bench(chosen):
    prepare(HUGE_MIB)
    about = machine()
    say(f'overload: {machine_text(about)}')
    fresh_folder(FOLDER)
    appliance = Appliance(configuration(FOLDER, 'bench'), FOLDER, 'bench')
    appliance.start()
    say(f'importing {chosen.subscribers} subscribers')
    appliance.import_subscribers(chosen.subscribers, 'prepaid', '1000.00EUR')
    try:
        rounds = [one_round(chosen, number, appliance) for number in range(chosen.rounds)]
        audit = appliance.ask('audit')
    finally:
        end(appliance.process)
        shutil.rmtree(FOLDER / 'journal', ignore_errors=True)
    result = summary(rounds)
    result.update({'machine': about, 'audit': audit, 'subscribers': chosen.subscribers,
                   'sessions': chosen.sessions, 'updates': UPDATES, 'rounds': rounds})
    result['wrong'] += 0 if audit.get('ok') else 1
    tell(result)
    return result


def one_round(chosen, number, appliance):
    seconds = max(3, chosen.seconds // chosen.rounds)
    best = drive(chosen, appliance, seconds, ('--window', chosen.window))
    rate = max(1, best['goodput'])
    measured = {'best': best, 'at_capacity': drive(chosen, appliance, seconds, ('--rate', rate)),
                'at_twice': drive(chosen, appliance, seconds, ('--rate', 2 * rate))}
    most = max(best['goodput'], measured['at_capacity']['goodput'], 1)
    measured['share_of_best'] = round(measured['at_twice']['goodput'] / most, 3)
    twice = measured['at_twice']['goodput']
    say(f'round {number + 1}: best {most:,}/s, at twice that {twice:,}/s, '
        f'share {measured["share_of_best"]}')
    return measured


def drive(chosen, appliance, seconds, pace):
    path = FOLDER / 'overload.json'
    load = start(*load_command(
        'memif', '--to', '198.18.1.1', '--from', '198.18.1.2/24', '--memif-socket',
        appliance.memif_socket, '--huge-dir', '/dev/hugepages', '--scenario', 'data',
        '--requested-octets', 1_024_000, '--updates', UPDATES, '--connections', chosen.connections,
        *pace, '--subscribers', chosen.subscribers, '--sessions', chosen.sessions,
        '--seconds', seconds, '--json', path), stderr=subprocess.PIPE, text=True)
    last_words = load.stderr.read()
    code = load.wait()
    if not path.exists():
        fail(f'the load ended with code {code}: {last_words[-500:]}')
    result = read_json(path, 'tollload')
    path.unlink()
    # Answers come while sessions are opened as well; rates are of the measured seconds.
    codes = result['result_codes']
    answered = max(1, sum(codes.values()))
    return {'goodput': round(result['answers_per_second'] * codes.get(SUCCESS, 0) / answered),
            'answers_per_second': result['answers_per_second'],
            'too_busy': codes.get(TOO_BUSY, 0), 'wrong': result['wrong'], 'lost': result['lost'],
            'latency_us': result['latency_us']}


def summary(rounds):
    shares = sorted(one['share_of_best'] for one in rounds)
    return {'goodput_at_twice': statistics.median(one['at_twice']['goodput'] for one in rounds),
            'goodput_best': statistics.median(one['best']['goodput'] for one in rounds),
            'share_of_best': {'median': round(statistics.median(shares), 3), 'least': shares[0],
                              'most': shares[-1]},
            'goal': GOAL,
            'wrong': sum(one[part]['wrong'] for one in rounds
                         for part in ('best', 'at_capacity', 'at_twice'))}


def tell(result):
    def line(text, value):
        say(f'  {text:<44}{value}')
    share = result['share_of_best']
    say(f'\noverload: {result["subscribers"]:,} subscribers, one core, journal on disk; median')
    line('answers with 2001 a second, the best', f'{result["goodput_best"]:>12,}')
    line('the same when twice as much comes', f'{result["goodput_at_twice"]:>12,}')
    line(f'share of the best (goal {GOAL})',
         f'{share["median"]:>12}   ({share["least"]} to {share["most"]})')
    line('wrong', f'{result["wrong"]:>12,}')
    line('at twice as much, seen by the client, us', result['rounds'][-1]['at_twice']['latency_us'])
