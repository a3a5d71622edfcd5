// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What works beside the cores stays out of their way: control writes charging records as fast as
// sessions end, and a core that shares its processor with it answers late.
#pragma once

#include "app/config.hh"

namespace tollgate::app {

// Of the calling thread, and of those that it starts: off the processors on which cores poll, if
// the machine has others, and with `niceness` (see nice(2)) where it has to share.
void step_aside(const Config& config, int niceness);

}  // namespace tollgate::app
