# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The bench gy: durable answers to CCR-U of some 750 octets, wire to wire on one core.

Four things take turns on processor 0, driven from the other one (but for the limit, which drives
itself), while the others stand still:

  appliance  build/tollgate over memif, everything on one core, journal on disk
  limit      build/tools/limit/tollgate_limit: the same tiles in one process without packets
  bare       build/tools/tollload/tollload_responder over memif: packets and codec, no charging
  otp        OTP's diameter on kernel TCP with one scheduler, no charging either

Ratios are taken within a round, because a round's neighbours in time see the same machine, and
between rates for each second of processor that a server had, so that what else runs on the machine
counts against nobody.
"""
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import time

from appliance import (Appliance, BUILD, ROOT, end, fail, fresh_folder, load_command, machine,
                       machine_text, prepare, read_json, say, start)

FOLDER = ROOT / 'run' / 'bench'
HUGE_MIB = 2560  # two ledgers of a million accounts, and DPDK's memory for both ends
OTP_SESSIONS = 2_000  # it opens some 10 000 a second
OTP_ADDRESS = '127.0.0.1:3868'
SHARE_OF_FULL_LOAD = 0.7


def bench(chosen):
    prepare(HUGE_MIB)
    about = machine()
    say(f'gy: {machine_text(about)}')
    fresh_folder(FOLDER)
    appliance = Appliance(configuration(FOLDER, 'bench', chosen.tariff), FOLDER, 'bench')
    limit_config = configuration(FOLDER / 'limit', 'bench-limit')
    appliance.start()
    say(f'importing {chosen.subscribers} subscribers')
    appliance.import_subscribers(chosen.subscribers, chosen.plan, '1000.00EUR')
    core = Core(appliance)
    try:
        rounds = [one_round(chosen, number, appliance, core, limit_config)
                  for number in range(chosen.rounds)]
        result = summary(chosen, rounds)
        at_part = part_load(chosen, appliance, core, result['answers_per_second'])
        result['in_loop_us'] = at_part['in_loop_us']
        result['at_part_load'] = at_part
        result['wrong'] += at_part['wrong']
        result['audit'] = appliance.ask('audit')
        result['wrong'] += 0 if result['audit'].get('ok') else 1
    finally:
        core.go_on()
        end(appliance.process)
        shutil.rmtree(FOLDER / 'journal', ignore_errors=True)
    result['machine'] = about
    tell(result)
    return result


def configuration(folder, name, tariff=None):
    """config/demo.toml with other places and more sessions. An appliance that has run for a while
    uses its journal's segments again; here as many are made before as the rounds fill, so that
    none is filled with zeros beside them. Accounts of another tariff than the demo's may have two
    buckets more than one: an allowance and a counter."""
    text = (ROOT / 'config' / 'demo.toml').read_text()
    tariffs = os.path.relpath(tariff or ROOT / 'config' / 'tariffs', folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old, new in (('name = "demo"', f'name = "{name}"'), ('"../run/demo/', '"./'),
                     ('["tariffs"]', f'["{tariffs}"]'),
                     ('segments_ahead = 4', 'segments_ahead = 12')):
        if old not in text:
            fail(f'config/demo.toml has no {old}')
        text = text.replace(old, new)
    text = re.sub(r'sessions_max = \d+', 'sessions_max = 500000', text)
    if tariff:
        text = re.sub(r'(?m)^(accounts_max = (\d+).*)$',
                      lambda found: f'{found[1]}\nbuckets_max = {3 * int(found[2])}', text)
    path = folder / 'bench.toml'
    path.write_text(text)
    return path


class Core:
    """The appliance's core, which polls all the time: it stands still while others are measured."""

    def __init__(self, appliance):
        processes = {one['name']: one['pid'] for one in appliance.ask('stats')['processes']}
        self.pid, self.control_pid = processes['core0'], processes['control']

    def wait_for_control(self):
        """Control writes the charging records of the round before on the generator's processor."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            _, before = cpu_reading(self.control_pid)
            time.sleep(1)
            if cpu_reading(self.control_pid)[1] - before < 0.1:
                return
        say('control is still busy with what was before')

    def stand_still(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


# -- Loads -----------------------------------------------------------------------------------------

class Reading:
    """What the server shows at the beginning and at the end of the measured seconds."""

    def __init__(self, read):
        self.read, self.before, self.after = read, None, None
        self.last_line = 'it said nothing'

    def take_between(self, lines, seconds):
        """Follows tollload's progress: takes the first when it says that it is running."""
        for line in lines:
            self.last_line = line.strip() or self.last_line
            if ' running ' in line and self.before is None:
                self.before = self.read()
                time.sleep(max(0.5, seconds - 1.5))
                self.after = self.read()


