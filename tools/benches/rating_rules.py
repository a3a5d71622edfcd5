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
USUAL_EVENTS = 128
CALLS = 50_000

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
    """The same events for both, hot in both: with what Python makes of an event before it calls the
    function left out, and a loop over events that are there already."""
    told = subprocess.run([ORACLE, 'time', SAMPLES, str(USUAL_EVENTS), '1'], check=True,
                          capture_output=True, text=True).stdout
    compiled = {line.split()[0]: float(line.split()[1]) for line in told.splitlines()}
    names = python_oracle.load(SAMPLES.read_text(), False)
    calls = python_oracle.usual_calls(ORACLE, SAMPLES, USUAL_EVENTS, 1)
    interpreted = {}
    for name in compiled:
        function = names[name]
        arguments = [each for each, _ in calls[name]]
        wrong = [each for each, result in calls[name] if function(*each) != result]
        if wrong:
            fail(f'{name} differs from CPython on {len(wrong)} usual events')

        def call_all():
            for each in arguments:
                function(*each)

        rounds = timeit.repeat(call_all, number=CALLS // USUAL_EVENTS, repeat=5)
        interpreted[name] = min(rounds) / (CALLS // USUAL_EVENTS * USUAL_EVENTS) * 1e9
    ratios = {name: interpreted[name] / ns for name, ns in compiled.items()}
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    return {'compiled_over_cpython': round(min(ratios.values()), 1),
            'compiled_over_cpython_mean': round(mean, 1),
            'ns_compiled': compiled,
            'ns_cpython': {name: round(ns, 1) for name, ns in interpreted.items()}}


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
