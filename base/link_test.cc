// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/link.hh"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace tollgate {
namespace {

class LinkFixture {
 public:
  explicit LinkFixture(u64 capacity_bytes)
      : memory_(static_cast<u8*>(
            std::aligned_alloc(cache_line_bytes, LinkMemory::footprint(capacity_bytes)))),
        link(LinkMemory::format(memory_, capacity_bytes)) {}
  ~LinkFixture() { std::free(memory_); }
  LinkFixture(const LinkFixture&) = delete;
  LinkFixture& operator=(const LinkFixture&) = delete;

 private:
  u8* memory_;

 public:
  LinkMemory* link;
};

bool put(LinkProducer& producer, u64 number, u64 size) {
  const MutableBytes room = producer.reserve(size);
  if (room.empty()) return false;
  for (u64 i = 0; i < size; ++i) room[i] = static_cast<u8>(number + i);
  producer.commit(size);
  return true;
}

bool is_frame(Bytes frame, u64 number, u64 size) {
  if (frame.size() != size) return false;
  for (u64 i = 0; i < size; ++i) {
    if (frame[i] != static_cast<u8>(number + i)) return false;
  }
  return true;
}

TEST(LinkTest, NothingIsSeenBeforeItIsPublished) {
  const LinkFixture fixture(1024);
  LinkProducer producer(fixture.link);
  LinkConsumer consumer(fixture.link);
  Bytes frame;
  ASSERT_TRUE(put(producer, 1, 20));
  EXPECT_FALSE(consumer.next(frame));
  producer.publish();
  ASSERT_TRUE(consumer.next(frame));
  EXPECT_TRUE(is_frame(frame, 1, 20));
  EXPECT_FALSE(consumer.next(frame));
}

TEST(LinkTest, WhatADeadProducerHadNotPublishedWasNeverThere) {
  const LinkFixture fixture(1024);
  {
    LinkProducer producer(fixture.link);
    ASSERT_TRUE(put(producer, 1, 8));
    producer.publish();
    ASSERT_TRUE(put(producer, 2, 8));
  }
  LinkProducer again(fixture.link);
  ASSERT_TRUE(put(again, 3, 16));
  again.publish();
  LinkConsumer consumer(fixture.link);
  Bytes frame;
  ASSERT_TRUE(consumer.next(frame));
  EXPECT_TRUE(is_frame(frame, 1, 8));
  ASSERT_TRUE(consumer.next(frame));
  EXPECT_TRUE(is_frame(frame, 3, 16));
}

TEST(LinkTest, WhatADeadConsumerHadNotReleasedIsSeenAgain) {
  const LinkFixture fixture(1024);
  LinkProducer producer(fixture.link);
  for (u64 i = 0; i < 3; ++i) ASSERT_TRUE(put(producer, i, 10));
  producer.publish();
  Bytes frame;
  {
    LinkConsumer consumer(fixture.link);
    ASSERT_TRUE(consumer.next(frame));
    consumer.release();
    ASSERT_TRUE(consumer.next(frame));
  }
  LinkConsumer again(fixture.link);
  ASSERT_TRUE(again.next(frame));
  EXPECT_TRUE(is_frame(frame, 1, 10));
}

TEST(LinkTest, AFullLinkSaysSoAndCounts) {
  const LinkFixture fixture(1024);
  LinkProducer producer(fixture.link);
  u64 count = 0;
  while (put(producer, count, 120)) ++count;
  EXPECT_EQ(count, 8U);
  EXPECT_EQ(fixture.link->full_count.load(), 1U);
  producer.publish();
  LinkConsumer consumer(fixture.link);
  Bytes frame;
  ASSERT_TRUE(consumer.next(frame));
  EXPECT_FALSE(put(producer, count, 120)) << "room comes back with release, not with next";
  consumer.release();
  EXPECT_TRUE(put(producer, count, 120));
}

// Two threads, random sizes, every frame checked: run under the thread sanitizer as well.
TEST(LinkTest, TwoThreadsCarryEveryFrameOnceAndInOrder) {
  const LinkFixture fixture(1 << 14);
  constexpr u64 frame_count = 200'000;
  std::thread sender([&] {
    LinkProducer producer(fixture.link);
    std::mt19937_64 random(7);
    for (u64 i = 0; i < frame_count;) {
      const u64 size = random() % 300;
      while (!put(producer, i, size + 1)) {
        producer.publish();
        std::this_thread::yield();
      }
      if (++i % 7 == 0) producer.publish();
    }
    producer.publish();
  });
  LinkConsumer consumer(fixture.link);
  std::mt19937_64 random(7);
  u64 wrong = 0;
  for (u64 i = 0; i < frame_count;) {
    Bytes frame;
    if (!consumer.next(frame)) {
      consumer.release();
      std::this_thread::yield();
      continue;
    }
    if (!is_frame(frame, i, random() % 300 + 1)) ++wrong;
    if (++i % 5 == 0) consumer.release();
  }
  sender.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace tollgate
