// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// KillSwitch: kills a piece of the program at an instruction, as kill -9 would kill its process.
//
// One page of shared memory is made unwritable. The first instruction that writes to it is let
// through, and from there on the processor is single-stepped; after so many instructions the piece
// is left by a jump, where it stands. What it had written is written, what it had in its hands is
// lost. The object that was killed must not be used or destroyed any more.
//
// It strikes in the program's own code only: inside the C library the heap would be left broken,
// for which a real process has no use any more. What stands for the outside world (disk, network)
// holds a Spared while it works.
#pragma once

#include <functional>

#include "base/types.hh"

namespace tollgate::sim {

class KillSwitch {
 public:
  struct Aim {
    u8* page = nullptr;
    u32 instructions = 0;  // after the first write to the page
  };
  // Runs `piece`. True if it was killed.
  static bool run(const Aim& aim, const std::function<void()>& piece);
};

// As long as one is alive nothing is killed.
class Spared {
 public:
  Spared();
  ~Spared();
  Spared(const Spared&) = delete;
  Spared& operator=(const Spared&) = delete;
};

}  // namespace tollgate::sim
