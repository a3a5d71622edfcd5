// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Subscriptions: which products accounts have, and when something is to be done about each: a table
// of the database. What a product is, the tariff says; what it brought, the ledger has.
//
// A row with a command_key waits for that command of the CommandBook; its outcome is written here
// in the transaction that finishes the command, so that a turn is begun once, whatever dies in
// between.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/sqlite.hh"

namespace tollgate::control {

namespace subscription_state {
inline constexpr std::string_view buying = "buying";  // the first turn is under way
inline constexpr std::string_view bought = "bought";  // begins later
inline constexpr std::string_view active = "active";
inline constexpr std::string_view suspended = "suspended";
inline constexpr std::string_view ended = "ended";
}  // namespace subscription_state

struct SubscriptionRow {
  u64 number = 0;
  u64 account_id = 0;
  std::string product;
  std::string state;
  std::string reason;      // why it is suspended or has ended: "operator", "unpaid", "over" ...
  i64 begins_s = 0;        // from then its turns are counted; moves when it renews
  i64 ends_s = 0;          // 0: nobody knows
  i64 turn = 0;            // the next to begin
  i64 turn_ends_s = 0;     // of the one that has begun; 0: never
  i64 due_s = 0;           // when it is looked at again; 0: never
  i64 unpaid_since_s = 0;  // 0: paid
  i64 retry_s = 0;         // when the fee is tried again, if unpaid
  i64 attempt = 0;         // how often that has been tried
  i64 is_ending = 0;       // it does not renew
  u64 command_key = 0;     // of the command under way; 0: none
  i64 next_ends_s = 0;     // when the turn that this command begins will end; 0: never

  bool is_over() const { return state == subscription_state::ended; }
};

class Subscriptions {
 public:
  explicit Subscriptions(Sqlite& database) : database_(database) {}

  // The table; part of the schema's transaction.
  static constexpr const char* schema = R"sql(
CREATE TABLE subscriptions (
  number INTEGER PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  product TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  begins_s BIGINT NOT NULL,
  ends_s BIGINT NOT NULL,
  turn BIGINT NOT NULL,
  turn_ends_s BIGINT NOT NULL,
  due_s BIGINT NOT NULL,
  unpaid_since_s BIGINT NOT NULL,
  retry_s BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  is_ending SMALLINT NOT NULL,
  command_key BIGINT NOT NULL,
  next_ends_s BIGINT NOT NULL
);
CREATE INDEX subscriptions_account ON subscriptions (account_id);
CREATE INDEX subscriptions_due ON subscriptions (due_s) WHERE due_s <> 0 AND command_key = 0;
CREATE INDEX subscriptions_command ON subscriptions (command_key) WHERE command_key <> 0;
)sql";

  // All of an account, the oldest first; those that have ended as well if they are wanted.
  std::vector<SubscriptionRow> of_account(u64 account_id, bool with_ended);
  std::optional<SubscriptionRow> by_command(u64 key);
  // Those that something is to be done about, and no command is under way.
  std::vector<SubscriptionRow> due(i64 now_s, u64 limit);

  // The rest are parts of a Transaction that the caller holds, or each their own.

  u64 insert(const SubscriptionRow& row);  // its number
  void update(const SubscriptionRow& row);
  void erase(u64 number);
  void end_all_of(u64 account_id);
  // What is unpaid is tried again now: something was put in.
  void retry_all_of(u64 account_id, i64 now_s);

 private:
  static SubscriptionRow read(const Statement& row);
  std::vector<SubscriptionRow> read_all(Statement& query);

  Sqlite& database_;
};

}  // namespace tollgate::control
