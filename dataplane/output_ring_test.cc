// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/output_ring.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace tollgate::dataplane {
namespace {

TEST(OutputRing, gives_what_was_reserved_and_not_taken_again) {
  std::vector<u8> memory(64);
  OutputRing ring;
  ring.attach(memory);
  const MutableBytes first = ring.reserve(40);
  ASSERT_EQ(first.size(), 40u);
  EXPECT_EQ(ring.reserve(40).data(), first.data());
  ring.commit(10);
  EXPECT_EQ(ring.reserve(30).data(), first.data() + 10);
  EXPECT_EQ(ring.held_bytes(), 10u);
  EXPECT_TRUE(ring.reserve(55).empty());
  EXPECT_EQ(ring.reserve(54).size(), 54u);
}

TEST(OutputRing, an_empty_ring_has_all_its_room_wherever_it_stood) {
  std::vector<u8> memory(64);
  OutputRing ring;
  ring.attach(memory);
  for (u32 size = 1; size <= 64; ++size) {
    ASSERT_TRUE(ring.has_room(64));
    ASSERT_EQ(ring.reserve(size).size(), size);
    ring.commit(size);
    ASSERT_EQ(ring.unsent().size(), size);
    ring.mark_sent(size);
    ring.acknowledge(size);
  }
}

// Against a plain queue of octets: whatever is reserved, sent and acknowledged in whatever pieces,
// what leaves is what was committed, in order, and stays in place until it is acknowledged.
TEST(OutputRing, behaves_as_a_queue_under_random_use) {
  std::mt19937 random{7};
  for (int round = 0; round < 50; ++round) {
    const std::size_t size = std::size_t{64} << (random() % 6);
    std::vector<u8> memory(size);
    OutputRing ring;
    ring.attach(memory);
    std::deque<u8> committed;                   // not yet sent
    std::deque<std::pair<const u8*, u8>> sent;  // not yet acknowledged: where and what
    u8 next = 0;
    for (int step = 0; step < 5000; ++step) {
      const std::size_t want = 1 + random() % (size / 2);
      const bool has_room = ring.has_room(want);
      const MutableBytes room = ring.reserve(want);
      ASSERT_EQ(!room.empty(), has_room);
      if (!room.empty()) {
        const std::size_t use = random() % (want + 1);
        for (std::size_t i = 0; i < use; ++i) {
          room[i] = next;
          committed.push_back(next++);
        }
        ring.commit(use);
      }
      while (random() % 3 != 0 && ring.unsent_bytes() > 0) {
        const Bytes piece = ring.unsent();
        ASSERT_FALSE(piece.empty());
        const std::size_t use = 1 + random() % piece.size();
        for (std::size_t i = 0; i < use; ++i) {
          ASSERT_EQ(piece[i], committed.front());
          committed.pop_front();
          sent.emplace_back(&piece[i], piece[i]);
        }
        ring.mark_sent(use);
      }
      for (const auto& [place, octet] : sent) ASSERT_EQ(*place, octet);
      const std::size_t acknowledged = sent.empty() ? 0 : random() % (sent.size() + 1);
      sent.erase(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(acknowledged));
      ring.acknowledge(acknowledged);
      ASSERT_EQ(ring.held_bytes(), sent.size() + committed.size());
      ASSERT_EQ(ring.unsent_bytes(), committed.size());
    }
  }
}

}  // namespace
}  // namespace tollgate::dataplane
