// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What a client asks and what it has to be answered, in the simulator's own words: the clients send
// it, the model reckons with it.
#pragma once

#include <string>
#include <vector>

#include "app/charge_request.hh"
#include "base/amount.hh"
#include "base/time.hh"

namespace tollgate::sim {

using app::EventAction;
using app::RequestKind;
using app::Wanted;
using ledger::Outcome;

enum class Context : u8 { data, voice, sms };

// One Multiple-Services-Credit-Control; of an event the one service at command level.
struct AskedService {
  u32 rating_group = 0;
  Wanted wanted = Wanted::nothing;
  i64 asked = 0;  // octets, milliseconds, events
  bool has_used = false;
  i64 used = 0;
};

struct Question {
  std::string session_id;
  u32 subscriber = 0;  // number of the account that it names
  bool names_subscriber = true;
  RequestKind kind = RequestKind::none;
  u32 number = 0;
  Context context = Context::data;
  std::vector<AskedService> services;
  EventAction action = EventAction::direct_debiting;
  i64 refund_micros = 0;
};

enum class LastAction : u8 { none, terminate, redirect };

struct ExpectedService {
  u32 rating_group = 0;
  Outcome outcome = Outcome::ok;
  bool has_grant = false;
  i64 granted = 0;
  u32 validity_s = 0;
  u32 threshold = 0;
  LastAction last = LastAction::none;

  friend bool operator==(const ExpectedService&, const ExpectedService&) = default;
};

struct ExpectedAnswer {
  RequestKind kind = RequestKind::none;
  u32 number = 0;
  Outcome outcome = Outcome::ok;
  bool is_event = false;
  bool is_check = false;  // CHECK_BALANCE
  bool has_cost = false;
  i64 cost_micros = 0;
  std::vector<ExpectedService> services;

  friend bool operator==(const ExpectedAnswer&, const ExpectedAnswer&) = default;
};

std::string to_text(const Question& question);
std::string to_text(const ExpectedAnswer& answer);

}  // namespace tollgate::sim
