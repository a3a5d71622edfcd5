// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Context: what every verb of control works with, and Verbs, the table of them by name.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "control/appliance.hh"
#include "control/command_channel.hh"
#include "control/protocol.hh"
#include "control/store.hh"
#include "control/tariffs.hh"

namespace tollgate::control {

struct Context {
  const ControlOptions& options;
  Store& store;
  Appliance& appliance;
  CommandChannel& channel;
  Tariffs& tariffs;
  Clock& clock;
};

// A verb refuses by throwing Refused, or later through the Reply; it answers through the Reply.
using Verb = std::function<void(const Json& args, const Reply& reply)>;
using Verbs = std::map<std::string, Verb, std::less<>>;

// Work that goes on between requests; called often, does a bounded piece, returns whether there is
// more of it right now.
using Step = std::function<bool(Instant now)>;

// The account that a text means: an identity if it has a scheme, else the name of an account.
// Throws Refused account_unknown.
AccountRow find_account(Store& store, const std::string& who);

// Reads identities as parse_identity does, refusing mistakes, doubles and more than an account has.
std::vector<IdentityRow> parse_identities(const std::vector<std::string>& texts);

// What a name of an account may be. Returns an empty text or what was expected.
std::string name_mistake(std::string_view name);

// "30d", "12h", "90min", "3600s" to a Duration; throws Refused.
Duration parse_period(std::string_view text);

// The Outcome's name and sentence as a refusal.
Refused refused_by_ledger(ledger::Outcome outcome);

// Puts the identities of an account into the index; false if there is no room for one of them.
[[nodiscard]] bool index_account(ledger::IdentityIndex& index,
                                 const std::vector<IdentityRow>& identities,
                                 ledger::AccountRef place);

}  // namespace tollgate::control
