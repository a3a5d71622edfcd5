// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/store.hh"

#include <fmt/format.h>
#include <time.h>

#include "control/subscriptions.hh"

namespace tollgate::control {
namespace {

// Identities are unique by key: two spellings of one identity have one key.
constexpr const char* schema = R"sql(
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
CREATE TABLE accounts (
  id BIGINT PRIMARY KEY,
  name TEXT NOT NULL,
  plan TEXT NOT NULL,
  place BIGINT NOT NULL DEFAULT 0,
  status TEXT NOT NULL CHECK (status IN ('pending', 'active', 'removed')),
  created_ns BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_name ON accounts (name) WHERE status <> 'removed';
CREATE INDEX accounts_pending ON accounts (id) WHERE status = 'pending';
CREATE TABLE identities (
  key_high BIGINT NOT NULL,
  key_low BIGINT NOT NULL,
  type SMALLINT NOT NULL,
  text TEXT NOT NULL,
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  PRIMARY KEY (key_low, key_high)
);
CREATE INDEX identities_account ON identities (account_id);
CREATE TABLE commands (
  key BIGINT PRIMARY KEY,
  client_key TEXT UNIQUE,
  kind TEXT NOT NULL,
  account_id BIGINT NOT NULL,
  detail TEXT NOT NULL,
  payload BLOB NOT NULL,
  answer TEXT,
  created_ns BIGINT NOT NULL,
  is_sent SMALLINT NOT NULL DEFAULT 0
);
CREATE INDEX commands_under_way ON commands (key) WHERE answer IS NULL;
CREATE TABLE change_log (
  number INTEGER PRIMARY KEY,
  at_ns BIGINT NOT NULL,
  kind TEXT NOT NULL,
  account_id BIGINT NOT NULL,
  detail TEXT NOT NULL,
  command_key BIGINT,
  client_key TEXT
);
CREATE INDEX change_log_account ON change_log (account_id, number);
CREATE INDEX change_log_command ON change_log (command_key) WHERE command_key IS NOT NULL;
)sql";

// New with version 3.
constexpr const char* schema_vouchers = R"sql(
CREATE TABLE vouchers (
  hash TEXT PRIMARY KEY,
  batch TEXT NOT NULL,
  amount BIGINT NOT NULL,
  unit INTEGER NOT NULL,
  validity TEXT NOT NULL,
  ends_s BIGINT NOT NULL,
  command_key BIGINT
);
CREATE INDEX vouchers_batch ON vouchers (batch);
CREATE INDEX vouchers_command ON vouchers (command_key) WHERE command_key IS NOT NULL;
)sql";

// From version 1 to 2: changes know their command, transfers how far they are.
constexpr const char* schema_2 = R"sql(
ALTER TABLE commands ADD COLUMN is_sent SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE change_log ADD COLUMN command_key BIGINT;
ALTER TABLE change_log ADD COLUMN client_key TEXT;
CREATE INDEX change_log_account ON change_log (account_id, number);
CREATE INDEX change_log_command ON change_log (command_key) WHERE command_key IS NOT NULL;
)sql";

constexpr const char* account_columns = "SELECT a.id, a.name, a.plan, a.place, a.status ";
constexpr const char* command_columns =
    "SELECT key, client_key, kind, account_id, detail, payload, answer, is_sent "
    "FROM commands ";

i64 now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return i64{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

AccountStatus status_from(const std::string& text) {
  if (text == "active") return AccountStatus::active;
  return text == "pending" ? AccountStatus::pending : AccountStatus::removed;
}

}  // namespace

struct Store::Statements {
  explicit Statements(Sqlite& database) : db(database) {}
  Statement make(const std::string& sql) { return Statement(db, sql); }

