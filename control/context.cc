// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/context.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace tollgate::control {
namespace {

constexpr std::size_t name_bytes_max = 64;
constexpr i64 period_days_max = 36'500;

bool is_printable(char c) {
  return c > ' ' && c != 0x7f && c != ':' && c != ',' && c != '"' && c != '\'';
}

}  // namespace

AccountRow find_account(Store& store, const std::string& who) {
  std::optional<AccountRow> account;
  if (who.find(':') != std::string::npos || (!who.empty() && who.front() == '+')) {
    ledger::IdentityKey key;
    std::string canonical;
    const std::string why = ledger::parse_identity(who, key, canonical);
    if (!why.empty()) throw Refused(refusal::bad_request, why);
    account = store.account_by_key(key);
  } else {
    account = store.account_by_name(who);
  }
  if (!account) {
    throw Refused(to_text(ledger::Outcome::account_unknown),
                  fmt::format("there is no account '{}'", who));
  }
  if (account->status == AccountStatus::pending) {
    throw Refused(refusal::busy, fmt::format("account '{}' is still being made", account->name));
  }
  return *account;
}

std::vector<IdentityRow> parse_identities(const std::vector<std::string>& texts) {
  std::vector<IdentityRow> all;
  for (const std::string& text : texts) {
    IdentityRow row;
    const std::string why = ledger::parse_identity(text, row.key, row.text);
    if (!why.empty()) throw Refused(refusal::bad_request, why);
    const bool is_double =
        std::any_of(all.begin(), all.end(), [&](const IdentityRow& r) { return r.key == row.key; });
    if (is_double) {
      throw Refused(refusal::bad_request, fmt::format("identity '{}' is given twice", row.text));
    }
    all.push_back(std::move(row));
  }
  if (all.size() > ledger::identities_per_account_max) {
    throw refused_by_ledger(ledger::Outcome::too_many_identities);
  }
  return all;
}

std::string name_mistake(std::string_view name) {
  constexpr std::string_view expected =
      "expected 1 to 64 characters without spaces, ':', ',' and quotes, not beginning with '+' "
      "or '-'";
  const bool is_good = !name.empty() && name.size() <= name_bytes_max && name.front() != '+' &&
                       name.front() != '-' && std::all_of(name.begin(), name.end(), is_printable);
  return is_good ? std::string() : fmt::format("'{}' is no account name: {}", name, expected);
}

Duration parse_period(std::string_view text) {
  struct UnitRow {
    std::string_view name;
    i64 seconds;
  };
  constexpr std::array<UnitRow, 6> units = {
      {{"d", 86'400}, {"h", 3'600}, {"min", 60}, {"m", 60}, {"s", 1}, {"w", 604'800}}};
  i64 count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const UnitRow& row : units) {
    if (row.name != unit || error != std::errc() || count <= 0) continue;
    if (count > period_days_max * 86'400 / row.seconds) break;
    return Duration::seconds(count * row.seconds);
  }
  throw Refused(refusal::bad_request,
                fmt::format("'{}' is no period: expected a whole number above 0 and w, d, h, min "
                            "or s, like 30d; at most {}d",
                            text, period_days_max));
}

Refused refused_by_ledger(ledger::Outcome outcome) {
  return {to_text(outcome), std::string(sentence(outcome))};
}

bool index_account(ledger::IdentityIndex& index, const std::vector<IdentityRow>& identities,
                   ledger::AccountRef place) {
  bool is_whole = true;
  for (const IdentityRow& identity : identities) {
    const ledger::AccountRef found = index.find(identity.key);
    if (found == place) continue;
    // The database says whose it is; another entry is left over from an account that was removed.
    if (!found.is_none()) index.remove(identity.key);
    is_whole = index.insert(identity.key, place) && is_whole;
  }
  return is_whole;
}

}  // namespace tollgate::control
