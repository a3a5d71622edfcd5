// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// AccountNames: what charging records say of an account, remembered while it stays true.
//
// A record is made for each session and each event, some hundred thousand a second at times: the
// database is asked once for an account, and again after any account has changed its name or its
// identities.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "control/store.hh"

namespace tollgate::control {

class AccountNames {
 public:
  explicit AccountNames(Store& store) : store_(store) {}

  // The members of a JSON object, as in  "account":"anna","identities":["msisdn:46701234567"].
  // Valid until the next call.
  std::string_view members_of(u64 account_id);

 private:
  static constexpr std::size_t kept_max = 500'000;  // some 100 MB

  std::string read(u64 account_id);

  Store& store_;
  u64 version_ = 0;
  std::unordered_map<u64, std::string> kept_;
};

}  // namespace tollgate::control
