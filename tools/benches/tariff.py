# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The bench tariff: what a large tariff costs of the full charge rate.

Two appliances charge in turns on processor 0, the other one standing still meanwhile: one by the
demo's tariff, one by a sample (config/samples/prepaid.tariff and its plan with zones, bands,
allowances and a counter, if nothing else is asked for). Each pair of neighbours in time gives a
ratio, of rates for each second of processor; who is first changes from pair to pair. The journal's
segments that are made beforehand last for some 20 seconds of load on each side: with more, zeros
are written beside the charges.
"""
import pathlib
import shutil

from appliance import Appliance, ROOT, end, fresh_folder, machine, machine_text, prepare, say
from benches import gy

SAMPLE = ROOT / 'config' / 'samples' / 'prepaid.tariff'
SAMPLE_PLAN = 'prepaid-world'
HUGE_MIB = 3584


class Side:
    """One of the two, started, with its subscribers."""

    def __init__(self, chosen, name, tariff, plan):
        self.name = name
        folder = gy.FOLDER / name
        self.folder = folder
        self.appliance = Appliance(gy.configuration(folder, f'bench-{name}', tariff), folder,
                                   f'bench-{name}')
        self.appliance.start()
        say(f'{name}: importing {chosen.subscribers} subscribers')
        self.appliance.import_subscribers(chosen.subscribers, plan, '1000.00EUR')
        self.core = gy.Core(self.appliance)
        self.core.wait_for_control()
        self.core.stand_still()

    def drive(self, chosen, seconds):
        return gy.drive_appliance(chosen, self.appliance, self.core, seconds,
                                  ('--window', chosen.window))

    def audit(self):
        self.core.go_on()
        found = self.appliance.ask('audit')
        self.core.stand_still()
        return found

    def end(self):
        self.core.go_on()
        end(self.appliance.process)
        shutil.rmtree(self.folder / 'journal', ignore_errors=True)


def bench(chosen):
    prepare(HUGE_MIB)
    about = machine()
    say(f'tariff: {machine_text(about)}')
    fresh_folder(gy.FOLDER)
    tariff, plan = (chosen.tariff, chosen.plan) if chosen.tariff else (SAMPLE, SAMPLE_PLAN)
    sides = []
    try:
        sides.append(Side(chosen, 'demo', None, 'prepaid'))
        sides.append(Side(chosen, 'sample', pathlib.Path(tariff), plan))
        seconds = max(3, chosen.seconds // chosen.rounds)
        for side in sides:
            side.drive(chosen, 3)  # sessions are opened, pages touched
        rounds = [one_round(chosen, number, sides, seconds) for number in range(chosen.rounds)]
        audits = {side.name: side.audit() for side in sides}
    finally:
        for side in sides:
            side.end()
    result = summary(rounds)
    result['audit'] = audits
    result['wrong'] += sum(0 if one.get('ok') else 1 for one in audits.values())
    result.update(tariff=str(tariff), plan=plan, machine=about, subscribers=chosen.subscribers,
                  sessions=chosen.sessions, rounds=rounds)
    tell(result)
    return result


def one_round(chosen, number, sides, seconds):
    measured = {}
    for side in sides if number % 2 == 0 else sides[::-1]:
        for each in sides:  # the other one's control writes charging records as well
            each.core.wait_for_control()
        measured[side.name] = side.drive(chosen, seconds)
    measured['ratio'] = round(of_core(measured, 'sample') / of_core(measured, 'demo'), 3)
    say(f'round {number + 1}: demo {of_core(measured, "demo"):,}, sample '
        f'{of_core(measured, "sample"):,} for each second of processor, ratio {measured["ratio"]}')
    return measured


def of_core(measured, name):
    return max(1, measured[name]['answers_per_second_and_core'])


def summary(rounds):
    ratio = gy.spread(rounds, lambda one: one['ratio'])
    return {'drop_percent': round(100 * (1 - ratio['median']), 1),
            'ratio': ratio,
            'demo_answers_per_second_and_core': gy.spread(rounds, lambda one: of_core(one, 'demo')),
            'sample_answers_per_second_and_core': gy.spread(
                rounds, lambda one: of_core(one, 'sample')),
            'demo_cycles_per_ccr': rounds[-1]['demo']['cycles_per_ccr'],
            'sample_cycles_per_ccr': rounds[-1]['sample']['cycles_per_ccr'],
            'wrong': sum(one[name]['wrong'] + one[name]['lost'] for one in rounds
                         for name in ('demo', 'sample'))}


def tell(result):
    ratio = result['ratio']
    say(f'\ntariff: {result["plan"]} of {pathlib.Path(result["tariff"]).name} against the demo\'s, '
        f'{result["subscribers"]:,} subscribers each')
    say(f'  drop of the full charge rate, percent       {result["drop_percent"]}')
    say(f'  ratio, median (range)                       {ratio["median"]} ({ratio["least"]} to '
        f'{ratio["most"]})')
    say(f'  ticks a CCR, demo                           {result["demo_cycles_per_ccr"]}')
    say(f'  ticks a CCR, sample                         {result["sample_cycles_per_ccr"]}')
    say(f'  wrong or lost                               {result["wrong"]}')
