#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Can the simulator see? Plants bugs in a copy of the tree, one at a time, and counts seeds.

    tests/sim/plant.py [--copy DIR] [--seeds N] [--json] [NAME...]

Each bug is one small change of the product's source. The copy is built (release, without DPDK), and
tollsim runs seeds from 1 on until one fails, N at most. A bug that no seed finds makes it exit 1.
The table in docs/testing.md is made with it.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# name: what a programmer might do, file, text as it is, text with the bug
BUGS = {
    'answer-early': (
        'the answer leaves when its group is given to the disk, not when it is there',
        'ledger/journal_writer.hh',
        'if (due.state != GroupState::durable) return released;\n'
        '    check(due.sequence == 0 || due.sequence <= memory_.durable_sequence.load(),\n'
        '          "an answer leaves when its group is on disk");',
        'if (due.state == GroupState::filling) return released;'),
    'order-of-groups': (
        'a group that is done counts although one before it is not',
        'ledger/journal_writer.cc',
        'if (due.state != GroupState::durable) break;\n    if (due.sequence != 0',
        'if (due.state != GroupState::durable) continue;\n    if (due.sequence != 0'),
    'failed-write': (
        'a write that failed is taken for done',
        'ledger/journal_writer.cc',
        'if (!completion.is_durable) {\n      fail();\n      continue;\n    }\n',
        ''),
    'forgotten-rewrite': (
        'a journal tile that starts again does not write again what was in flight',
        'ledger/journal_writer.cc',
        'if (slot(count).state == GroupState::submitted) start_write(count);',
        'if (slot(count).state == GroupState::submitted)\n'
        '      slot(count).state = GroupState::durable;'),
    'forgotten-release': (
        'the end of a session gives the holds of its first rating group only back',
        'app/charge_session.cc',
        'if (quota.hold_count != 0) {\n'
        '      change_quota(context, {&quota, Pool::extension, at});\n'
        '      release_holds(context, quota);\n    }\n    at = quota.next;',
        'at = quota.next;'),
    'no-duplicate-check': (
        'an UPDATE whose answer is no longer stored is carried out again',
        'app/charge_answer.cc',
        'if (was_seen(session, request.number)) return Outcome::session_forgotten;',
        'if (was_seen(session, request.number) && !session.quota_count)\n'
        '        return Outcome::session_forgotten;'),
    'stored-answer': (
        'the stored answer is looked for by number, not by type and number',
        'app/charge_answer.cc',
        'if (answer.type == static_cast<u8>(request.kind) && answer.number == request.number) {',
        'if (answer.type != 0 && answer.number == request.number) {'),
    'replay-skips': (
        'replay leaves out the patches of extension records',
        'ledger/patcher.cc',
        'if (part.pool == Pool::note) return;',
        'if (part.pool == Pool::note || part.pool == Pool::extension) return;'),
    'wrong-undo': (
        'a burst that was rolled back leaves one word of each record as it was changed',
        'ledger/operation.cc',
        'undo.log + end, tail.word_count * 8);',
        'undo.log + end, (tail.word_count - 1) * 8);'),
    'expiry-twice': (
        'a session that expired is put on the timer wheel again',
        'ledger/shard.hh',
        'expired(index);\n      } else {',
        'expired(index);\n        put_on_wheel(index, now + Duration::seconds(2));\n'
        '      } else {'),
    'early-expiry': (
        'a session ends three seconds before its deadline',
        'ledger/shard.hh',
        'if (memory_.sessions[index].deadline_ns <= now.ns) {',
        'if (memory_.sessions[index].deadline_ns <= now.ns + 3000000000) {'),
    'torn-tail': (
        'recovery does not look whether the entries of a group are whole',
        'ledger/journal_reader.cc',
        'return crc32c(group.payload) == group.header.payload_crc;',
        'return true;'),
    'silent-break': (
        'recovery takes a break in the middle for the end of the journal',
        'ledger/replay.cc',
        'std::string why = reader.verify_end();',
        'std::string why;'),
    'transfer-twice': (
        'a target that has a transfer already takes it again when it is repeated',
        'app/charge_transfer.cc',
        'if (find_transfer(shard, account, BucketState::received, command.transfer_id) != 0) {',
        'if (command.transfer_id == 0) {'),
    'transfer-lost': (
        'a transfer that was refused is settled as if it had arrived',
        'app/charge_transfer.cc',
        'if (command.kind != CommandKind::transfer_return) {',
        'if (is_sender || command.kind != CommandKind::transfer_return) {'),
    'overrun': (
        'what was used beyond the balance is not taken',
        'app/quota.cc',
        'if (outcome != Outcome::ok || !overrun.is_collected) return outcome;',
        'if (outcome != Outcome::ok || overrun.is_collected) return outcome;'),
    'limit-forgets-release': (
        'what a member gives back of its payer is not given back to its limit',
        'app/purse.cc',
        'return move(context, bucket, amount, ledger::release);',
        'return ledger::release(context.op, {context.shard, bucket}, amount);'),
    'removed-payer': (
        'a payer is removed although it has members',
        'app/charge_command.cc',
        'if (account.member_count != 0) return Outcome::account_has_members;',
        ''),
    'threshold-of-grants': (
        'a threshold is crossed by what is held already',
        'ledger/balance.cc',
        'if (!add(bucket.balance, bucket.reserved, worth)) worth = Amount::max();',
        'worth = bucket.balance;'),
    'expired-account': (
        'an account that is over is served',
        'ledger/balance.hh',
        'return is_over && may_end ? AccountState::expired : account.state;',
        'return is_over && may_end && account.id == 0 ? AccountState::expired : account.state;'),
    'turn-of-held': (
        'a turn takes over a bucket of which a session holds some',
        'app/charge_product.cc',
        'if (is_same && is_over && bucket.reserved.is_zero()) return at;',
        'if (is_same && is_over) return at;'),
}


