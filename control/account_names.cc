// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/account_names.hh"

#include "control/json.hh"

namespace tollgate::control {

std::string_view AccountNames::members_of(u64 account_id) {
  if (version_ != store_.names_version() || kept_.size() >= kept_max) {
    kept_.clear();
    version_ = store_.names_version();
  }
  const auto [place, is_new] = kept_.try_emplace(account_id);
  if (is_new) place->second = read(account_id);
  return place->second;
}

std::string AccountNames::read(u64 account_id) {
  const auto row = store_.account_by_id(account_id);
  std::string members = "\"account\":";
  if (row) {
    append_text(members, row->name);
  } else {
    members += "null";
  }
  members += ",\"identities\":[";
  bool is_first = true;
  for (const IdentityRow& identity : store_.identities(account_id)) {
    if (!is_first) members += ',';
    is_first = false;
    append_text(members, identity.text);
  }
  return members + ']';
}

}  // namespace tollgate::control