def drive(name, seconds, command, read):
    """Runs tollload. Returns its result, and the server's readings around the measured part."""
    path = FOLDER / f'{name}.json'
    load = start(*command, '--json', path, stderr=subprocess.PIPE, text=True)
    reading = Reading(read)
    reading.take_between(load.stderr, seconds)
    code = load.wait()
    if reading.after is None or not path.exists():
        fail(f'the load against {name} ended early with code {code}: {reading.last_line}')
    result = read_json(path, f'tollload against {name}')
    if result['failure']:
        fail(f'the load against {name} ended early: {result["failure"]}')
    return result, reading.before, reading.after


def memif_load(chosen, socket, seconds, pace):
    return load_command('memif', '--to', '198.18.1.1', '--from', '198.18.1.2/24',
                        '--memif-socket', socket, '--huge-dir', '/dev/hugepages',
                        '--scenario', 'data', '--requested-octets', 1_024_000, '--updates', 0,
                        '--connections', chosen.connections, *pace,
                        '--subscribers', chosen.subscribers, '--sessions', chosen.sessions,
                        '--seconds', seconds)


def drive_appliance(chosen, appliance, core, seconds, pace):
    core.wait_for_control()
    core.go_on()
    try:
        result, before, after = drive(
            'appliance', seconds, memif_load(chosen, appliance.memif_socket, seconds, pace),
            lambda: (cpu_reading(core.pid), appliance.ask('stats')))
    finally:
        core.stand_still()
    return {**kept(result), **per_core(result, before[0], after[0]),
            'cycles_per_ccr': cycles(before[1], after[1]),
            'in_loop_us': in_loop(before[1], after[1])}


def drive_bare(chosen, seconds, pace):
    socket = FOLDER / 'bare.sock'
    server = start(BUILD / 'tools/tollload/tollload_responder', '--transport', 'memif', '--listen',
                   '198.18.1.1', '--memif-socket', socket, '--huge-dir', '/dev/hugepages',
                   '--file-prefix', 'tollgate-bench-bare', '--core', 0, stdout=subprocess.PIPE,
                   text=True)
    if not server.stdout.readline().startswith('listening'):
        fail('the bare responder did not start')
    result, before, after = drive('bare', seconds, memif_load(chosen, socket, seconds, pace),
                                  lambda: cpu_reading(server.pid))
    end(server)
    return {**kept(result), **per_core(result, before, after)}


def drive_limit(chosen, config, seconds):
    """With its own subscribers, made without control."""
    shutil.rmtree(config.parent / 'journal', ignore_errors=True)
    (config.parent / 'journal').mkdir()
    program = start(BUILD / 'tools/limit/tollgate_limit', '--config', config, '--core', 0,
                    '--subscribers', chosen.subscribers, '--sessions', chosen.sessions,
                    '--connections', chosen.connections, '--window', chosen.window,
                    '--seconds', seconds, stdout=subprocess.PIPE, text=True)
    told = program.communicate()[0]
    shutil.rmtree(config.parent / 'journal', ignore_errors=True)
    if program.returncode != 0:
        fail(f'tollgate_limit ended with code {program.returncode}')
    (FOLDER / 'limit.json').write_text(told)
    return read_json(FOLDER / 'limit.json', 'tollgate_limit')


