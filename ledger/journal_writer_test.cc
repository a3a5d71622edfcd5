// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/journal_writer.hh"

#include <optional>

#include "ledger/journal_fixture.hh"

namespace tollgate::ledger {
namespace {

constexpr u64 appliance = 99;

class JournalWriterTest : public testing::Test {
 protected:
  JournalWriterTest()
      : link_space(LinkMemory::footprint(4_MiB)),
        link(LinkMemory::format(link_space.get(), 4_MiB)),
        producer(link),
        journal_space(sizeof(JournalMemory)),
        memory(*JournalMemory::format(
            journal_space.get(),
            {.appliance = appliance, .stream = 0, .segment_bytes = 8_MiB, .position = {}})) {
    disk.make(1);
    disk.make(2);
    restart();
  }

  // A new writer over the same memory; the one before was killed.
  void restart() {
    writer.reset();
    storage.emplace(disk);
    writer.emplace(memory, *storage, std::vector{LinkConsumer(link)}, counters);
  }
  bool put(u64 sequence, u64 filling_words = 0) {
    const std::vector<u8> entry = make_entry(sequence, ++number, filling_words);
    const MutableBytes room = producer.reserve(entry.size());
    if (room.empty()) return false;
    std::copy(entry.begin(), entry.end(), room.begin());
    producer.commit(entry.size());
    producer.publish();
    return true;
  }
  u32 poll() {
    return writer->poll(read_tsc(), test_begin, [this](AnswerTag tag, Bytes answer) {
      if (takes == 0) return false;
      --takes;
      u64 told = 0;
      std::memcpy(&told, answer.data(), sizeof told);
      EXPECT_EQ(told, tag.own());
      released.push_back(told);
      return true;
    });
  }
  void poll_all() {
    for (int i = 0; i < 50; ++i) {
      poll();
      storage->finish_all();
    }
  }
  // Reads the disk as recovery would: the sequences of the entries, in order.
  std::vector<u64> on_disk() const {
    std::vector<u64> sequences;
    JournalPosition at;
    for (;;) {
      GroupHeader header;
      const u8* group = nullptr;
      const auto is_at = [&](u64 segment, u64 offset) {
        const auto found = disk.segments.find(segment);
        if (found == disk.segments.end() || offset + page_bytes > disk.segment_bytes) return false;
        group = found->second.data() + offset;
        std::memcpy(&header, group, sizeof header);
        return header.magic == group_magic && header.sequence == at.next_sequence &&
               header.previous_hash == at.previous_hash &&
               header.payload_crc == crc32c(Bytes(group + sizeof header, header.payload_bytes));
      };
      if (!is_at(at.segment_number, at.offset)) {
        if (!is_at(at.segment_number + 1, page_bytes)) return sequences;
        at.offset = page_bytes;
        ++at.segment_number;
      }
      u32 entries = 0;
      const bool is_exact = for_each_entry({group + sizeof header, header.payload_bytes},
                                           [&](const EntryHeader& entry, Bytes) {
                                             ++entries;
                                             if (entry.sequence != 0) {
                                               sequences.push_back(entry.sequence);
                                             }
                                           });
      EXPECT_TRUE(is_exact);
      EXPECT_EQ(entries, header.entry_count);
      at.offset += round_up(sizeof header + header.payload_bytes, page_bytes);
      at.previous_hash = hash64({reinterpret_cast<const u8*>(&header), sizeof header});
      ++at.next_sequence;
    }
  }
  // 1, 2, 3... each at least once, a repetition only of what was there.
  static bool is_row(const std::vector<u64>& numbers, u64 last) {
    u64 seen = 0;
    for (const u64 found : numbers) {
      if (found > seen + 1) return false;
      if (found == seen + 1) ++seen;
    }
    return seen == last;
  }

