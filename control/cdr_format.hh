// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A charging record (CDR), from the journal's note to a line of JSON. docs/cdr.md has the members.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "control/json.hh"
#include "ledger/command.hh"
#include "ledger/journal_format.hh"

namespace tollgate::control {

struct ChargingRecord {
  u32 stream = 0;
  u32 shard = 0;
  u64 sequence = 0;  // of the shard; with it, the record's name
  ledger::ChargingData data;
  std::array<u32, ledger::products_per_account_max> products{};  // with prices; 0: none
  ledger::SessionNumbers numbers;
  std::vector<ledger::ChargingService> services;
  std::string session_id;
};

// A fee that a turn of a product took, or money that an operator gave back: a command that was
// carried out and moved money for a reason that stands on a bill.
struct FeeRecord {
  u32 stream = 0;
  u32 shard = 0;
  u64 sequence = 0;
  i64 time_ns = 0;
  ledger::CommandKind kind = ledger::CommandKind::none;  // product_turn or refund
  u64 account_id = 0;
  u32 product = 0;  // of a turn
  u64 key = 0;      // the command's idempotency key
  Amount amount;
  Unit unit = Unit::none;
};
// Reads the notes of a command's entry. False if they tell of neither.
[[nodiscard]] bool read_fee(Bytes command, Bytes answer, FeeRecord& record);

// Reads the note of kind charging_data of an entry. False if it is cut short or says more than it
// has. Any octets may be given.
[[nodiscard]] bool read_charging_note(Bytes words, ChargingRecord& record);

// What the journal only has numbers for.
struct CdrNames {
  // Members of an object, "account" and "identities"; valid until the next call.
  std::function<std::string_view(u64 account_id)> account;
  std::function<std::string(u32 plan)> plan;
  std::function<std::string(u32 product)> product;
  std::function<std::string(u32 zone)> zone;  // empty: not known
  std::function<std::string(u64 context)> service_context;
  std::function<std::string(u64 origin_host)> origin_host;  // empty: not known
};

// The record as one line, without the newline.
std::string to_line(const ChargingRecord& record, const CdrNames& names);
std::string to_line(const FeeRecord& record, const CdrNames& names);

std::string_view to_text(ledger::ClosingCause cause);

}  // namespace tollgate::control