  Sqlite& db;
  Statement by_name{
      db, std::string(account_columns) + "FROM accounts a WHERE name = ? AND status <> 'removed'"};
  Statement by_id{db, std::string(account_columns) + "FROM accounts a WHERE id = ?"};
  Statement by_key{db, std::string(account_columns) +
                           "FROM identities i JOIN accounts a ON a.id = i.account_id "
                           "WHERE i.key_low = ? AND i.key_high = ?"};
  Statement identities{
      db,
      "SELECT key_low, key_high, text FROM identities WHERE account_id = ? ORDER BY type, text"};
  Statement list{db, std::string(account_columns) +
                         "FROM accounts a WHERE name > ? AND status <> 'removed' "
                         "ORDER BY name LIMIT ?"};
  Statement insert_account{
      db,
      "INSERT INTO accounts (id, name, plan, status, created_ns) VALUES (?, ?, ?, 'pending', ?)"};
  Statement insert_identity{
      db, "INSERT INTO identities (key_low, key_high, type, text, account_id) VALUES (?,?,?,?,?)"};
  Statement set_active{db, "UPDATE accounts SET status = 'active', place = ? WHERE id = ?"};
  Statement change{db,
                   "INSERT INTO change_log (at_ns, kind, account_id, detail, command_key, "
                   "client_key) VALUES (?, ?, ?, ?, NULLIF(?, 0), NULLIF(?, ''))"};
  Statement change_by_command{
      db, "SELECT at_ns, kind, detail, client_key FROM change_log WHERE command_key = ?"};
  Statement changes_before{db,
                           "SELECT at_ns, kind, detail, client_key FROM change_log "
                           "WHERE account_id = ? AND at_ns < ? ORDER BY number DESC LIMIT ?"};
  Statement insert_voucher{
      db,
      "INSERT INTO vouchers (hash, batch, amount, unit, validity, ends_s) VALUES (?,?,?,?,?,?) "
      "ON CONFLICT (hash) DO NOTHING"};
  Statement get_setting{db, "SELECT value FROM settings WHERE name = ?"};
  Statement put_setting{db,
                        "INSERT INTO settings (name, value) VALUES (?, ?) "
                        "ON CONFLICT (name) DO UPDATE SET value = excluded.value"};
};

void Store::Deleter::operator()(Statements* statements) const {
  delete statements;
}

Store::Store(const std::string& path) : database_(path) {
  bool has_settings = false;
  {
    Statement find(database_, "SELECT 1 FROM sqlite_master WHERE name = 'settings'");
    has_settings = find.step();
  }
  if (!has_settings) create_schema();
  if (has_settings) upgrade();
  sql_.reset(new Statements(database_));
  const std::string version = setting("schema_version");
  if (version != std::to_string(schema_version)) {
    throw SqlError(
        fmt::format("{} has schema version '{}', this program needs {}: start the "
                    "version of the program that made it, or move the file away",
                    path, version, schema_version));
  }
}

void Store::create_schema() {
  Transaction transaction(database_);
  database_.execute(schema);
  database_.execute(schema_vouchers);
  database_.execute(Subscriptions::schema);
  database_.execute(
      fmt::format("INSERT INTO settings VALUES ('schema_version', '{}')", schema_version));
  transaction.commit();
}

bool Store::has_version(std::string_view version) {
  Statement find(database_, "SELECT 1 FROM settings WHERE name = 'schema_version' AND value = ?");
  return find.with(version).step();
}

void Store::upgrade() {
  const bool is_first_version = has_version("1");
  const bool is_before_vouchers = is_first_version || has_version("2");
  if (!is_before_vouchers && !has_version("3")) return;
  Transaction transaction(database_);
  if (is_first_version) database_.execute(schema_2);
  if (is_before_vouchers) database_.execute(schema_vouchers);
  database_.execute(Subscriptions::schema);
  database_.execute("UPDATE settings SET value = '4' WHERE name = 'schema_version'");
  transaction.commit();
}

AccountRow Store::read_account(const Statement& row) const {
  return {.id = static_cast<u64>(row.integer(0)),
          .name = row.text(1),
          .plan = row.text(2),
          .place = {static_cast<u32>(row.integer(3))},
          .status = status_from(row.text(4))};
}

std::optional<AccountRow> Store::find_account(Statement& find) const {
  if (!find.step()) return std::nullopt;
  AccountRow account = read_account(find);
  find.reset();
  return account;
}

std::optional<AccountRow> Store::account_by_name(std::string_view name) {
  return find_account(sql_->by_name.with(name));
}

std::optional<AccountRow> Store::account_by_id(u64 id) {
  return find_account(sql_->by_id.with(id));
}

