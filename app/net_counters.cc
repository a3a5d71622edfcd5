// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/net_counters.hh"

#include <fmt/format.h>

#include <deque>
#include <string>
#include <vector>

#include "dataplane/counters.hh"

namespace tollgate::app {

std::span<const CounterName> net_block_names() {
  // Made once; the texts stay for the life of the process.
  static const std::vector<CounterName> names = [] {
    static std::deque<std::string> texts;
    std::vector<CounterName> all(std::begin(net_counter_names), std::end(net_counter_names));
    for (const u32 code : counted_result_codes) {
      texts.push_back(fmt::format("result_{}", code));
      const std::string_view name = texts.back();
      texts.push_back(fmt::format("answers sent with Result-Code {}", code));
      all.push_back({name, texts.back()});
    }
    all.push_back({"result_other", "answers sent with any other Result-Code"});
    for (const dataplane::CounterText& text : dataplane::transport_counter_table) {
      all.push_back({text.name, text.sentence});
    }
    return all;
  }();
  return names;
}

}  // namespace tollgate::app
