// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// docs/counters.md is made from the tables that the code counts by. When they have changed, write
// it anew: TOLLGATE_WRITE_DOCS=1 build/app/app_counters_page_test
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "app/config.hh"
#include "app/topology.hh"
#include "app/translate.hh"
#include "ledger/outcome.hh"

namespace tollgate::app {
namespace {

constexpr const char* page_file = SOURCE_ROOT "/docs/counters.md";

constexpr std::string_view head = R"(# Counters and refusals

Every drop and every refusal has a name, a sentence and a counter; `tollctl stats` shows them by
these names. This page is made from the tables in the code that count (`app/counters_page_test.cc`).

A name with `drop_` is of something that got no answer; with `refused_`, of a request that was
answered with a refusal; with `peer_`, of connections. Counters of tiles of one kind are added up.
Charge tiles also count what requests, and each service in them, were told, by the outcome's name.
)";

std::string block_text(std::string_view title, const CounterBlockSpec& block) {
  std::string text = fmt::format("\n## {}\n\n| counter | what it counts |\n|---|---|\n", title);
  for (const CounterName& counter : block.counters) {
    text += fmt::format("| `{}` | {} |\n", counter.name, counter.sentence);
  }
  return text;
}

std::string page() {
  Config config;
  config.cores.push_back(
      {.tiles = {{TileKind::net, 0}, {TileKind::charge, 0}, {TileKind::journal, 0}}});
  std::string text(head);
  for (const CounterBlockSpec& block : counters_of(config)) {
    std::string title = block.name;
    title.resize(title.find_last_not_of("0123456789") + 1);
    text +=
        block_text(title == "core" ? "core (each process that polls)" : title + " tiles", block);
  }
  text +=
      "\n## Outcomes of requests and commands\n\nWhat the ledger says, and the Result-Code that a "
      "client is told.\n\n| outcome | Result-Code | what it means |\n|---|---|---|\n";
  for (const ledger::OutcomeRow& row : ledger::outcome_table) {
    text += fmt::format("| `{}` | {} | {} |\n", row.name,
                        static_cast<u32>(result_code_of(row.outcome)), row.sentence);
  }
  return text;
}

TEST(CountersPage, is_what_the_tables_say) {
  const std::string wanted = page();
  if (std::getenv("TOLLGATE_WRITE_DOCS") != nullptr) std::ofstream(page_file) << wanted;
  std::ifstream file(page_file);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(found, wanted) << "write it anew: TOLLGATE_WRITE_DOCS=1, and this test";
}

}  // namespace
}  // namespace tollgate::app