def drive_otp(chosen, seconds):
    """In a network namespace of its own, BEAM with one scheduler on processor 0."""
    server = start('unshare', '--net', 'sh', '-c',
                   'ip link set lo up && exec taskset -c 0 erl -noshell +S 1:1 +SDcpu 1:1 +SDio 1 '
                   f'-pa {BUILD / "tests" / "erlang"} -run ro_responder main 127.0.0.1 3868',
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not server.stdout.readline().startswith('listening'):
        fail('the responder on OTP did not start')
    command = ['nsenter', '-t', server.pid, '--net', *load_command(
        'kernel', '--to', OTP_ADDRESS, '--scenario', 'data', '--any-grant', '--updates', 0,
        '--connections', 8, '--window', 512, '--subscribers', chosen.subscribers,
        '--sessions', OTP_SESSIONS, '--seconds', seconds)]
    result, before, after = drive('otp', seconds, command, lambda: cpu_reading(server.pid))
    end(server)
    return {**kept(result), **per_core(result, before, after)}


def cpu_reading(pid):
    """(seconds of the clock, seconds of processor of the process and its threads)."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return time.monotonic(), (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def per_core(result, before, after):
    """What others took of the processor meanwhile is not counted against the server."""
    busy = (after[1] - before[1]) / (after[0] - before[0])
    return {'cores': round(busy, 3),
            'answers_per_second_and_core': round(result['answers_per_second'] / max(busy, 0.001))}


def kept(result):
    return {name: result[name] for name in ('answers_per_second', 'answered', 'wrong', 'lost',
                                            'too_busy', 'ccr_bytes', 'latency_us')}


# -- What the appliance counts of itself -----------------------------------------------------------

def cycles(before, after):
    """Ticks of the time stamp counter for each CCR, by stage; net has receive and answer in it."""
    count = after['ccr_received'] - before['ccr_received']
    if count <= 0:
        return fail('nothing was received in the measured seconds')

    def each(*path):
        values = []
        for stats in (before, after):
            for name in path:
                stats = stats[name]
            values.append(stats)
        return round((values[1] - values[0]) / count)
    return {'net': each('tiles', 'core0', 'tile0_ticks'),
            'charge': each('tiles', 'core0', 'tile1_ticks'),
            'journal': each('tiles', 'core0', 'tile2_ticks'),
            'busy': each('tiles', 'core0', 'busy_ticks'),
            'net_receive': each('receive_ticks'), 'net_answer': each('answer_ticks')}


def in_loop(before, after):
    """From a request's frame to its answer's frame, durable in between, for the time measured."""
    counts = dict(map(tuple, after['in_loop_ns_counts']))
    for upper, count in before['in_loop_ns_counts']:
        counts[upper] = counts.get(upper, 0) - count
    total = sum(counts.values())
    told, seen = {}, 0
    wanted = [('p50', 0.5), ('p99', 0.99), ('p999', 0.999)]
    for upper in sorted(counts):
        seen += counts[upper]
        while wanted and seen >= wanted[0][1] * total:
            told[wanted.pop(0)[0]] = round(upper / 1000, 1)
    return told


# -- Rounds ----------------------------------------------------------------------------------------

def one_round(chosen, number, appliance, core, limit_config):
    seconds = max(3, chosen.seconds // chosen.rounds)
    window = ('--window', chosen.window)
    measured = {'appliance': drive_appliance(chosen, appliance, core, seconds, window),
                'limit': drive_limit(chosen, limit_config, seconds),
                'bare': drive_bare(chosen, seconds, window),
                'otp': drive_otp(chosen, seconds),
                'load': round(os.getloadavg()[0], 2)}
    say(f'round {number + 1}: ' + ', '.join(
        f'{name} {measured[name]["answers_per_second"]:,}/s'
        for name in ('appliance', 'limit', 'bare', 'otp')) + f', machine load {measured["load"]}')
    return measured


def part_load(chosen, appliance, core, full):
    """Open loop at a part of the full rate, the bare responder beside it at the same rate."""
    rate = max(1, int(full * SHARE_OF_FULL_LOAD))
    seconds = max(3, chosen.seconds // chosen.rounds)
    ours = drive_appliance(chosen, appliance, core, seconds, ('--rate', rate))
    bare = drive_bare(chosen, seconds, ('--rate', rate))
    return {'rate': rate, 'in_loop_us': ours['in_loop_us'], 'latency_us': ours['latency_us'],
            'bare_latency_us': bare['latency_us'], 'wrong': ours['wrong'] + ours['lost'],
            'too_busy': ours['too_busy']}


def spread(rounds, of):
    values = sorted(of(one) for one in rounds)
    median = round(statistics.median(values), 3)
    return {'median': int(median) if median == int(median) else median,
            'least': values[0], 'most': values[-1]}


def summary(chosen, rounds):
    def rates(name):
        return spread(rounds, lambda one: one[name]['answers_per_second'])

    def of_core(one, name):
        return max(1, one[name]['answers_per_second_and_core'])

    def share(name):
        return spread(rounds, lambda one: round(of_core(one, 'appliance') / of_core(one, name), 3))
    ratio = spread(rounds, lambda one: round(of_core(one, 'appliance') / of_core(one, 'otp'), 1))
    by_rate = sorted(rounds, key=lambda one: one['appliance']['answers_per_second'])
    middle = by_rate[len(by_rate) // 2]
    return {'answers_per_second': int(rates('appliance')['median']),
            'answers_per_second_and_core': int(spread(
                rounds, lambda one: of_core(one, 'appliance'))['median']),
            'wrong': sum(one['appliance']['wrong'] + one['appliance']['lost'] for one in rounds),
            'ratio_to_erlang': ratio['median'], 'share_of_limit': share('limit')['median'],
            'share_of_bare': share('bare')['median'],
            'cycles_per_ccr': middle['appliance']['cycles_per_ccr'],
            'limit_cycles_per_ccr': middle['limit']['cycles_per_ccr'],
            'in_loop_us_at_full_load': middle['appliance']['in_loop_us'],
            'ccr_bytes': middle['appliance']['ccr_bytes'],
            'spread': {'appliance': rates('appliance'), 'limit': rates('limit'),
                       'bare': rates('bare'), 'otp': rates('otp'), 'ratio_to_erlang': ratio,
                       'share_of_limit': share('limit')},
            'subscribers': chosen.subscribers, 'sessions': chosen.sessions,
            'connections': chosen.connections, 'window': chosen.window, 'rounds': rounds}


def tell(result):
    def line(text, value):
        say(f'  {text:<44}{value}')

    def range_of(name):
        one = result['spread'][name]
        return f'{one["median"]:>12,}   ({one["least"]:,} to {one["most"]:,})'
    say(f'\ngy: {result["subscribers"]:,} subscribers, one core, CCR-U of {result["ccr_bytes"]} '
        'octets, journal on disk; median (range of the rounds)')
    line('durable answers a second', range_of('appliance'))
    line('wrong or lost', f'{result["wrong"]:>12,}')
    line('the limit: the same work without packets', range_of('limit'))
    line('bare responder: packets without the work', range_of('bare'))
    line("OTP's diameter, answering without charging", range_of('otp'))
    line('the appliance, for each second of processor',
         f'{result["answers_per_second_and_core"]:>12,}')
    line('times as many as OTP, a core each', range_of('ratio_to_erlang'))
    line('share of the limit', range_of('share_of_limit'))
    line('ticks a CCR', result['cycles_per_ccr'])
    line('ticks a CCR of the limit', result['limit_cycles_per_ccr'])
    part = result['at_part_load']
    line(f'in the loop at {part["rate"]:,}/s, us', part['in_loop_us'])
    line('seen by the client at that rate, us', part['latency_us'])
    line('the same of the bare responder, us', part['bare_latency_us'])
    line('in the loop at full load, us', result['in_loop_us_at_full_load'])
