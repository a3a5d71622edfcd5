// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// slew: how civil time follows the kernel's clock when that jumps.
//
// A clock that an operator or a broken time server sets ahead by an hour would end sessions whose
// clients had no chance to speak, and buckets that are still valid; set back, it would let them
// live on. Steps up to slew_step_max are taken at once: that is what keeping time is made of. A
// longer one is no time that has passed, so it is followed slowly, a tenth faster or slower than
// time itself goes, until the two agree again: nobody sees a jump, deadlines keep their distance,
// and time never runs backwards. A process that starts takes the kernel's clock as it is.
#pragma once

#include "base/time.hh"

namespace tollgate {

inline constexpr Duration slew_step_max = Duration::seconds(2);
inline constexpr i64 slew_divisor = 10;

// What the time is now. `mine`: as it went on by itself, `elapsed` after it was set last; `kernel`:
// what the kernel's clock says.
constexpr Instant slew(Instant mine, Instant kernel, Duration elapsed) {
  const Duration off = kernel - mine;
  if (off <= slew_step_max && off >= Duration{-slew_step_max.ns}) return kernel;
  const Duration step{elapsed.ns / slew_divisor};
  return off.ns > 0 ? mine + step : mine - step;
}

}  // namespace tollgate