  MemoryDisk disk;
  ZeroMemory link_space;
  LinkMemory* link;
  LinkProducer producer;
  ZeroMemory journal_space;
  JournalMemory& memory;
  JournalCounters counters{};
  std::optional<MemoryStorage> storage;
  std::optional<JournalWriter> writer;
  std::vector<u64> released;
  u64 number = 0;
  u64 takes = UINT64_MAX;
};

TEST_F(JournalWriterTest, AnAnswerLeavesWhenItsGroupIsOnDisk) {
  put(1);
  put(2);
  poll();
  poll();
  EXPECT_TRUE(released.empty());
  EXPECT_EQ(memory.durable_sequence.load(), 0U);
  ASSERT_EQ(storage->in_flight.size(), 1U);
  storage->finish(0, true);
  poll();
  EXPECT_EQ(released, (std::vector<u64>{1, 2}));
  EXPECT_EQ(memory.durable_sequence.load(), 1U);
  EXPECT_TRUE(writer->is_idle());
}

TEST_F(JournalWriterTest, AnswersLeaveInOrderWhateverWriteEndsFirst) {
  u64 sequence = 0;
  for (int group = 0; group < 4; ++group) {
    for (int i = 0; i < 13; ++i) put(++sequence, 2000);  // 208 KB
    poll();
  }
  ASSERT_EQ(storage->in_flight.size(), 4U) << "four writes in flight when there is much to do";
  storage->finish(3, true);
  storage->finish(1, true);
  poll();
  EXPECT_TRUE(released.empty());
  EXPECT_EQ(memory.durable_sequence.load(), 0U);
  storage->finish(0, true);
  poll();
  EXPECT_EQ(released.size(), 26U);
  EXPECT_EQ(memory.durable_sequence.load(), 2U);
  storage->finish(0, true);
  poll();
  EXPECT_EQ(released.size(), 52U);
  EXPECT_TRUE(std::is_sorted(released.begin(), released.end()));
}

TEST_F(JournalWriterTest, AnAnswerWithoutEffectKeepsItsPlace) {
  put(1);
  poll();
  put(0);
  poll();
  EXPECT_TRUE(released.empty()) << "it stands behind one that is not on disk yet";
  put(2);
  poll();
  storage->finish_all();
  poll();
  poll();
  EXPECT_EQ(released, (std::vector<u64>{1, 2})) << "the second needs no disk";
  storage->finish_all();
  poll();
  EXPECT_EQ(released, (std::vector<u64>{1, 2, 3}));
  put(0);
  poll();
  poll();
  EXPECT_EQ(released.size(), 4U) << "alone it waits for nothing";
  EXPECT_EQ(counters.groups_written, 2U);
}

TEST_F(JournalWriterTest, AFailedWriteReleasesNothingMoreAndIsNotTriedAgain) {
  u64 sequence = 0;
  for (int group = 0; group < 3; ++group) {
    for (int i = 0; i < 10; ++i) put(++sequence, 2000);
    poll();
  }
  storage->finish(1, false, page_bytes);  // short
  poll();
  EXPECT_EQ(memory.has_room.load(), 0U);
  EXPECT_EQ(memory.is_failed.load(), 1U);
  EXPECT_EQ(counters.write_failures, 1U);
  put(++sequence);
  poll_all();
  EXPECT_EQ(released.size(), 10U) << "what lies before it was on disk";
  writer->housekeep();
  EXPECT_EQ(memory.has_room.load(), 0U);
  restart();
  EXPECT_TRUE(storage->in_flight.empty());
  poll_all();
  writer->housekeep();
  EXPECT_EQ(released.size(), 10U);
  EXPECT_EQ(memory.has_room.load(), 0U);
}

TEST_F(JournalWriterTest, AFullSegmentIsFollowedByTheNext) {
  u64 sequence = 0;
  while (memory.position.segment_number == 1) {
    put(++sequence, 3000);
    poll();
    storage->finish_all();
  }
  poll_all();
  EXPECT_TRUE(is_row(on_disk(), sequence));
  EXPECT_EQ(memory.current_segment.load(), 2U);
  EXPECT_EQ(released.size(), sequence);
}

TEST_F(JournalWriterTest, WithoutANextSegmentThereIsNoRoomUntilItAppears) {
  disk.segments.erase(2);
  restart();
  EXPECT_EQ(memory.has_room.load(), 1U) << "an empty segment is enough for a while";
  u64 sequence = 0;
  while (counters.room_waits == 0) {
    put(++sequence, 3000);
    poll();
    storage->finish_all();
  }
  EXPECT_EQ(memory.has_room.load(), 0U);
  for (int i = 0; i < 20; ++i) {
    put(++sequence, 3000);
    poll();
    storage->finish_all();
  }
  EXPECT_LT(released.size(), sequence);
  disk.make(2);
  writer->housekeep();
  EXPECT_EQ(memory.has_room.load(), 1U);
  poll_all();
  EXPECT_EQ(released.size(), sequence);
  EXPECT_TRUE(is_row(released, sequence));
  EXPECT_TRUE(is_row(on_disk(), sequence));
}

TEST_F(JournalWriterTest, ATakerWithoutRoomIsAskedAgain) {
  for (u64 i = 1; i <= 9; ++i) put(i);
  poll();
  storage->finish_all();
  takes = 4;
  poll();
  EXPECT_EQ(released.size(), 4U);
  EXPECT_FALSE(writer->is_idle());
  takes = UINT64_MAX;
  poll();
  EXPECT_TRUE(is_row(released, 9));
  EXPECT_EQ(released.size(), 9U);
}

// Killed between any two of the stores of a submit: the position is behind in every combination.
TEST_F(JournalWriterTest, AWriterKilledInTheMiddleOfASubmitGoesOnBehindIt) {
  u64 sequence = 0;
  for (u32 kept = 0; kept < 16; ++kept) {
    put(++sequence);
    poll_all();
    const JournalPosition before = memory.position;
    const u64 segment = memory.current_segment.load();
    put(++sequence);
    poll();
    ASSERT_EQ(storage->in_flight.size(), 1U);
    if ((kept & 1) != 0) memory.position.previous_hash = before.previous_hash;
    if ((kept & 2) != 0) memory.position.next_sequence = before.next_sequence;
    if ((kept & 4) != 0) memory.position.offset = before.offset;
    if ((kept & 8) != 0) memory.current_segment.store(segment);
    restart();
    ASSERT_EQ(storage->in_flight.size(), 1U) << "it is written again";
    put(++sequence);
    poll_all();
    ASSERT_TRUE(is_row(on_disk(), sequence)) << kept;
    ASSERT_TRUE(is_row(released, sequence)) << kept;
  }
}

// Killed between the counts of a group that fills, and between the two of a release.
TEST_F(JournalWriterTest, AWriterKilledBetweenTwoCountsGoesOn) {
  put(1);
  poll();
  put(2);
  put(0);
  poll();  // the second group fills while the first is written
  GroupSlot& filling = memory.slots[(memory.fill_count - 1) % JournalMemory::slot_count];
  ASSERT_EQ(filling.state, GroupState::filling);
  ++filling.effect_count;
  ++filling.entry_count;
  restart();
  EXPECT_EQ(filling.effect_count, 1U);
  EXPECT_EQ(filling.entry_count, 2U);
  poll_all();
  EXPECT_TRUE(is_row(on_disk(), 2));
  EXPECT_TRUE(is_row(released, 3));
  // All is out and the count of it was not stored yet: it is told again, nothing hangs.
  --memory.release_count;
  restart();
  put(3);
  poll_all();
  EXPECT_TRUE(writer->is_idle());
  EXPECT_TRUE(is_row(on_disk(), 3));
}

// Everything at once, from one seed: writes end in any order, the writer is killed at any time with
// writes done, half done and not done, takers have no room, segments come late.
TEST_F(JournalWriterTest, ManyKillsNeitherLoseNorReorderAnything) {
  std::mt19937_64 random(7);
  u64 sequence = 0;
  u64 kills = 0;
  std::vector<u64> sequence_of{0};  // by number of entry: the last effect up to it
  for (int step = 0; step < 12'000; ++step) {
    const u64 dice = random() % 100;
    takes = random() % 4 == 0 ? random() % 5 : UINT64_MAX;
    if (dice < 35) {
      if (random() % 5 == 0) {
        put(0);
      } else if (put(sequence + 1, random() % 10 == 0 ? 3000 : random() % 100)) {
        ++sequence;
      } else {
        --number;
      }
      sequence_of.resize(number + 1, sequence);
    } else if (dice < 75) {
      const std::size_t before = released.size();
      poll();
      if (released.size() != before && random() % 16 == 0) {
        const std::vector<u64> durable = on_disk();
        const u64 last = durable.empty() ? 0 : durable.back();
        ASSERT_LE(sequence_of[released.back()], last) << "told before it was on disk";
      }
    } else if (dice < 95) {
      if (!storage->in_flight.empty()) storage->finish(random() % storage->in_flight.size(), true);
    } else if (dice < 97) {
      writer->housekeep();
      disk.segments.try_emplace(memory.position.segment_number + 1).first->second.resize(8_MiB);
    } else {
      for (const StorageWrite& write : storage->in_flight) storage->put(write, random() % 300'000);
      restart();
      ++kills;
    }
  }
  disk.make(memory.position.segment_number + 1);
  takes = UINT64_MAX;
  for (int i = 0; i < 20; ++i) poll_all();
  EXPECT_GT(kills, 100U);
  EXPECT_TRUE(writer->is_idle());
  EXPECT_TRUE(is_row(on_disk(), sequence));
  EXPECT_TRUE(is_row(released, number));
}

}  // namespace
}  // namespace tollgate::ledger
