// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Quiet: is nothing under way between control and the journal?
//
// When the links to the charge tiles and those from them to the journal tiles have been empty for a
// moment, then every command that was ever sent has left its mark in the ledger and, if it changed
// anything, in the journal. What has none was never carried out.
#pragma once

#include "control/command_channel.hh"
#include "control/context.hh"

namespace tollgate::control {

class Quiet {
 public:
  explicit Quiet(const Context& context) : context_(context) {}

  // Looks at the links; call it often.
  void step(Instant now) {
    const bool is_empty =
        context_.channel.is_drained() && context_.appliance.journal_links_are_empty();
    if (!is_empty) empty_since_ = Instant::never();
    if (is_empty && empty_since_ == Instant::never()) empty_since_ = now;
  }
  bool lasts(Instant now) const {
    return empty_since_ != Instant::never() && now - empty_since_ >= quiet_time;
  }

 private:
  static constexpr Duration quiet_time = Duration::milliseconds(500);

  const Context& context_;
  Instant empty_since_ = Instant::never();
};

}  // namespace tollgate::control
