// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What lwIP needs from a system, given from our side: the time of the turn, random numbers.
// Inside dataplane/ only.
#pragma once

#include "base/time.hh"

namespace tollgate::dataplane {

// The time that lwIP sees until the next call: its timers and sequence numbers go by it.
void set_lwip_time(Instant now);
u32 lwip_now_ms();

// Once, before lwip_init: secrets from the kernel.
void seed_lwip();
u64 lwip_random();

}  // namespace tollgate::dataplane
