// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "control/import.hh"

namespace tollgate::control {

ImportCheck::ImportCheck(ImportFile& file, const Tariffs& tariffs, Store& store)
    : file_(file), tariffs_(tariffs), store_(store), is_store_empty_(store.account_count() == 0) {}

bool ImportCheck::step() {
  ImportRow row;
  for (u32 i = 0; i < rows_per_step; ++i) {
    switch (file_.next(row)) {
      case ImportFile::Next::row:
        is_there_already_.push_back(false);
        check_row(row);
        ++row_count_;
        break;
      case ImportFile::Next::bad_line:
        break;
      case ImportFile::Next::end:
        find_doubles(names_, "account");
        find_doubles(keys_, "identity");
        return false;
    }
  }
  return true;
}

void ImportCheck::check_row(const ImportRow& row) {
  const std::string name_why = name_mistake(row.account.text);
  if (!name_why.empty()) file_.add_mistake(row.line, row.account.column, name_why);
  names_.push_back({hash128(as_bytes(row.account.text)), row.line, row.account.column});
  if (tariffs_.find_plan(row.plan.text) == nullptr) {
    file_.add_mistake(row.line, row.plan.column,
                      fmt::format("the tariff has no plan '{}'", row.plan.text));
  }
  if (!row.balance.text.empty()) {
    Amount amount;
    Unit unit = Unit::none;
    const std::string why = parse_amount(row.balance.text, amount, unit);
    if (!why.empty()) {
      file_.add_mistake(row.line, row.balance.column, why);
    } else if (amount.is_negative()) {
      file_.add_mistake(row.line, row.balance.column, "expected a balance of zero or more");
    }
  }
  std::optional<AccountRow> there;
  if (!is_store_empty_) there = store_.account_by_name(row.account.text);
  std::vector<ledger::IdentityKey> keys;
  for (const ImportCell& cell : row.identities) {
    check_identity(row, cell, there.has_value(), keys);
  }
  if (row.identities.empty()) {
    file_.add_mistake(row.line, row.account.column, "expected at least one identity");
  }
  if (row.identities.size() > ledger::identities_per_account_max) {
    file_.add_mistake(
        row.line, row.identities.back().column,
        fmt::format("expected at most {} identities", ledger::identities_per_account_max));
  }
  if (there) check_against_store(row, *there, keys);
}

void ImportCheck::check_identity(const ImportRow& row, const ImportCell& cell,
                                 bool is_known_account, std::vector<ledger::IdentityKey>& keys) {
  ledger::IdentityKey key;
  std::string canonical;
  const std::string why = ledger::parse_identity(cell.text, key, canonical);
  if (!why.empty()) return file_.add_mistake(row.line, cell.column, why);
  keys.push_back(key);
  keys_.push_back({{key.low, key.high}, row.line, cell.column});
  if (is_store_empty_ || is_known_account) return;
  if (const auto other = store_.account_by_key(key)) {
    file_.add_mistake(row.line, cell.column,
                      fmt::format("'{}' belongs to account '{}' already", canonical, other->name));
  }
}

void ImportCheck::check_against_store(const ImportRow& row, const AccountRow& there,
                                      const std::vector<ledger::IdentityKey>& keys) {
  const std::vector<IdentityRow> has = store_.identities(there.id);
  const bool has_all = std::all_of(has.begin(), has.end(), [&](const IdentityRow& identity) {
    return std::find(keys.begin(), keys.end(), identity.key) != keys.end();
  });
  if (has_all && has.size() == keys.size() && there.plan == row.plan.text) {
    is_there_already_.back() = true;
    ++there_already_count_;
    return;
  }
  file_.add_mistake(row.line, row.account.column,
                    fmt::format("account '{}' is there already, with another plan or other "
                                "identities",
                                there.name));
}

void ImportCheck::find_doubles(std::vector<Seen>& seen, std::string_view what) {
  const auto order = [](const Seen& one) {
    return std::tuple(one.hash.high, one.hash.low, one.line, one.column);
  };
  std::sort(seen.begin(), seen.end(),
            [&](const Seen& a, const Seen& b) { return order(a) < order(b); });
  std::size_t first = 0;
  for (std::size_t i = 1; i < seen.size(); ++i) {
    if (!(seen[i].hash == seen[first].hash)) {
      first = i;
      continue;
    }
    file_.add_mistake(seen[i].line, seen[i].column,
                      fmt::format("the same {} as in line {}", what, seen[first].line));
  }
  seen = {};
}

}  // namespace tollgate::control
