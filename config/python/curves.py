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
