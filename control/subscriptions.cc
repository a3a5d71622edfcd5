// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/subscriptions.hh"

namespace tollgate::control {
namespace {

constexpr const char* select_rows =
    "SELECT number, account_id, product, state, reason, begins_s, ends_s, turn, turn_ends_s, "
    "due_s, "
    "unpaid_since_s, retry_s, attempt, is_ending, command_key, next_ends_s FROM subscriptions ";

}  // namespace

SubscriptionRow Subscriptions::read(const Statement& row) {
  return {.number = static_cast<u64>(row.integer(0)),
          .account_id = static_cast<u64>(row.integer(1)),
          .product = row.text(2),
          .state = row.text(3),
          .reason = row.text(4),
          .begins_s = row.integer(5),
          .ends_s = row.integer(6),
          .turn = row.integer(7),
          .turn_ends_s = row.integer(8),
          .due_s = row.integer(9),
          .unpaid_since_s = row.integer(10),
          .retry_s = row.integer(11),
          .attempt = row.integer(12),
          .is_ending = row.integer(13),
          .command_key = static_cast<u64>(row.integer(14)),
          .next_ends_s = row.integer(15)};
}

std::vector<SubscriptionRow> Subscriptions::read_all(Statement& query) {
  std::vector<SubscriptionRow> rows;
  while (query.step()) rows.push_back(read(query));
  return rows;
}

std::vector<SubscriptionRow> Subscriptions::of_account(u64 account_id, bool with_ended) {
  Statement query(database_,
                  std::string(select_rows) +
                      "WHERE account_id = ? AND (? = 1 OR state <> 'ended') ORDER BY number");
  return read_all(query.with(account_id, with_ended ? 1U : 0U));
}

std::optional<SubscriptionRow> Subscriptions::by_command(u64 key) {
  if (key == 0) return std::nullopt;
  Statement query(database_,
                  std::string(select_rows) + "WHERE command_key = ? AND command_key <> 0");
  if (!query.with(key).step()) return std::nullopt;
  return read(query);
}

std::vector<SubscriptionRow> Subscriptions::due(i64 now_s, u64 limit) {
  Statement query(database_, std::string(select_rows) +
                                 "WHERE due_s <> 0 AND command_key = 0 AND due_s <= ? "
                                 "ORDER BY due_s LIMIT ?");
  return read_all(query.with(now_s, limit));
}

u64 Subscriptions::insert(const SubscriptionRow& row) {
  Statement(
      database_,
      "INSERT INTO subscriptions (account_id, product, state, reason, begins_s, ends_s, turn, "
      "turn_ends_s, due_s, unpaid_since_s, retry_s, attempt, is_ending, command_key, "
      "next_ends_s) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
      .with(row.account_id, row.product, row.state, row.reason, row.begins_s, row.ends_s, row.turn,
            row.turn_ends_s, row.due_s, row.unpaid_since_s, row.retry_s, row.attempt, row.is_ending,
            row.command_key, row.next_ends_s)
      .run();
  return static_cast<u64>(sqlite3_last_insert_rowid(database_.handle()));
}

void Subscriptions::update(const SubscriptionRow& row) {
  Statement(database_,
            "UPDATE subscriptions SET state = ?, reason = ?, begins_s = ?, ends_s = ?, turn = ?, "
            "turn_ends_s = ?, due_s = ?, unpaid_since_s = ?, retry_s = ?, attempt = ?, "
            "is_ending = ?, command_key = ?, next_ends_s = ? WHERE number = ?")
      .with(row.state, row.reason, row.begins_s, row.ends_s, row.turn, row.turn_ends_s, row.due_s,
            row.unpaid_since_s, row.retry_s, row.attempt, row.is_ending, row.command_key,
            row.next_ends_s, row.number)
      .run();
}

void Subscriptions::erase(u64 number) {
  Statement(database_, "DELETE FROM subscriptions WHERE number = ?").with(number).run();
}

void Subscriptions::end_all_of(u64 account_id) {
  Statement(database_,
            "UPDATE subscriptions SET state = 'ended', reason = 'removed', due_s = 0, "
            "command_key = 0 WHERE account_id = ? AND state <> 'ended'")
      .with(account_id)
      .run();
}

void Subscriptions::retry_all_of(u64 account_id, i64 now_s) {
  Statement(database_,
            "UPDATE subscriptions SET retry_s = ?, due_s = ? "
            "WHERE account_id = ? AND unpaid_since_s <> 0 AND state <> 'ended'")
      .with(now_s, now_s, account_id)
      .run();
}

}  // namespace tollgate::control
