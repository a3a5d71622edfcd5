// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/operation.hh"

#include <gtest/gtest.h>

#include "ledger/ledger.hh"
#include "ledger/ledger_fixture.hh"
#include "ledger/patcher.hh"
#include "ledger/recovery.hh"

namespace tollgate::ledger {
namespace {

constexpr Instant at(i64 seconds) {
  return test_begin + Duration::seconds(seconds);
}

class OperationTest : public testing::Test {
 protected:
  OperationTest()
      : burst(fixture.undo, fixture.memory.base(), fixture.producer), shard(fixture.memory, 3) {
    shard.rebuild(test_begin);
  }

  LedgerFixture fixture;
  Burst burst;
  Shard shard;
};

TEST_F(OperationTest, WhatWasNotPublishedNeverHappened) {
  for (u64 seed = 0; seed < 30; ++seed) {
    LedgerFixture own;
    Burst life(own.undo, own.memory.base(), own.producer);
    Shard part(own.memory, 3);
    part.rebuild(test_begin);
    Workload workload(life, part, seed);
    for (int i = 0; i < 40; ++i) {
      life.begin();
      workload.step(at(1));
      life.commit();
    }
    const std::vector<u64> before = journaled_words(own.memory);
    life.begin();
    for (u64 i = 0; i < 1 + seed % 32; ++i) workload.step(at(2));
    own.lose_unpublished();
    ASSERT_TRUE(Burst::recover(own.undo, own.memory.base(), *own.link));
    ASSERT_EQ(journaled_words(own.memory), before) << seed;
    ASSERT_FALSE(Burst::recover(own.undo, own.memory.base(), *own.link)) << "once is enough";
    part.rebuild(at(3));
    ASSERT_EQ(check_shard_consistency(part), "") << seed;
    // And life goes on.
    for (int i = 0; i < 40; ++i) {
      life.begin();
      workload.step(at(4));
      life.commit();
    }
    ASSERT_EQ(check_shard_consistency(part), "") << seed;
  }
}

TEST_F(OperationTest, WhatWasPublishedStays) {
  Workload workload(burst, shard, 1);
  burst.begin();
  for (int i = 0; i < 32; ++i) workload.step(at(1));
  burst.commit();
  fixture.undo.is_open = 1;  // killed between the publish and the end of the burst
  const std::vector<u64> before = journaled_words(fixture.memory);
  EXPECT_TRUE(Burst::recover(fixture.undo, fixture.memory.base(), *fixture.link));
  EXPECT_EQ(journaled_words(fixture.memory), before);
  shard.rebuild(at(2));
  EXPECT_EQ(check_shard_consistency(shard), "");
}

TEST_F(OperationTest, ABurstNotesTheShardsThatItTouches) {
  Shard other(fixture.memory, 63);
  burst.begin();
  EXPECT_EQ(fixture.undo.shard_mask, 0U);
  const Operation one(burst, 3, shard.header(), at(1));
  const Operation another(burst, 63, other.header(), at(1));
  EXPECT_EQ(fixture.undo.shard_mask, u64{1} << 3 | u64{1} << 63);
  burst.commit();
  burst.begin();
  EXPECT_EQ(fixture.undo.shard_mask, 0U);
  burst.commit();
}

// A burst that was killed between save and write, and a rollback that was killed and begun again.
TEST_F(OperationTest, ARollbackThatIsKilledCanBeRepeated) {
  Workload workload(burst, shard, 5);
  burst.begin();
  for (int i = 0; i < 50; ++i) workload.step(at(1));
  burst.commit();
  const std::vector<u64> before = journaled_words(fixture.memory);
  burst.begin();
  for (int i = 0; i < 20; ++i) workload.step(at(1));
  fixture.lose_unpublished();
  std::vector<u8> undo(sizeof(UndoMemory));
  std::memcpy(undo.data(), &fixture.undo, undo.size());
  EXPECT_TRUE(Burst::recover(fixture.undo, fixture.memory.base(), *fixture.link));
  std::memcpy(static_cast<void*>(&fixture.undo), undo.data(), undo.size());
  EXPECT_TRUE(Burst::recover(fixture.undo, fixture.memory.base(), *fixture.link));
  EXPECT_EQ(journaled_words(fixture.memory), before);
}

// Pieces of one record that touch, overlap and contain one another, against a plain copy.
TEST_F(OperationTest, OverlappingChangesOfOneRecordAreUndoneAndRedone) {
  std::mt19937_64 random(3);
  const LedgerFixture copy;
  for (int round = 0; round < 2000; ++round) {
    LedgerFixture& own = fixture;
    Session& session = shard.session(1);
    Session before = session;
    burst.begin();
    Operation op(burst, 3, shard.header(), at(1));
    auto* words = reinterpret_cast<u64*>(&session);
    for (u64 i = 0; i < 1 + random() % 12; ++i) {
      const u32 from = static_cast<u32>(2 + random() % 61);
      const u32 count = static_cast<u32>(1 + random() % (64 - from));
      op.change(session, {.pool = Pool::session, .index = 1, .at_word = from, .word_count = count});
      for (u32 k = from; k < from + count; ++k) words[k] = random();
    }
    const Session after = session;
    op.finish(EntryKind::request, AnswerTag::none());
    if (round % 2 == 0) {
      own.lose_unpublished();
      ASSERT_TRUE(Burst::recover(own.undo, own.memory.base(), *own.link));
      ASSERT_EQ(std::memcmp(&session, &before, sizeof session), 0) << round;
      continue;
    }
    burst.commit();
    Shard(copy.memory, 3).session(1) = before;
    copy.memory.shard(3).header->sequence = shard.header().sequence - 1;
    Bytes entry;
    ASSERT_TRUE(own.consumer.next(entry));
    EntryHeader header;
    std::memcpy(&header, entry.data(), sizeof header);
    ASSERT_EQ(Patcher(copy.memory).apply(header, entry), "");
    ASSERT_EQ(std::memcmp(&Shard(copy.memory, 3).session(1), &after, sizeof after), 0) << round;
    own.consumer.release();
  }
}

TEST_F(OperationTest, AnEntryWithoutChangesHasNoSequence) {
  burst.begin();
  Operation op(burst, 3, shard.header(), at(1));
  const u64 answer = 42;
  op.set_answer_in_note({reinterpret_cast<const u8*>(&answer), sizeof answer});
  op.finish(EntryKind::request, AnswerTag::net(2, 77));
  burst.commit();
  Bytes entry;
  ASSERT_TRUE(fixture.consumer.next(entry));
  EntryHeader header;
  std::memcpy(&header, entry.data(), sizeof header);
  EXPECT_EQ(header.kind, EntryKind::answer_only);
  EXPECT_EQ(header.sequence, 0U);
  EXPECT_EQ(header.tag.own(), 77U);
  EXPECT_EQ(header.tag.net_tile(), 2U);
  ASSERT_EQ(header.answer_words, 1U);
  EXPECT_EQ(std::memcmp(entry.data() + u64{header.answer_at} * 8, &answer, 8), 0);
}

TEST_F(OperationTest, AVersionIsOddWhileItsRecordChanges) {
  Bucket copy;
  burst.begin();
  Operation op(burst, 3, shard.header(), at(1));
  op.change(shard.bucket(1), {.pool = Pool::bucket, .index = 1, .at_word = 4, .word_count = 1});
  EXPECT_EQ(shard.bucket(1).version & 1, 1U);
  EXPECT_FALSE(read_record(shard.bucket(1), copy));
  op.finish(EntryKind::request, AnswerTag::none());
  EXPECT_EQ(shard.bucket(1).version & 1, 0U);
  EXPECT_TRUE(read_record(shard.bucket(1), copy));
  burst.commit();
}

// has_room must promise what finish asserts, at every place of the ring.
TEST_F(OperationTest, RoomThatWasPromisedIsThere) {
  ZeroMemory space(LinkMemory::footprint(4096));
  LinkMemory* link = LinkMemory::format(space.get(), 4096);
  LinkProducer producer(link);
  LinkConsumer consumer(link);
  Burst small(fixture.undo, fixture.memory.base(), producer);
  std::mt19937_64 random(4);
  u64 written = 0;
  for (int i = 0; i < 20'000; ++i) {
    const u64 words = random() % 100;
    std::vector<u8> note(words * 8, 1);
    const u64 bytes = sizeof(EntryHeader) + sizeof(PartHeader) + note.size();
    small.begin();
    if (small.has_room(bytes)) {
      Operation op(small, 3, shard.header(), at(1));
      op.add_note(NoteKind::command, note);
      op.finish(EntryKind::request, AnswerTag::none());
      ++written;
    } else {
      Bytes frame;
      for (u64 k = 0; k < 1 + random() % 4 && consumer.next(frame); ++k) continue;
      consumer.release();
    }
    small.commit();
  }
  EXPECT_GT(written, 1000U);
}

}  // namespace
}  // namespace tollgate::ledger
