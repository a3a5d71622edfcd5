#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Adds up the test logs that tools/check collected: one table line a suite, then the total.

    tests/count_results.py DIR

DIR holds one SUITE.json of meson (one object a line) a suite, and stages-failed with one line for
each stage that never came to its tests. A test that was skipped counts as failed: what was not seen
to work has not passed. The last words of each failed test stand beside its name, since often only
the end of a log is kept.
"""
import json
import pathlib
import re
import sys

PASSED = {'OK', 'EXPECTEDFAIL'}
LAST_WORDS = 500  # characters
COMPLAINT = re.compile(r'^SUMMARY: |FAILED: |runtime error: ')


def main():
    folder = pathlib.Path(sys.argv[1])
    passed_total, failures = 0, []
    for log in sorted(folder.glob('*.json')):
        tests = [json.loads(line) for line in log.read_text().splitlines()]
        failed = [test for test in tests if test['result'] not in PASSED]
        passed_total += len(tests) - len(failed)
        failures += [f'{log.stem}: {test["name"]}: {test["result"]}: {last_words(test)}'
                     for test in failed]
        seconds = sum(test.get('duration') or 0 for test in tests)
        print(f'{log.stem:<12} {len(tests) - len(failed):>4} passed {len(failed):>4} failed'
              f' {seconds:>7.1f} s')
    stages = folder / 'stages-failed'
    failures += stages.read_text().splitlines() if stages.exists() else []
    for failure in failures:
        print(f'FAILED {failure}')
    print(f'{passed_total} passed, {len(failures)} failed')
    return 1 if failures or passed_total == 0 else 0


def last_words(test):
    """The end of what a test wrote, as one line: its complaint, or what it did last."""
    text = (test.get('stderr') or '').strip() or (test.get('stdout') or '').strip()
    complaints = [line for line in text.splitlines() if COMPLAINT.search(line)]
    if complaints:
        return complaints[-1].strip()[:LAST_WORDS]
    return ' | '.join(text[-LAST_WORDS:].splitlines()) or 'it wrote nothing'


if __name__ == '__main__':
    sys.exit(main())
