# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Prices as Python functions. docs/python.md says which part of Python can be written here.

Each takes the event and returns what a session has cost so far, in millionths of the currency, for
`event.quantity` used so far. They are compiled when the tariff is loaded; CPython gives the same
results, so they can be tried out in any Python.
"""
from tollgate import Event

MIB = 1024 * 1024
CENT = 10_000

# Up to so many MiB in the month (counter 0), so much for each MiB.
TIERS = [(1024, 2 * CENT), (10_240, 1 * CENT), (1 << 40, CENT // 2)]

# What a minute costs, by the network that the subscriber is in.
ROAMING = {24001: 0, 26201: 5 * CENT, 20801: 5 * CENT, 31026: 150 * CENT, 44010: 120 * CENT}

HOLIDAYS = [(1, 1), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31)]


def _blocks(quantity: int, block: int) -> int:
    """Blocks begun."""
    return -(-quantity // block)


def _is_holiday(event: Event) -> bool:
    for month, day in HOLIDAYS:
        if event.month == month and event.day == day:
            return True
    return False


def data_by_tier(event: Event) -> int:
    """Megabytes get cheaper with what was used in the month."""
    used = event.counter(0)
    left = _blocks(event.quantity, MIB)
    cost = 0
    before = 0
    for limit, price in TIERS:
        room = max(0, limit - max(used, before))
        part = min(left, room)
        cost += part * price
        left -= part
        before = limit
        if left == 0:
            break
    return cost


def call_by_time(event: Event) -> int:
    """A call: the minute by weekday and hour, the first minute whole, then by six seconds."""
    seconds = _blocks(event.quantity, 1000)
    if event.weekday >= 5 or _is_holiday(event):
        minute = 4 * CENT
    elif 8 <= event.hour < 18:
        minute = 12 * CENT
    else:
        minute = 6 * CENT
    blocks = 10 + _blocks(max(0, seconds - 60), 6)
    return blocks * minute // 10 if seconds > 0 else 0


def roaming_call(event: Event) -> int:
    """A call abroad, never more than 25.00 a day (counter 1 has what was paid today)."""
    minutes = _blocks(event.quantity, 60_000)
    cost = minutes * ROAMING.get(event.network, 200 * CENT)
    if event.location == "home":
        cost = minutes * 6 * CENT
    return min(cost, max(0, 2500 * CENT - event.counter(1)))


def loyal_discount(event: Event, cost: int) -> int:
    """A discount: 1 % for each full year, 15 % at most, rounded half up to a cent."""
    percent = min(15, event.counter(2) // 12)
    return (cost * (100 - percent) + 50 * CENT) // (100 * CENT) * CENT
