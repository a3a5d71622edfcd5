// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the tests of recovery and of snapshots share: a journal folder that goes with the test, and
// a ledger with life in it whose entries go through the real writer to real files.
#pragma once

#include <filesystem>
#include <optional>

#include "ledger/journal_fixture.hh"
#include "ledger/snapshot_writer.hh"

namespace tollgate::ledger {

struct TestJournal {
  explicit TestJournal(u32 stream_count = 1) {
    std::string path = (std::filesystem::current_path() / "journal-test-XXXXXX").string();
    check(::mkdtemp(path.data()) != nullptr, "a folder for the test");
    folder = {.path = path, .appliance = 0, .stream_count = stream_count, .segment_bytes = 8_MiB};
    EXPECT_EQ(folder.open_or_create(), "");
  }
  ~TestJournal() { std::filesystem::remove_all(folder.path); }
  TestJournal(const TestJournal&) = delete;
  TestJournal& operator=(const TestJournal&) = delete;

  JournalFolder folder;
};

// A ledger with life in it, whose entries go through the real writer to the real files.
class Appliance {
 public:
  explicit Appliance(const JournalFolder& folder, const JournalPosition& position = {})
      : keeper_(folder, 0, 1),
        space_(sizeof(JournalMemory)),
        journal(*JournalMemory::format(space_.get(), {.appliance = folder.appliance,
                                                      .stream = 0,
                                                      .segment_bytes = folder.segment_bytes,
                                                      .position = position})),
        burst(ledger.undo, ledger.memory.base(), ledger.producer) {
    std::string error;
    storage_ = IoUringStorage::create(folder.path, 0, error);
    EXPECT_EQ(error, "");
    EXPECT_EQ(keeper_.keep_ahead(position.segment_number), "");
  }
  void begin_writing() {
    writer_.emplace(journal, *storage_, std::vector{LinkConsumer(ledger.link)}, counters);
  }
  void live(u64 operations, u64 shards = 4) {
    if (!writer_) begin_writing();
    while (shards_.size() < shards) {
      const u32 number = static_cast<u32>(shards_.size());
      shards_.push_back(std::make_unique<Shard>(ledger.memory, number * 7));
      shards_.back()->rebuild(test_begin);
      workloads_.push_back(std::make_unique<Workload>(burst, *shards_.back(), number));
    }
    for (u64 i = 0; i < operations; ++i) {
      while (!burst.has_room(32 * 1024)) poll();
      burst.begin();
      for (int k = 0; k < 3; ++k) workloads_[i % shards]->step(test_begin + Duration::seconds(1));
      burst.commit();
      poll();
    }
  }
  void poll() {
    writer_->poll(read_tsc(), test_begin, [&](AnswerTag, Bytes) { return ++answers > 0; });
    EXPECT_EQ(keeper_.keep_ahead(journal.current_segment.load()), "");
    if (journal.has_room.load() == 0) writer_->housekeep();
  }
  SnapshotSource source() {
    return {.ledger = ledger.memory,
            .tiles = {{.undo = &ledger.undo, .journal_link = ledger.link, .stream = 0}},
            .streams = {&journal}};
  }
  void seal() {
    while (!writer_->seal(read_tsc(), test_begin)) poll();
  }
  Workload& workload(u32 number) { return *workloads_[number]; }
  void finish() {
    // However long the disk takes on a busy machine.
    for (int i = 0; i < 1'000'000 && !writer_->is_idle(); ++i) {
      poll();
      if (i > 1000) ::usleep(50);
    }
    EXPECT_TRUE(writer_->is_idle());
  }

 private:
  SegmentKeeper keeper_;
  ZeroMemory space_;
  std::unique_ptr<IoUringStorage> storage_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Workload>> workloads_;

 public:
  LedgerFixture ledger;
  JournalMemory& journal;
  Burst burst;
  JournalCounters counters{};
  u64 answers = 0;

 private:
  std::optional<JournalWriter> writer_;
};

}  // namespace tollgate::ledger
