// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/flow_table.hh"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tollgate::dataplane {
namespace {

// Against a map, with so few hash values that long runs and equal hashes are the rule.
TEST(FlowTable, finds_what_is_in_it_and_nothing_else) {
  std::mt19937 random{3};
  for (u32 hash_count : {1u, 7u, 100u, 1'000'000u}) {
    constexpr u32 stream_count = 64;
    FlowTable table(stream_count);
    std::map<u32, u32> hash_of;
    for (int step = 0; step < 20'000; ++step) {
      const u32 index = random() % stream_count;
      if (const auto found = hash_of.find(index); found != hash_of.end()) {
        table.remove({.hash = found->second, .stream_index = index});
        hash_of.erase(found);
      } else {
        const u32 hash = random() % hash_count + 120;
        table.insert({.hash = hash, .stream_index = index});
        hash_of[index] = hash;
      }
      ASSERT_EQ(table.count(), hash_of.size());
      const u32 probe = random() % stream_count;
      const auto expected = hash_of.find(probe);
      const u32 hash = expected == hash_of.end() ? 120 : expected->second;
      const u32 found = table.find(hash, [&](u32 at) { return at == probe; });
      ASSERT_EQ(found, expected == hash_of.end() ? ~0u : probe);
    }
  }
}

}  // namespace
}  // namespace tollgate::dataplane
