// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Store: what provisioning knows, in a database: accounts, identities, commands under way, changes.
//
// Balances are not in here: the ledger has them. The two are kept in step by states. An account is
// `pending` from before the ledger is asked to make it until the answer is stored; a command that
// changes something is stored with its idempotency key before it is sent, and with its outcome
// afterwards. So whatever moment control dies at, the next start finds what was under way, and asks
// the ledger again (see reconcile.hh).
//
// Every change leaves a row in change_log, written in the same transaction: whoever follows the
// changes (a billing system, a standby) reads it from where it stopped last.
//
// The schema uses nothing that PostgreSQL does not have. Numbers of accounts are never reused: a
// removed account keeps its row, its name and its identities are free again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hh"
#include "control/sqlite.hh"
#include "ledger/records.hh"

namespace tollgate::control {

enum class AccountStatus : u8 { pending, active, removed };

struct AccountRow {
  u64 id = 0;
  std::string name;
  std::string plan;
  ledger::AccountRef place;  // none while pending
  AccountStatus status = AccountStatus::pending;
};

struct IdentityRow {
  ledger::IdentityKey key;
  std::string text;  // as parse_identity spells it
};

struct CommandRow {
  u64 key = 0;             // idempotency key, as the ledger knows it
  std::string client_key;  // as the client gave it; empty: control made the key
  std::string kind;        // "topup", "adjust"...
  u64 account_id = 0;
  std::string detail;       // JSON, for people: who, how much, why
  std::vector<u8> payload;  // the ledger::Command, to be sent again
  bool is_done = false;
  bool is_sent = false;  // a transfer between shards that has left its source
  std::string answer;    // JSON, if done: the final line
};

// A voucher: a code on paper that is worth something, once.
struct VoucherRow {
  std::string hash;  // of the code, see voucher_code.hh; the code itself is nowhere
  std::string batch;
  Amount amount;
  Unit unit = Unit::none;
  std::string validity;  // of what is put in, as in "30d"; empty: for ever
  i64 ends_s = 0;        // from then on nobody may redeem it; 0: never
  u64 command_key = 0;   // of the command that redeemed it; 0: nobody has
};

struct VoucherBatch {
  std::string name;
  u64 count = 0;
  u64 redeemed = 0;
};

// A row of change_log.
struct ChangeRow {
  Instant at;
  std::string kind;
  std::string detail;      // JSON
  std::string client_key;  // empty: there was none
};

class Store {
 public:
  static constexpr i64 schema_version = 4;

  // Opens the database in the file; makes it, or brings one of an older version up to this one, or
  // refuses one that is newer (SqlError).
  explicit Store(const std::string& path);

  Sqlite& database() { return database_; }

  std::optional<AccountRow> account_by_name(std::string_view name);
  std::optional<AccountRow> account_by_id(u64 id);
  std::optional<AccountRow> account_by_key(ledger::IdentityKey key);
  std::vector<IdentityRow> identities(u64 account_id);
  // Accounts that are not removed, in the order of their names, after `after`.
  std::vector<AccountRow> list_accounts(const std::string& after, u64 limit);
  std::vector<AccountRow> pending_accounts();
  u64 account_count();
  // Another number whenever an account that was there has another name or other identities.
  u64 names_version() const { return names_version_; }

  // The calls below are parts of a Transaction that the caller holds.

  u64 take_account_ids(u64 count);  // the first of them
  void insert_pending(const AccountRow& account, const std::vector<IdentityRow>& identities);
  void set_active(u64 id, ledger::AccountRef place);
  void erase_pending(u64 id);  // as if it had never been asked for; its number is not reused
  void set_removed(u64 id);
  void set_plan(u64 id, const std::string& plan);
  void replace_identities(u64 id, const std::vector<IdentityRow>& identities);
  // `by`: the command that made the change; its key is how the journal knows it.
  void note_change(std::string_view kind, u64 account_id, std::string_view detail,
                   const CommandRow& by = {});
  std::optional<ChangeRow> change_by_command(u64 key);
  // The changes of an account before a moment, the latest first.
  std::vector<ChangeRow> changes_before(u64 account_id, Instant before, u64 limit);

  std::optional<CommandRow> command_by_client_key(const std::string& client_key);
  std::vector<CommandRow> commands_under_way();
  void insert_command(const CommandRow& command);
  void finish_command(const CommandRow& command, std::string_view answer);
  void set_sent(u64 key);
  // Answers that nobody has asked for since that moment are not kept for ever.
  void forget_commands_before(Instant moment);

  std::optional<VoucherRow> voucher(const std::string& hash);
  std::vector<VoucherBatch> voucher_batches();
  // Parts of a Transaction of the caller as well. False: there is one with that hash.
  [[nodiscard]] bool insert_voucher(const VoucherRow& voucher);
  void take_voucher(const std::string& hash, u64 command_key);
  void give_voucher_back(u64 command_key);  // the command was refused

  std::string setting(std::string_view name);  // empty if it was never set
  void set_setting(std::string_view name, std::string_view value);

 private:
  Sqlite database_;
  u64 names_version_ = 1;
  void create_schema();
  void upgrade();
  bool has_version(std::string_view version);
  static ChangeRow read_change(const Statement& row);

  struct Statements;
  std::optional<AccountRow> find_account(Statement& find) const;
  AccountRow read_account(const Statement& row) const;
  CommandRow read_command(const Statement& row) const;
  struct Deleter {
    void operator()(Statements* statements) const;
  };
  std::unique_ptr<Statements, Deleter> sql_;
};

}  // namespace tollgate::control
