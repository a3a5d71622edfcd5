#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Lets each libFuzzer target of a build search for some seconds, from the corpus in the tree.

    tests/run_fuzzers.py BUILD SECONDS LOG

A target FOLDER_NAME_fuzz begins with FOLDER/corpus/NAME (or FOLDER/corpus) and writes what it
learns to BUILD/corpus, never into the tree. Who reads Diameter gets the words of our dictionary
(BUILD/diameter/diameter.dict). A finding is left beside the target as crash-*; add it
to the corpus together with the repair. LOG gets one JSON line a target, as meson's test log has.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INPUT_SECONDS_MAX = 10
MEMORY_MIB_MAX = 2048
DIAMETER = ('app', 'diameter')  # folders whose targets read messages


def corpus_of(folder, name):
    for path in (ROOT / folder / 'corpus' / name, ROOT / folder / 'corpus'):
        if path.is_dir():
            return [str(path)]
    return []


def words_for(folder, build):
    return [f'-dict={build}/diameter/diameter.dict'] if folder in DIAMETER else []


def search(target, seconds):
    folder = target.parent.name
    build = target.parent.parent
    name = target.name.removeprefix(f'{folder}_').removesuffix('_fuzz')
    learned = build / 'corpus' / target.name
    learned.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    done = subprocess.run(
        [target, f'-max_total_time={seconds}', f'-timeout={INPUT_SECONDS_MAX}',
         f'-rss_limit_mb={MEMORY_MIB_MAX}', f'-artifact_prefix={target.parent}/crash-',
         '-print_final_stats=1', *words_for(folder, build), learned, *corpus_of(folder, name)],
        capture_output=True, text=True, errors='replace')
    result = 'OK' if done.returncode == 0 else 'FAIL'
    counts = [line.split()[-1] for line in done.stderr.splitlines() if 'number_of_executed' in line]
    print(f'{result:<5} {folder}/{name}_fuzz, {counts[0] if counts else "?"} inputs', flush=True)
    if done.returncode != 0:
        print(done.stderr[-4000:], flush=True)
    return {'name': f'{folder}/{name}_fuzz', 'result': result,
            'duration': time.monotonic() - started}


def main():
    build, seconds, log = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3]
    targets = sorted(path for path in build.glob('*/*_fuzz') if os.access(path, os.X_OK)
                     and path.is_file())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda target: search(target, seconds), targets))
    pathlib.Path(log).write_text(''.join(json.dumps(result) + '\n' for result in results))
    return 0 if targets and all(result['result'] == 'OK' for result in results) else 1


if __name__ == '__main__':
    sys.exit(main())
