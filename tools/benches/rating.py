# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The bench rating: the price of an event, on one core, without anything around it.

  ns_per_event              a plan of 100 rules, bursts of 32 as the charge tile works
  ns_per_event_single       the same, one request at a time
  ns_per_event_1m_prefixes  zones by the longest of a million prefixes, a rule for each of 300
  swap_stall_us             the new image is found and the first burst priced on cold memory
  compile_seconds           10 000 plans with time bands and an example each, to a verified image

These are medians over rounds of build/rating/rating_price_bench. Behind them come the figures of
normalising rules and of Python functions: rating_rules.py.
"""
import json
import statistics
import subprocess

from appliance import BUILD, fail, machine, machine_text, say
from benches.rating_rules import rules_and_python

PROGRAM = BUILD / 'rating' / 'rating_price_bench'
FILTER = 'find_and_price/1$|million|compile_plans/10000|swap'
NS = {'ns': 1, 'us': 1e3, 'ms': 1e6, 's': 1e9}


def bench(chosen):
    if not PROGRAM.exists():
        fail(f'{PROGRAM} is not there: run tools/setup')
    about = machine()
    say(f'rating: {machine_text(about)}')
    rounds = [one_round() for _ in range(chosen.rounds)]
    result = {name: round(statistics.median(each[name] for each in rounds), 3)
              for name in rounds[0]}
    for name, value in result.items():
        say(f'  {name:26} {value}')
    result.update(rules_and_python())
    return {**result, 'machine': about, 'rounds': rounds, 'wrong': result['python_mismatches']}


def one_round():
    done = subprocess.run([PROGRAM, f'--benchmark_filter={FILTER}', '--benchmark_format=json'],
                          check=True, capture_output=True, timeout=300)
    rows = {row['name']: row for row in json.loads(done.stdout)['benchmarks']}
    return {
        'ns_per_event': per_item(rows['burst_find_and_price/1']),
        'ns_per_event_single': rows['find_and_price/1']['real_time'],
        'ns_per_event_1m_prefixes': per_item(rows['burst_a_million_prefixes']),
        'swap_stall_us': ns(rows['swap_and_first_burst/iterations:200/manual_time']) / 1e3,
        'compile_seconds': ns(rows['compile_plans/10000/iterations:1']) / 1e9,
    }


def per_item(row):
    return 1e9 / row['items_per_second']


def ns(row):
    return row['real_time'] * NS[row['time_unit']]
