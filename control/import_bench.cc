// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// How long an import takes, with a charge tile that costs nothing: control_import_bench [ACCOUNTS].

#include <fmt/format.h>

#include <charconv>
#include <fstream>

#include "control/accounts.hh"
#include "control/fake_appliance.hh"
#include "control/import.hh"

namespace tollgate::control {
namespace {

void write_csv(const std::string& path, u64 count) {
  std::ofstream file(path);
  file << "account,msisdn,imsi,plan,balance\n";
  for (u64 i = 0; i < count; ++i) {
    file << fmt::format("s{:08},4670{:08},24001{:010},prepaid,10.00EUR\n", i, i, i);
  }
}

int run(u64 count) {
  FakeAppliance fake(count + count / 4 + 10'000);
  const std::string path = fake.folder() + "/import.csv";
  write_csv(path, count);
  const ControlOptions options = fake.options();
  Appliance appliance;
  check(appliance.join(options).empty(), "the fake appliance is there");
  Store store(fake.folder() + "/provisioning.db");
  CommandChannel channel({.to_charge = {appliance.link("control_charge0")},
                          .from_journal = {appliance.link("journal0_control")},
                          .run = 1});
  Tariffs tariffs;
  check(tariffs.load(options.tariff_paths, appliance.tariff()).is_good(), "the test's tariff");
  Clock clock;
  Context context{options, store, appliance, channel, tariffs, clock};
  const Quiet quiet(appliance);
  Reconcile reconcile(context, quiet);
  Json told;
  Import import(context, reconcile, path, Reply(1, [&](const Json& line) { told = line; }));
  const Instant begin = clock.now();
  Instant checked = begin;
  while (!import.is_finished()) {
    import.step(clock.now());
    channel.poll(clock.now());
    if (told.contains("progress") && told["progress"]["phase"] == "check") checked = clock.now();
  }
  const Duration took = clock.now() - begin;
  const bool is_good = told.value("ok", false) && told["result"]["imported"] == count;
  fmt::print("{} accounts with two identities in {} ms (the check about {} ms): {} a second{}\n",
             count, took.whole_milliseconds(), (checked - begin).whole_milliseconds(),
             count * 1000 / static_cast<u64>(took.whole_milliseconds() + 1),
             is_good ? "" : ", and it FAILED: " + to_line(told));
  return is_good ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::control

int main(int argc, char** argv) {
  tollgate::u64 count = 100'000;
  if (argc > 1) {
    const std::string_view text = argv[1];
    std::from_chars(text.data(), text.data() + text.size(), count);
  }
  return tollgate::control::run(count);
}
