// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Snapshots taken in the middle of the work, and what is left when they are killed, torn or hurt:
// the ledger that comes back is always the one that the journal tells of.

#include "ledger/snapshot_writer.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "ledger/appliance_fixture.hh"
#include "ledger/audit.hh"
#include "ledger/recovery.hh"
#include "ledger/snapshot_reader.hh"

namespace tollgate::ledger {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public testing::Test {
 protected:
  const std::string& folder() const { return home.folder.path; }
  std::string path(u64 number) const { return snapshot_path(folder(), number); }

  // Takes a snapshot while the appliance works on: so many operations between two steps.
  SnapshotProgress take(Appliance& appliance, u64 number, u64 operations) const {
    SnapshotWriter writer(home.folder, folder(), number, appliance.source());
    SnapshotProgress progress = SnapshotProgress::copying;
    while (progress == SnapshotProgress::copying || progress == SnapshotProgress::settling) {
      progress = writer.step(test_begin);
      appliance.live(operations);
      appliance.poll();
    }
    EXPECT_EQ(writer.reason(), "");
    return progress;
  }
  // The ledger as its files tell it; `why` if they are refused.
  std::string recover(const LedgerFixture& into, RecoveryReport& report) const {
    const auto ignore = [](const RecoveryStep&) {};
    RecoveryStart start;
    std::string why =
        load_newest_snapshot(home.folder, folder(), into.memory, start, report, ignore);
    if (!why.empty()) return why;
    return replay_journal(home.folder, start, into.memory, report, ignore);
  }
  void expect_recovers(const Appliance& appliance, u64 from_snapshot, std::size_t warnings) const {
    const LedgerFixture copy;
    RecoveryReport report;
    ASSERT_EQ(recover(copy, report), "");
    EXPECT_EQ(report.snapshot_number, from_snapshot);
    EXPECT_EQ(report.warnings.size(), warnings);
    EXPECT_TRUE(journaled_words(copy.memory) == journaled_words(appliance.ledger.memory));
    EXPECT_EQ(report.positions[0].next_sequence, appliance.journal.position.next_sequence);
    EXPECT_EQ(report.positions[0].offset, appliance.journal.position.offset);
  }
  std::string header_fault(u64 number) const {
    SnapshotHeader header;
    return read_snapshot_header(folder(), number, home.folder, header);
  }
  std::string fault(u64 number) const {
    SnapshotHeader header;
    std::string why = read_snapshot_header(folder(), number, home.folder, header);
    return why.empty() ? verify_snapshot(folder(), header, [](u64, u64) {}) : why;
  }
  static std::string octets(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void put(const std::string& path, const std::string& octets) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << octets;
  }
  void change_header(u64 number, const std::function<void(SnapshotHeader&)>& change) const {
    std::string all = octets(path(number));
    SnapshotHeader header;
    std::memcpy(&header, all.data(), sizeof header);
    change(header);
    header.crc = header_crc(header);
    std::memcpy(all.data(), &header, sizeof header);
    put(path(number), all);
  }

