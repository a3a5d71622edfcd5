#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Tariffs and products at an appliance that charges: a tariff loaded, one that waits for its
moment, rolled back; a product bought, whose price counts, over a restart; and what past sessions
would have cost.
"""
import json
import sys
import time

from lab import TapAppliance, expect, fail, micro, run_test, wait_for
from peers import play_otp

PAYER = '46700000052'
# As relay.steps expects: blocks of 100 KiB, and messages. With gold a block costs half.
TARIFF = '''
plan prepaid {{
  currency EUR
  service data {{
    default group 10
    rule group 10 {{ price {block}EUR per 100KiB }}
    rule group 10 with gold {{ price {gold}EUR per 100KiB }}
  }}
  service sms {{ rule default {{ price 0.10EUR }} }}
}}
product gold {{ plans prepaid; fee 5.00EUR per month on last; allowance 1.00EUR priority 200 }}
'''


def write_tariff(work, name, block):
    folder = work / name
    folder.mkdir()
    gold = {'0.01': '0.005', '0.02': '0.01'}[block]
    (folder / 'prices.tariff').write_text(TARIFF.format(block=block, gold=gold))
    return folder


def test(build, work):
    appliance = TapAppliance(build, work)
    appliance.start()
    appliance.control('account', 'add', 'payer', '--identity', f'msisdn:{PAYER}', '--plan',
                      'prepaid', '--balance', '20.00EUR')
    cheap, dear = write_tariff(work, 'cheap', '0.01'), write_tariff(work, 'dear', '0.02')
    appliance.control('tariff', 'load', cheap)
    bought = appliance.control('product', 'buy', 'payer', 'gold', '--key', 'sale-1')
    expect('the product after its purchase', bought['products'][0]['state'], 'active')
    # 20.00 - 5.00 + 1.00
    expect('balance after the purchase', appliance.bucket('payer'), (micro('16.00'), 0))
    play_otp(build, work, 'relay.steps', {'payer': PAYER})
    # 3 blocks of 0.005 and a message
    expect('balance after a session', appliance.bucket('payer'), (micro('15.885'), 0))
    check_history(appliance)
    check_versions(appliance, dear)
    check_replay(appliance, work, dear)
    check_restart(appliance)
    appliance.audit()
    appliance.stop()


def check_history(appliance):
    events = appliance.control('account', 'history', 'payer')['events']
    turns = [event for event in events
             if (event.get('command') or {}).get('kind') == 'product_turn']
    expect('turns in the history', len(turns), 1)
    expect('the key of the turn', turns[0]['command']['key'], 'sale-1')
    changes = {change['before']['balance'] if change['before'] else None: change['after']['balance']
               for change in turns[0]['changes']}
    expect('what the fee did', changes.get('20.00'), '15.00')


def check_versions(appliance, dear):
    """A tariff waits for its moment, comes into force by itself, and is rolled back."""
    moment = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 2))
    told = appliance.control('tariff', 'load', dear, '--at', moment)
    expect('a tariff that waits', told['waiting'] is not None, True)
    wait_for('the tariff that waits', lambda: waiting(appliance) is None)
    if block_price(appliance) != '0.02':
        fail('the tariff that waited is not in force')
    appliance.control('tariff', 'rollback')
    expect('the price after the roll-back', block_price(appliance), '0.01')


def waiting(appliance):
    return appliance.control('tariff', 'versions')['waiting']


def block_price(appliance):
    event = appliance.work / 'event.json'
    event.write_text(json.dumps({'plan': 'prepaid', 'service_context': 'data', 'rating_group': 10,
                                 'use': ['100KiB']}))
    return appliance.control('tariff', 'price', '--event', event)['cost'][0]['amount']


def check_replay(appliance, work, dear):
    """With gold, 3 blocks of 0.01 in place of 3 of 0.005, and 0.10 as before. The fee is a record
    beside them."""
    wait_for('three records', lambda: len(appliance.cdr_lines()) >= 3)
    fees = [line for line in appliance.cdr_lines() if line['type'] == 'fee']
    expect('the record of the fee', [(one['product'], one['services'][0]['cost']) for one in fees],
           [('gold', '5.00')])
    records = work / 'records.jsonl'
    records.write_text(''.join(json.dumps(line) + '\n' for line in appliance.cdr_lines()))
    report = appliance.control('tariff', 'replay', records, '--tariff', dear)
    expect('services without a price', (report['services'], report['unpriced']), (2, {}))
    expect('what they would have cost', report['totals'][0]['after'], '0.13')
    expect('fees that are no use', report['fees'], 1)
    expect('what they did cost', report['totals'][0]['before'], '0.115')


def check_restart(appliance):
    appliance.stop()
    appliance.start()
    shown = appliance.control('account', 'show', 'payer')
    expect('the product after a restart', shown['products'][0]['state'], 'active')
    again = appliance.control('product', 'buy', 'payer', 'gold', '--key', 'sale-1')
    expect('the purchase repeated', again['repeated'], True)
    appliance.control('product', 'end', 'payer', 'gold')
    # What the product brought is over: 14.885 of the 15.00 that were there, and 1.00 has expired.
    audit = appliance.audit()
    expired = [unit['expired'] for unit in audit['units'] if unit['unit'] == 'EUR']
    expect('what has expired', expired, ['1.00'])


if __name__ == '__main__':
    sys.exit(run_test(test))
