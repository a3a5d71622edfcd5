// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// How many charging records a second control writes: control_cdr_bench [RECORDS [ACCOUNTS]].
//
// A journal of ended sessions is read and written as records, with the names of the accounts from a
// database, each account for the first time and then again.

#include <fmt/format.h>
#include <stdlib.h>

#include <charconv>
#include <filesystem>
#include <random>
#include <vector>

#include "base/check.hh"
#include "control/account_names.hh"
#include "control/cdr_task.hh"
#include "control/fake_journal.hh"

namespace tollgate::control {
namespace {

void provision(Store& store, u64 accounts) {
  Transaction all(store.database());
  store.take_account_ids(accounts);
  for (u64 id = 1; id <= accounts; ++id) {
    const std::string number = fmt::format("4670{:08}", id);
    IdentityRow identity;
    check(ledger::parse_identity("msisdn:" + number, identity.key, identity.text).empty(),
          "a number is an identity");
    store.insert_pending({.id = id, .name = "s" + number, .plan = "prepaid"}, {identity});
    store.set_active(id, ledger::AccountRef::make(static_cast<u32>(id % ledger::shard_count), 1));
  }
  all.commit();
}

void fill(FakeJournal& journal, u64 records, u64 accounts) {
  constexpr u64 entries_a_group = 400;
  std::mt19937_64 random(1);
  for (u64 written = 0; written < records;) {
    std::vector<std::vector<u8>> entries;
    for (u64 i = 0; i < entries_a_group && written < records; ++i, ++written) {
      const u64 account = 1 + random() % accounts;
      entries.push_back(journal.charging_entry(
          static_cast<u32>(account % ledger::shard_count),
          fmt::format("gw01.operator.example;1732233600;{}", written), account));
    }
    journal.write_group(0, entries);
  }
}

int run(u64 records, u64 accounts) {
  std::string folder = "/tmp/tollgate-cdr-XXXXXX";
  check(::mkdtemp(folder.data()) != nullptr, "a folder for the bench");
  Store store(folder + "/provisioning.db");
  provision(store, accounts);
  FakeJournal journal(folder + "/journal", 1);
  fill(journal, records, accounts);
  AccountNames account_names(store);
  const CdrNames names = {.account = [&](u64 id) { return account_names.members_of(id); },
                          .plan = [](u32) { return std::string("prepaid"); },
                          .product = [](u32) { return std::string("gold"); },
                          .zone = [](u32) { return std::string(); },
                          .service_context = [](u64) { return std::string("32251@3gpp.org"); },
                          .origin_host = [](u64) { return std::string(); }};
  Clock clock;
  const Instant begin = clock.now();
  CdrWriter writer({.folder = folder + "/cdr",
                    .name = "bench",
                    .journal_id = journal.folder().appliance,
                    .reached = nullptr},
                   begin);
  CdrWriter events({.folder = folder + "/events",
                    .name = "bench-events",
                    .journal_id = journal.folder().appliance,
                    .reached = nullptr},
                   begin);
  CdrTask task(journal.folder(), writer, events, names, {nullptr});
  while (task.step(begin)) {
  }
  const Duration took = clock.now() - begin;
  const u64 done = writer.record_count();
  fmt::print("{} records of {} accounts in {} ms: {} a second\n", done, accounts,
             took.whole_milliseconds(),
             done * 1000 / static_cast<u64>(took.whole_milliseconds() + 1));
  std::filesystem::remove_all(folder);
  return done == records ? 0 : 1;
}

u64 number_of(std::string_view text) {
  u64 number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end ? number : 0;
}

}  // namespace
}  // namespace tollgate::control

int main(int count, char** arguments) {
  using tollgate::control::number_of;
  const tollgate::u64 records = count > 1 ? number_of(arguments[1]) : 200'000;
  const tollgate::u64 accounts = count > 2 ? number_of(arguments[2]) : 100'000;
  if (count > 3 || records == 0 || accounts == 0) {
    fmt::print(stderr, "usage: control_cdr_bench [RECORDS [ACCOUNTS]]\n");
    return 2;
  }
  return tollgate::control::run(records, accounts);
}
