// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// PeerRules: who may be a peer, as the operator says.
//
// A rule names a peer by Origin-Host and realm ("pgw1.example", "*.example", "*") and says from
// which addresses it comes, how many connections it may have, and whether we call it. The first
// rule that fits a peer is its rule; who fits none is told DIAMETER_UNKNOWN_PEER. An address that
// is in no rule is cut off before it has said a word.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataplane/endpoint.hh"
#include "diameter/peer.hh"

namespace tollgate::app {

struct PeerRule {
  std::string host = "*";
  std::string realm = "*";
  std::vector<dataplane::IpPrefix> addresses;  // empty: from anywhere
  u32 connections_max = 0;                     // 0: any number
  std::optional<dataplane::Endpoint> call;     // we connect to it
};

// True if `name` fits "*", "*.example" or a whole name, without regard to case.
bool fits_pattern(std::string_view pattern, std::string_view name);

class PeerRules {
 public:
  void add(PeerRule rule) { rules_.push_back(std::move(rule)); }
  bool is_empty() const { return rules_.empty(); }
  std::span<const PeerRule> all() const { return rules_; }

  // Whether anybody may come from there.
  bool admits(const dataplane::IpAddress& address) const;
  // The first rule that fits; nullptr: a stranger.
  const PeerRule* find(const diameter::PeerFacts& facts, const dataplane::IpAddress& address) const;

 private:
  std::vector<PeerRule> rules_;
};

}  // namespace tollgate::app