def refuse_moved(names):
    moved = []
    for name in names:
        _, file, was, _ = BUGS[name]
        count = (ROOT / file).read_text().count(was)
        if count != 1:
            moved.append(f'{name}: the text to be changed stands {count} times in {file}')
    if moved:
        raise SystemExit('\n'.join(moved))


def plant(copy, name):
    sentence, file, was, becomes = BUGS[name]
    path = copy / file
    text = path.read_text()
    path.write_text(text.replace(was, becomes))
    return sentence, path, text


def build(copy):
    return subprocess.run(['ninja', '-C', copy / 'build-plant', '-j1', 'tollsim'],
                          capture_output=True, text=True)


def first_failing_seed(copy, most):
    """Runs seeds in growing steps; returns the first that fails and why, or None."""
    begin, step = 1, 10
    while begin <= most:
        end = min(most, begin + step - 1)
        run = subprocess.run([copy / 'build-plant/tollsim', '--seeds', f'{begin}..{end}'],
                             capture_output=True, text=True, errors='replace')
        found = re.search(r'^seed (\d+) failed at step \d+: (.*)$', run.stderr, re.MULTILINE)
        if found:
            return int(found[1]), found[2]
        begin, step = end + 1, step * 3
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--copy', default='/tmp/tollgate-plant', type=pathlib.Path)
    parser.add_argument('--seeds', default=1000, type=int)
    parser.add_argument('--json', action='store_true')
    parser.add_argument('names', nargs='*', metavar='NAME')
    options = parser.parse_args()
    names = options.names or list(BUGS)
    refuse_moved(names)  # now, not after an hour
    options.copy.mkdir(parents=True, exist_ok=True)
    tracked = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.split()
    for file in tracked:
        target = options.copy / file
        target.parent.mkdir(parents=True, exist_ok=True)
        source = (ROOT / file).read_bytes()
        if not target.exists() or target.read_bytes() != source:
            shutil.copy(ROOT / file, target)
    if not (options.copy / 'build-plant/build.ninja').exists():
        subprocess.run(['meson', 'setup', 'build-plant', '--buildtype=release',
                        '-Ddataplane=false'], cwd=options.copy, check=True,
                       stdout=subprocess.DEVNULL)
    unseen = 0
    rows = []
    for name in names:
        sentence, path, text = plant(options.copy, name)
        try:
            built = build(options.copy)
            if built.returncode != 0:
                raise SystemExit(f'{name} does not build:\n{built.stdout[-2000:]}')
            found = first_failing_seed(options.copy, options.seeds)
        finally:
            path.write_text(text)
        unseen += found is None
        seeds, why = found or (None, 'not found')
        rows.append({'bug': name, 'what': sentence, 'seeds': seeds, 'why': why})
        if not options.json:
            print(f'| {sentence} | {seeds or "not found"} | {why} |', flush=True)
    if options.json:
        print(json.dumps(rows))
    return 1 if unseen else 0


if __name__ == '__main__':
    sys.exit(main())