std::optional<AccountRow> Store::account_by_key(ledger::IdentityKey key) {
  return find_account(sql_->by_key.with(key.low, key.high));
}

std::vector<IdentityRow> Store::identities(u64 account_id) {
  std::vector<IdentityRow> all;
  Statement& find = sql_->identities.with(account_id);
  while (find.step()) {
    all.push_back(
        {{static_cast<u64>(find.integer(0)), static_cast<u64>(find.integer(1))}, find.text(2)});
  }
  return all;
}

std::vector<AccountRow> Store::list_accounts(const std::string& after, u64 limit) {
  std::vector<AccountRow> all;
  sql_->list.with(after, limit);
  while (sql_->list.step()) all.push_back(read_account(sql_->list));
  return all;
}

std::vector<AccountRow> Store::pending_accounts() {
  Statement find(database_,
                 std::string(account_columns) + "FROM accounts a WHERE status = 'pending'");
  std::vector<AccountRow> all;
  while (find.step()) all.push_back(read_account(find));
  return all;
}

u64 Store::account_count() {
  Statement count(database_, "SELECT count(*) FROM accounts WHERE status <> 'removed'");
  count.step();
  return static_cast<u64>(count.integer(0));
}

u64 Store::take_account_ids(u64 count) {
  const std::string next = setting("next_account_id");
  const u64 first = next.empty() ? 1 : std::stoull(next);
  set_setting("next_account_id", std::to_string(first + count));
  return first;
}

void Store::insert_pending(const AccountRow& account, const std::vector<IdentityRow>& identities) {
  sql_->insert_account.with(account.id, account.name, account.plan, now_ns()).run();
  for (const IdentityRow& identity : identities) {
    sql_->insert_identity
        .with(identity.key.low, identity.key.high, static_cast<u32>(identity.key.type()),
              identity.text, account.id)
        .run();
  }
}

void Store::set_active(u64 id, ledger::AccountRef place) {
  sql_->set_active.with(place.value, id).run();
}

void Store::erase_pending(u64 id) {
  ++names_version_;
  Statement(database_, "DELETE FROM identities WHERE account_id = ?").with(id).run();
  Statement(database_, "DELETE FROM accounts WHERE id = ? AND status = 'pending'").with(id).run();
}

void Store::set_removed(u64 id) {
  ++names_version_;
  Statement(database_, "DELETE FROM identities WHERE account_id = ?").with(id).run();
  Statement(database_, "UPDATE accounts SET status = 'removed', place = 0 WHERE id = ?")
      .with(id)
      .run();
}

void Store::set_plan(u64 id, const std::string& plan) {
  Statement(database_, "UPDATE accounts SET plan = ? WHERE id = ?").with(plan, id).run();
}

void Store::replace_identities(u64 id, const std::vector<IdentityRow>& identities) {
  ++names_version_;
  Statement(database_, "DELETE FROM identities WHERE account_id = ?").with(id).run();
  for (const IdentityRow& identity : identities) {
    sql_->insert_identity
        .with(identity.key.low, identity.key.high, static_cast<u32>(identity.key.type()),
              identity.text, id)
        .run();
  }
}

void Store::note_change(std::string_view kind, u64 account_id, std::string_view detail,
                        const CommandRow& by) {
  sql_->change.with(now_ns(), kind, account_id, detail, by.key, by.client_key).run();
}

ChangeRow Store::read_change(const Statement& row) {
  return {.at = Instant{row.integer(0)},
          .kind = row.text(1),
          .detail = row.text(2),
          .client_key = row.text(3)};
}

std::optional<ChangeRow> Store::change_by_command(u64 key) {
  Statement& find = sql_->change_by_command.with(key);
  if (!find.step()) return std::nullopt;
  ChangeRow change = read_change(find);
  find.reset();
  return change;
}

std::vector<ChangeRow> Store::changes_before(u64 account_id, Instant before, u64 limit) {
  std::vector<ChangeRow> all;
  Statement& find = sql_->changes_before.with(account_id, before.ns, limit);
  while (find.step()) all.push_back(read_change(find));
  return all;
}