  TestJournal home;
};

TEST_F(SnapshotTest, OneTakenUnderLoadAndTheJournalBehindItMakeTheSameLedger) {
  Appliance appliance(home.folder);
  appliance.live(300);
  for (u64 number = 1; number <= 8; ++number) {
    ASSERT_EQ(take(appliance, number, number % 4 * 5), SnapshotProgress::finished);
    EXPECT_EQ(fault(number), "");
    appliance.finish();
    expect_recovers(appliance, number, 0);
    appliance.live(number % 3 * 40);
    appliance.finish();
    expect_recovers(appliance, number, 0);
  }
}

TEST_F(SnapshotTest, WhatComesBackIsWholeInAllThatIsDerived) {
  Appliance appliance(home.folder);
  appliance.live(800);
  ASSERT_EQ(take(appliance, 1, 7), SnapshotProgress::finished);
  appliance.live(100);
  appliance.finish();
  const LedgerFixture copy;
  RecoveryReport report;
  ASSERT_EQ(recover(copy, report), "");
  ZeroMemory space(IdentityIndex::footprint(400));
  IdentityIndex index = IdentityIndex::format(space.get(), 400);
  ASSERT_EQ(rebuild_derived(copy.memory, index, test_begin, report), "");
  for (u32 number = 0; number < shard_count; ++number) {
    ASSERT_EQ(check_shard_consistency(Shard(copy.memory, number)), "") << number;
  }
  EXPECT_TRUE(audit(LedgerView(copy.memory), test_begin).is_clean);
}

TEST_F(SnapshotTest, ItIsNotFinishedBeforeAllThatItSawIsOnDisk) {
  Appliance appliance(home.folder);
  appliance.live(200);
  appliance.finish();
  SnapshotWriter writer(home.folder, folder(), 1, appliance.source());
  ASSERT_EQ(writer.step(test_begin), SnapshotProgress::copying);
  // A burst that is open when the copy ends, and entries that nobody packs.
  appliance.burst.begin();
  appliance.workload(0).step(test_begin);
  SnapshotProgress progress = SnapshotProgress::copying;
  while (progress == SnapshotProgress::copying) progress = writer.step(test_begin);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(writer.step(test_begin), SnapshotProgress::settling);
  appliance.burst.commit();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(writer.step(test_begin), SnapshotProgress::settling);
  EXPECT_TRUE(list_snapshots(folder()).empty());
  appliance.finish();
  for (int i = 0; i < 20 && progress == SnapshotProgress::settling; ++i) {
    progress = writer.step(test_begin);
  }
  EXPECT_EQ(progress, SnapshotProgress::finished);
  expect_recovers(appliance, 1, 0);
}

TEST_F(SnapshotTest, ItIsThrownAwayIfABurstWasRolledBack) {
  Appliance appliance(home.folder);
  appliance.live(200);
  appliance.finish();
  SnapshotWriter writer(home.folder, folder(), 1, appliance.source());
  ASSERT_EQ(writer.step(test_begin), SnapshotProgress::copying);
  appliance.ledger.memory.header().rollback_count.fetch_add(1);
  EXPECT_EQ(writer.step(test_begin), SnapshotProgress::abandoned);
  EXPECT_NE(writer.reason().find("core was restarted"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder()) || list_snapshots(folder()).empty());
}

TEST_F(SnapshotTest, KilledAtAnyStepItLeavesTheOlderOne) {
  Appliance appliance(home.folder);
  appliance.live(100);
  ASSERT_EQ(take(appliance, 1, 3), SnapshotProgress::finished);
  appliance.finish();
  bool is_finished = false;
  for (u32 steps = 1; !is_finished; ++steps) {
    {
      SnapshotWriter writer(home.folder, folder(), 2, appliance.source());
      for (u32 i = 0; i < steps && !is_finished; ++i) {
        is_finished = writer.step(test_begin) == SnapshotProgress::finished;
      }
    }
    appliance.live(1);
    appliance.finish();
    expect_recovers(appliance, is_finished ? 2 : 1, 0);
    if (!is_finished && steps > 1) {
      EXPECT_TRUE(fs::exists(path(2) + ".new"));
    }
    tidy_snapshots(folder(), 2);
    EXPECT_FALSE(fs::exists(path(2) + ".new"));
  }
  EXPECT_EQ(list_snapshots(folder()), (std::vector<u64>{1, 2}));
  ASSERT_EQ(take(appliance, 3, 1), SnapshotProgress::finished);
  tidy_snapshots(folder(), 2);
  EXPECT_EQ(list_snapshots(folder()), (std::vector<u64>{2, 3}));
}

TEST_F(SnapshotTest, ADamagedOneIsPassedOverWithAWarning) {
  Appliance appliance(home.folder);
  appliance.live(300);
  ASSERT_EQ(take(appliance, 1, 2), SnapshotProgress::finished);
  ASSERT_EQ(take(appliance, 2, 2), SnapshotProgress::finished);
  appliance.finish();
  const std::string whole = octets(path(2));
  for (u64 at = 0; at < whole.size(); at += at < 200 ? 19 : whole.size() / 31) {
    SnapshotHeader header;
    std::memcpy(&header, whole.data(), sizeof header);
    // Padding is nobody's.
    const auto chunks = plan_chunks(header);
    bool is_read = at < sizeof header;
    for (const ChunkPlan& chunk : chunks) {
      const u64 used = sizeof(ChunkHeader) + chunk.payload_bytes(header.record_bytes[chunk.pool]);
      is_read = is_read || (at >= chunk.offset && at < chunk.offset + used);
    }
    if (!is_read) continue;
    std::string hurt = whole;
    hurt[at] = static_cast<char>(hurt[at] ^ 0x10);
    put(path(2), hurt);
    ASSERT_NE(fault(2), "") << at;
    expect_recovers(appliance, 1, 1);
  }
  for (const u64 bytes : {u64{0}, u64{100}, page_bytes, whole.size() - page_bytes}) {
    put(path(2), whole.substr(0, bytes));
    EXPECT_NE(fault(2).find("cut short"), std::string::npos) << bytes << fault(2);
    expect_recovers(appliance, 1, 1);
  }
  // A piece that lies in a wrong place is whole in itself.
  SnapshotHeader header;
  std::memcpy(&header, whole.data(), sizeof header);
  const auto chunks = plan_chunks(header);
  std::string swapped = whole;
  swapped.replace(chunks[0].offset, page_bytes, whole, chunks[4].offset, page_bytes);
  put(path(2), swapped);
  EXPECT_NE(fault(2).find("is damaged: chunk 0"), std::string::npos) << fault(2);
  // Both are hurt: the journal has all from the beginning.
  fs::resize_file(path(1), 5000);
  expect_recovers(appliance, 0, 2);
  put(path(2), whole);
  expect_recovers(appliance, 2, 0);
}

TEST_F(SnapshotTest, EveryWrongFileIsToldByItsFault) {
  Appliance appliance(home.folder);
  appliance.live(50);
  ASSERT_EQ(take(appliance, 1, 2), SnapshotProgress::finished);
  const std::string whole = octets(path(1));
  const auto told = [&](const std::function<void(SnapshotHeader&)>& change, const char* text) {
    change_header(1, change);
    const std::string why = header_fault(1);
    put(path(1), whole);
    return why.find(text) != std::string::npos ? std::string() : "'" + why + "'";
  };
  using H = SnapshotHeader;
  EXPECT_EQ(told([](H& h) { h.magic = 0; }, "is not a snapshot"), "");
  EXPECT_EQ(told([](H& h) { h.layout = 77; }, "has layout 77"), "");
  EXPECT_EQ(told([](H& h) { h.records_layout = 77; }, "records of layout 77"), "");
  EXPECT_EQ(told([](H& h) { h.appliance ^= 1; }, "another appliance"), "");
  EXPECT_EQ(told([](H& h) { h.number = 9; }, "moved or renamed"), "");
  EXPECT_EQ(told([](H& h) { h.stream_count = 2; }, "2 journal streams, the journal has 1"), "");
  EXPECT_EQ(told([](H& h) { h.record_bytes[0] = 0; }, "records have 0 octets"), "");
  EXPECT_EQ(told([](H& h) { h.shards[0].used_end[0] += 99; }, "contradicts itself"), "");
  EXPECT_EQ(told([](H& h) { h.shards[3].used_end[1] = UINT32_MAX; }, "contradicts itself"), "");
  EXPECT_EQ(header_fault(1), "");
  // One that was made for a larger ledger is told so, and nothing is written outside.
  const LedgerFixture tiny({.accounts = 2, .buckets = 2, .sessions = 2, .extensions = 2});
  SnapshotHeader header;
  ASSERT_EQ(read_snapshot_header(folder(), 1, home.folder, header), "");
  EXPECT_NE(load_snapshot(folder(), header, tiny.memory, [](u64, u64) {}).find("has room for 2"),
            std::string::npos);
}

TEST_F(SnapshotTest, TheJournalBeforeItIsNotNeededAndTheJournalBehindItIs) {
  Appliance appliance(home.folder);
  while (appliance.journal.current_segment.load() < 2) appliance.live(200);
  ASSERT_EQ(take(appliance, 1, 5), SnapshotProgress::finished);
  while (appliance.journal.current_segment.load() < 3) appliance.live(200);
  ASSERT_EQ(take(appliance, 2, 5), SnapshotProgress::finished);
  appliance.live(20);
  appliance.finish();
  SnapshotHeader header;
  ASSERT_EQ(read_snapshot_header(folder(), 2, home.folder, header), "");
  fs::remove(segment_path(folder(), 0, 1));
  expect_recovers(appliance, 2, 0);
  fs::rename(path(2), folder() + "/away");
  expect_recovers(appliance, 1, 0);
  // Neither a snapshot nor the beginning: refused, and said what is missing.
  fs::rename(path(1), folder() + "/away1");
  const LedgerFixture copy;
  RecoveryReport report;
  EXPECT_NE(recover(copy, report).find("begins with segment 2, and there is no whole snapshot"),
            std::string::npos);
  // A journal that ends before the snapshot had seen it end has lost something.
  fs::rename(folder() + "/away", path(2));
  const u64 segment = header.streams[0].segment_number;
  const int fd = ::open(segment_path(folder(), 0, segment).c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const std::vector<u8> zeros(home.folder.segment_bytes - header.streams[0].offset);
  ASSERT_GT(::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(header.streams[0].offset)),
            0);
  ::close(fd);
  for (u64 number = segment + 1; number < segment + 3; ++number) {
    fs::remove(segment_path(folder(), 0, number));
  }
  const LedgerFixture other;
  RecoveryReport refused;
  const std::string why = recover(other, refused);
  EXPECT_NE(
      why.find(fmt::format("group {} should be in segment {} at offset {} and is not, but "
                           "snapshot 2 was taken",
                           header.streams[0].next_sequence, segment, header.streams[0].offset)),
      std::string::npos)
      << why;
}

}  // namespace
}  // namespace tollgate::ledger
