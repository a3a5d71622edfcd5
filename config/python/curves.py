# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Prices that tariffs call (prices.tariff): cost curves over event.quantity.

Each returns what a session has cost in all, in millionths of the currency, for so much used. They
are tried out when they are loaded: nothing costs nothing, and more never costs less.
"""
from tollgate import Event

MIB = 1024 * 1024
CENT = 10_000

# Up to so many MiB, so much for each.
TIERS = [(1024, 2 * CENT), (10_240, 1 * CENT), (1 << 40, CENT // 2)]


def data_by_tier(event: Event) -> int:
    """Megabytes get cheaper with what was used; one begun is a whole one."""
    left = -(-event.quantity // MIB)
    cost = 0
    before = 0
    for limit, price in TIERS:
        part = min(left, limit - before)
        cost += part * price
        left -= part
        before = limit
    return cost


def call(event: Event) -> int:
    """The first minute whole, then a cent for each six seconds begun."""
    if event.quantity == 0:
        return 0
    seconds = -(-event.quantity // 1000)
    return 10 * CENT + -(-max(0, seconds - 60) // 6) * CENT


HOLIDAYS = [(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)]


def _is_free_day(event: Event) -> bool:
    for month, day in HOLIDAYS:
        if event.month == month and event.day == day:
            return True
    return event.weekday >= 5


def call_by_day(event: Event) -> int:
    """By the minute begun: the zone says what, the day on which the call began says how much."""
    minutes = -(-event.quantity // 60_000)
    if event.zone == "nordic":
        minute = 30 * CENT
    elif event.zone == "home":
        minute = 10 * CENT
    else:
        minute = 100 * CENT
    if event.location == "roaming":
        minute += 20 * CENT
    if _is_free_day(event):
        minute = minute // 2
    return minutes * minute


def loyal(event: Event, price: int) -> int:
    """What is left of a price: 1 % less for each 10.00 spent in the year, 15 % less at most."""
    percent = min(15, event.counter(0) // (1000 * CENT))
    return price * (100 - percent) // 100
