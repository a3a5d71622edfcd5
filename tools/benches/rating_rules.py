# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The part of the bench rating that is about rules and Python functions.

  rules_10k_vs_10        time for an event with 10 000 normalising rules over that with 10
  ns_normalise_1m_ported time for an event whose number is one of a million that were ported
  compiled_over_cpython  how many times as fast a compiled Python function is as in CPython: the
                         least and the geometric mean over config/python/prices.py
  python_mismatches      events on which the two differ, of 10 million made up for made-up functions
"""
import json
import math
import subprocess
import sys
import timeit

from appliance import BUILD, ROOT, fail, say

NORMALISE = BUILD / 'rating' / 'rating_normalise_bench'
ORACLE = BUILD / 'rating' / 'python_oracle'
SAMPLES = ROOT / 'config' / 'python' / 'prices.py'
EVENTS = 10_000_000
EVENTS_A_FUNCTION = 5_000

sys.path.insert(0, str(ROOT / 'rating'))
import python_oracle  # noqa: E402, the judge that the tests use


def rules_and_python(events=EVENTS):
    for program in (NORMALISE, ORACLE):
        if not program.exists():
            fail(f'{program} is not there: run tools/setup')
    result = {**normalise(), **speed(), **mismatches(events)}
    for name, value in result.items():
        say(f'  {name:26} {value}')
    return result


def normalise():
    done = subprocess.run([NORMALISE, '--benchmark_format=json'], check=True, capture_output=True)
    ns = {row['name']: row['real_time'] for row in json.loads(done.stdout)['benchmarks']}
    few, many = ns['normalise/10'], ns['normalise/10000']
    return {'ns_normalise_10_rules': round(few, 1), 'ns_normalise_10k_rules': round(many, 1),
            'rules_10k_vs_10': round(many / few, 2),
            'ns_normalise_1m_ported': round(ns['normalise_ported/1000000'], 1)}


def speed():
    told = subprocess.run([ORACLE, 'time', SAMPLES, '4000000', '1'], check=True,
                          capture_output=True, text=True).stdout
    compiled = {line.split()[0]: float(line.split()[1]) for line in told.splitlines()}
    names = python_oracle.load(SAMPLES.read_text(), False)
    event = python_oracle.Event()
    for fact in python_oracle.FACTS:
        setattr(event, fact, 5)
    event.quantity, event.counter0, event.network = 5_000_000, 1000, 26201
    event.location = 'roaming'
    ratios = {}
    for name, ns in compiled.items():
        function = names[name]
        arguments = (event, 1_000_000)[:function.__code__.co_argcount]
        rounds = timeit.repeat(lambda: function(*arguments), number=50_000, repeat=3)
        ratios[name] = min(rounds) / 50_000 * 1e9 / ns
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    return {'compiled_over_cpython': round(min(ratios.values()), 1),
            'compiled_over_cpython_mean': round(mean, 1),
            'ns_compiled': compiled}


def mismatches(events):
    """Some of the events that are made up are for functions that nobody can call: a few more."""
    judged, found, seed = 0, 0, 0
    while judged < events:
        seed += 1
        share = max(EVENTS_A_FUNCTION, min(events // 4, events - judged))
        judge, _ = python_oracle.compare(str(ORACLE), share // EVENTS_A_FUNCTION, share, seed)
        judged += judge.events
        found += len(judge.mismatches)
    return {'python_events': judged, 'python_mismatches': found}