CommandRow Store::read_command(const Statement& row) const {
  const std::string payload = row.text(5);
  return {.key = static_cast<u64>(row.integer(0)),
          .client_key = row.text(1),
          .kind = row.text(2),
          .account_id = static_cast<u64>(row.integer(3)),
          .detail = row.text(4),
          .payload = {payload.begin(), payload.end()},
          .is_done = !row.is_null(6),
          .is_sent = row.integer(7) != 0,
          .answer = row.text(6)};
}

std::optional<CommandRow> Store::command_by_client_key(const std::string& client_key) {
  Statement find(database_, std::string(command_columns) + "WHERE client_key = ?");
  if (!find.with(client_key).step()) return std::nullopt;
  return read_command(find);
}

std::vector<CommandRow> Store::commands_under_way() {
  Statement find(database_, std::string(command_columns) + "WHERE answer IS NULL");
  std::vector<CommandRow> all;
  while (find.step()) all.push_back(read_command(find));
  return all;
}

void Store::insert_command(const CommandRow& command) {
  Statement insert(database_,
                   "INSERT INTO commands (key, client_key, kind, account_id, detail, payload, "
                   "created_ns) VALUES (?, NULLIF(?, ''), ?, ?, ?, ?, ?)");
  insert
      .with(command.key, command.client_key, command.kind, command.account_id, command.detail,
            Bytes(command.payload), now_ns())
      .run();
}

void Store::finish_command(const CommandRow& command, std::string_view answer) {
  // Without a key of the client nobody can ask for it again.
  if (command.client_key.empty()) {
    Statement(database_, "DELETE FROM commands WHERE key = ?").with(command.key).run();
  } else {
    Statement(database_, "UPDATE commands SET answer = ? WHERE key = ?")
        .with(answer, command.key)
        .run();
  }
}

void Store::set_sent(u64 key) {
  Statement(database_, "UPDATE commands SET is_sent = 1 WHERE key = ?").with(key).run();
}

void Store::forget_commands_before(Instant moment) {
  Statement(database_, "DELETE FROM commands WHERE answer IS NOT NULL AND created_ns < ?")
      .with(moment.ns)
      .run();
}

std::optional<VoucherRow> Store::voucher(const std::string& hash) {
  Statement find(database_,
                 "SELECT batch, amount, unit, validity, ends_s, command_key FROM vouchers "
                 "WHERE hash = ?");
  if (!find.with(hash).step()) return std::nullopt;
  return VoucherRow{.hash = hash,
                    .batch = find.text(0),
                    .amount = {find.integer(1)},
                    .unit = static_cast<Unit>(find.integer(2)),
                    .validity = find.text(3),
                    .ends_s = find.integer(4),
                    .command_key = static_cast<u64>(find.integer(5))};
}

std::vector<VoucherBatch> Store::voucher_batches() {
  Statement find(database_,
                 "SELECT batch, count(*), count(command_key) FROM vouchers "
                 "GROUP BY batch ORDER BY batch");
  std::vector<VoucherBatch> all;
  while (find.step()) {
    all.push_back({.name = find.text(0),
                   .count = static_cast<u64>(find.integer(1)),
                   .redeemed = static_cast<u64>(find.integer(2))});
  }
  return all;
}

bool Store::insert_voucher(const VoucherRow& voucher) {
  sql_->insert_voucher
      .with(voucher.hash, voucher.batch, voucher.amount.count, static_cast<u32>(voucher.unit),
            voucher.validity, voucher.ends_s)
      .run();
  return database_.changed_rows() == 1;
}

void Store::take_voucher(const std::string& hash, u64 command_key) {
  Statement(database_, "UPDATE vouchers SET command_key = ? WHERE hash = ? AND command_key IS NULL")
      .with(command_key, hash)
      .run();
}

void Store::give_voucher_back(u64 command_key) {
  Statement(database_, "UPDATE vouchers SET command_key = NULL WHERE command_key = ?")
      .with(command_key)
      .run();
}

std::string Store::setting(std::string_view name) {
  if (!sql_->get_setting.with(name).step()) return {};
  std::string value = sql_->get_setting.text(0);
  sql_->get_setting.reset();
  return value;
}

void Store::set_setting(std::string_view name, std::string_view value) {
  sql_->put_setting.with(name, value).run();
}

}  // namespace tollgate::control
