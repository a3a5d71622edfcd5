// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Random: all chance of a simulation, from one seed; and Fault, how a simulation says what is
// wrong.
#pragma once

#include <fmt/format.h>

#include <stdexcept>

#include "base/hash.hh"

namespace tollgate::sim {

class Random {
 public:
  explicit Random(u64 seed) : state_(mix64(seed + 0x9e3779b97f4a7c15ULL)) {}

  u64 next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    return mix64(state_);
  }
  // 0 to count - 1.
  u32 below(u64 count) { return static_cast<u32>(next() % count); }
  i64 between(i64 least, i64 most) {
    return least + static_cast<i64>(next() % static_cast<u64>(most - least + 1));
  }
  // True once in so many times.
  bool once_in(u32 times) { return below(times) == 0; }

 private:
  u64 state_;
};

// The appliance did what it must not. Ends the seed.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  throw Fault(fmt::format(text, std::forward<Arguments>(arguments)...));
}

}  // namespace tollgate::sim
