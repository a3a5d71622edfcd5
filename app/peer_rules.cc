// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/peer_rules.hh"

#include <algorithm>

namespace tollgate::app {
namespace {

bool comes_from(const PeerRule& rule, const dataplane::IpAddress& address) {
  return rule.addresses.empty() ||
         std::ranges::any_of(rule.addresses, [&](const dataplane::IpPrefix& prefix) {
           return prefix.contains(address);
         });
}

}  // namespace

bool fits_pattern(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with('*')) return diameter::same_identity(pattern, name);
  pattern.remove_prefix(1);
  return name.size() >= pattern.size() &&
         diameter::same_identity(pattern, name.substr(name.size() - pattern.size()));
}

bool PeerRules::admits(const dataplane::IpAddress& address) const {
  return std::ranges::any_of(rules_,
                             [&](const PeerRule& rule) { return comes_from(rule, address); });
}

const PeerRule* PeerRules::find(const diameter::PeerFacts& facts,
                                const dataplane::IpAddress& address) const {
  for (const PeerRule& rule : rules_) {
    if (comes_from(rule, address) && fits_pattern(rule.host, facts.host.view()) &&
        fits_pattern(rule.realm, facts.realm.view()))
      return &rule;
  }
  return nullptr;
}

}  // namespace tollgate::app
