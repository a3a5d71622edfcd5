// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// From operations over the writer, the kernel's ring and real files back into another memory, and
// every way in which such files can be hurt.

#include "ledger/recovery.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "ledger/appliance_fixture.hh"
#include "ledger/audit.hh"

namespace tollgate::ledger {
namespace {

namespace fs = std::filesystem;

class RecoveryTest : public testing::Test {
 protected:
  std::string path(u64 number) const { return segment_path(folder.path, 0, number); }
  std::vector<u8> octets(u64 number) const {
    std::vector<u8> all(fs::file_size(path(number)));
    std::ifstream in(path(number), std::ios::binary);
    in.read(reinterpret_cast<char*>(all.data()), static_cast<std::streamsize>(all.size()));
    return all;
  }
  void put(u64 number, u64 offset, Bytes bytes) const {
    const int fd = ::open(path(number).c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }
  // Groups by hand, each of one entry; returns where each begins.
  std::vector<u64> write_groups(const std::vector<GroupTerms>& groups, u64 filling_words = 0) {
    EXPECT_EQ(make_segment(folder, 0, 1), "");
    std::vector<u64> offsets;
    u64 offset = page_bytes;
    u64 hash = 0;
    for (const GroupTerms& terms : groups) {
      const std::vector<u8> pages = make_group(
          terms, folder.appliance, make_entry(terms.sequence, terms.sequence, filling_words), hash);
      put(1, offset, pages);
      offsets.push_back(offset);
      offset += pages.size();
    }
    return offsets;
  }
  // How many groups are read, and why the end is refused.
  std::pair<u64, std::string> read() const {
    JournalReader reader(folder, 0, {});
    Group group;
    u64 count = 0;
    ReadOutcome outcome = reader.next(group);
    for (; outcome == ReadOutcome::group; outcome = reader.next(group)) ++count;
    if (outcome == ReadOutcome::failure) return {count, reader.error()};
    return {count, reader.verify_end()};
  }
  std::string recover(const LedgerFixture& into, RecoveryReport& report) const {
    RecoveryStart start;
    start.positions.resize(1);
    return replay_journal(folder, start, into.memory, report, [](const RecoveryStep&) {});
  }

  TestJournal home;
  JournalFolder& folder = home.folder;
};

TEST_F(RecoveryTest, ReplayMakesTheSameLedgerByteForByte) {
  Appliance appliance(folder);
  appliance.live(1500);
  appliance.finish();
  EXPECT_EQ(appliance.answers, appliance.counters.answers_released);
  EXPECT_GT(appliance.answers, 1000U);
  LedgerFixture copy;
  RecoveryReport report;
  ASSERT_EQ(recover(copy, report), "");
  EXPECT_TRUE(journaled_words(copy.memory) == journaled_words(appliance.ledger.memory));
  EXPECT_EQ(report.positions[0].next_sequence, appliance.journal.position.next_sequence);
  EXPECT_EQ(report.positions[0].offset, appliance.journal.position.offset);
  EXPECT_EQ(report.positions[0].previous_hash, appliance.journal.position.previous_hash);
  ZeroMemory space(IdentityIndex::footprint(100));
  IdentityIndex index = IdentityIndex::format(space.get(), 100);
  ASSERT_EQ(rebuild_derived(copy.memory, index, test_begin, report), "");
  for (u32 number = 0; number < shard_count; ++number) {
    ASSERT_EQ(check_shard_consistency(Shard(copy.memory, number)), "") << number;
  }
  EXPECT_TRUE(audit(LedgerView(copy.memory), test_begin).is_clean);
  EXPECT_TRUE(report.warnings.empty());
  // Twice is as good as once.
  EXPECT_EQ(recover(copy, report), "");
}

TEST_F(RecoveryTest, AStreamGoesOnOverManySegments) {
  Appliance appliance(folder);
  while (appliance.journal.current_segment.load() < 4) appliance.live(200);
  appliance.finish();
  LedgerFixture copy;
  RecoveryReport report;
  ASSERT_EQ(recover(copy, report), "");
  EXPECT_TRUE(journaled_words(copy.memory) == journaled_words(appliance.ledger.memory));
  EXPECT_GE(report.positions[0].segment_number, 4U);
  // One of them gone is damage, wherever the reader stands when it finds out.
  for (const u64 gone : {1, 2, 3}) {
    fs::rename(path(gone), folder.path + "/away");
    const LedgerFixture other;
    RecoveryReport refused;
    const std::string why = recover(other, refused);
    EXPECT_NE(why.find("damaged"), std::string::npos) << gone << ": " << why;
    fs::rename(folder.path + "/away", path(gone));
  }
}

TEST_F(RecoveryTest, ATornTailIsCutAtEveryBlock) {
  const std::vector<u64> offsets = write_groups({{1, 0}, {2, 1}, {3, 2}, {4, 3}}, 1200);
  const std::vector<u8> whole = octets(1);
  EXPECT_EQ(read(), std::make_pair(u64{4}, std::string()));
  const u64 end = offsets[3] + sizeof(GroupHeader) + make_entry(4, 4, 1200).size();
  const std::vector<u8> zeros(3 * page_bytes);
  std::vector<u8> pages(whole.begin() + static_cast<std::ptrdiff_t>(offsets[3]),
                        whole.begin() + static_cast<std::ptrdiff_t>(offsets[3] + 3 * page_bytes));
  std::fill(pages.begin() + static_cast<std::ptrdiff_t>(end - offsets[3] - 9600), pages.end(), 7);
  for (u64 cut = 0; offsets[3] + cut < end; cut += 512) {
    put(1, offsets[3], Bytes(whole).subspan(offsets[3], 3 * page_bytes));
    put(1, offsets[3] + cut, Bytes(pages).subspan(cut));  // what an older life had left there
    if (cut == 0) put(1, offsets[3], zeros);
    const auto [count, why] = read();
    ASSERT_EQ(why, "") << cut;
    ASSERT_LE(count, 4U);
    if (count == 4) {
      ASSERT_EQ(
          std::memcmp(octets(1).data() + offsets[3], whole.data() + offsets[3], end - offsets[3]),
          0)
          << cut;
    } else {
      ASSERT_EQ(count, 3U) << cut;
    }
  }
}

// A write is torn in the middle of a running appliance; recovery gives the state before it, writing
// goes on behind it, and the old tail stays dead.
TEST_F(RecoveryTest, AfterACutTheOldTailDoesNotComeBack) {
  JournalPosition torn;
  {
    Appliance appliance(folder);
    appliance.live(60);
    appliance.finish();
    torn = appliance.journal.position;
  }
  // What four writes in flight leave: one is missing, the three behind it are whole.
  u64 hash = torn.previous_hash;
  u64 offset = torn.offset;
  for (u64 i = 0; i < 4; ++i) {
    const std::vector<u8> pages = make_group({torn.next_sequence + i, torn.next_sequence - 1},
                                             folder.appliance, make_entry(99, 99), hash);
    if (i != 0) put(1, offset, pages);
    offset += pages.size();
  }
  LedgerFixture prefix;
  RecoveryReport report;
  ASSERT_EQ(recover(prefix, report), "");
  EXPECT_EQ(report.positions[0].next_sequence, torn.next_sequence);
  EXPECT_EQ(report.positions[0].offset, torn.offset);
  // The next life writes one small group into the gap, and dies.
  hash = torn.previous_hash;
  const u64 next_entry = Shard(prefix.memory, 1).header().sequence + 1;
  put(1, torn.offset,
      make_group({torn.next_sequence, torn.next_sequence - 1}, folder.appliance,
                 make_entry(next_entry, 1), hash));
  const LedgerFixture again;
  RecoveryReport second;
  ASSERT_EQ(recover(again, second), "");
  EXPECT_EQ(second.positions[0].next_sequence, torn.next_sequence + 1);
  EXPECT_EQ(second.entry_count, report.entry_count + 1);
}

TEST_F(RecoveryTest, AGapIsTornUnlessALaterGroupSaysItWasDurable) {
  // Four in flight behind group 2: 3 is missing. None of the others may say that 3 was durable.
  std::vector<u64> offsets = write_groups({{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 2}, {6, 2}});
  const std::vector<u8> zeros(page_bytes);
  put(1, offsets[2], zeros);
  EXPECT_EQ(read(), std::make_pair(u64{2}, std::string()));

  // One that says so is proof, be it the next or far behind.
  offsets = write_groups({{1, 0}, {2, 1}, {3, 2}, {4, 3}});
  put(1, offsets[2], zeros);
  auto [count, why] = read();
  EXPECT_EQ(count, 2U);
  EXPECT_NE(why.find(fmt::format("stream 0 is damaged: group 3 should be in segment 1 at offset {}",
                                 offsets[2])),
            std::string::npos)
      << why;
  offsets = write_groups({{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 2}, {6, 2}, {7, 3}});
  put(1, offsets[2], zeros);
  EXPECT_NE(read().second.find("group 7 in segment 1"), std::string::npos);

  // Also in a segment behind.
  offsets = write_groups({{1, 0}, {2, 1}, {3, 2}});
  put(1, offsets[2], zeros);
  ASSERT_EQ(make_segment(folder, 0, 2), "");
  u64 hash = 1;
  put(2, 5 * page_bytes, make_group({9, 3}, folder.appliance, make_entry(9, 9), hash));
  EXPECT_NE(read().second.find("group 9 in segment 2"), std::string::npos);
  // What an older life left there proves nothing: it knew less.
  put(2, 5 * page_bytes, make_group({9, 2}, folder.appliance, make_entry(9, 9), hash));
  EXPECT_EQ(read().second, "");
}

// A disk that writes to another place may choose the one where the next segment begins.
TEST_F(RecoveryTest, AGroupThatWentAstrayToTheNextSegmentHidesNothing) {
  const std::vector<u64> offsets = write_groups({{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 4}});
  const std::vector<u8> before = octets(1);
  ASSERT_EQ(make_segment(folder, 0, 2), "");
  put(2, page_bytes, Bytes(before).subspan(offsets[2], page_bytes));
  put(1, offsets[2], std::vector<u8>(page_bytes));
  const auto [count, why] = read();
  EXPECT_EQ(count, 3U);
  EXPECT_NE(why.find("group 4 should be in segment 2"), std::string::npos) << why;
  EXPECT_NE(why.find("group 5 in segment 1"), std::string::npos) << why;
}

TEST_F(RecoveryTest, DamageInTheMiddleIsRefusedAndNothingIsTouched) {
  const std::vector<u64> offsets = write_groups({{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 4}}, 20);
  const u64 used = sizeof(GroupHeader) + make_entry(1, 1, 20).size();
  const LedgerFixture into;
  for (u64 at = 0; at < used; at += at < sizeof(GroupHeader) ? 1 : 5) {
    const u64 offset = offsets[1] + at;
    const std::vector<u8> before = octets(1);
    const u8 flipped = static_cast<u8>(before[offset] ^ 1U << at % 8);
    put(1, offset, {&flipped, 1});
    const std::vector<u8> damaged = octets(1);
    RecoveryReport report;
    const std::string why = recover(into, report);
    ASSERT_NE(why.find(fmt::format("stream 0 is damaged: group 2 should be in segment 1 at offset "
                                   "{}",
                                   offsets[1])),
              std::string::npos)
        << at << why;
    ASSERT_TRUE(octets(1) == damaged) << "the files are as they were";
    put(1, offset, {&before[offset], 1});
  }
  EXPECT_EQ(read(), std::make_pair(u64{5}, std::string()));
}

TEST_F(RecoveryTest, EveryWrongFileIsToldByItsFault) {
  write_groups({{1, 0}});
  const std::vector<u8> good = octets(1);
  const auto fault = [&] { return read().second; };
  const auto change_header = [&](auto change, bool with_crc) {
    SegmentHeader header;
    std::memcpy(&header, good.data(), sizeof header);
    change(header);
    const Bytes bytes(reinterpret_cast<const u8*>(&header), sizeof header);
    if (with_crc) header.crc = crc32c(bytes.first(offsetof(SegmentHeader, crc)));
    put(1, 0, bytes);
    const std::string why = fault();
    put(1, 0, Bytes(good).first(sizeof header));
    return why;
  };
  using H = SegmentHeader;
  const auto has = [](const std::string& why, const char* text) {
    return why.find(text) != std::string::npos ? std::string() : "'" + why + "'";
  };
  EXPECT_EQ(has(change_header([](H& h) { h.magic = 0; }, true), "is not a journal segment"), "");
  EXPECT_EQ(has(change_header([](H& h) { h.layout = 77; }, true), "has layout 77"), "");
  EXPECT_EQ(has(change_header([](H& h) { h.bytes = 1; }, false), "the header of"), "");
  EXPECT_EQ(has(change_header([](H& h) { h.appliance ^= 1; }, true), "another appliance"), "");
  EXPECT_EQ(has(change_header([](H& h) { h.number = 5; }, true), "moved or renamed"), "");
  EXPECT_EQ(has(change_header([](H& h) { h.bytes = 9_MiB; }, true), "says of itself"), "");
  fs::resize_file(path(1), 5_MiB);
  EXPECT_EQ(has(fault(), "is cut short: it has 5242880 octets of 8388608"), "");
  fs::resize_file(path(1), 10);
  EXPECT_EQ(has(fault(), "is cut short"), "");
  fs::remove(path(1));
  fs::create_directory(path(1));
  EXPECT_NE(fault(), "") << "what cannot be read is not the end";
}

TEST_F(RecoveryTest, AnEntryThatWasPackedTwiceCountsOnce) {
  ASSERT_EQ(make_segment(folder, 0, 1), "");
  std::vector<u8> payload;
  for (const u64 sequence : {1, 2, 1, 2, 3, 0, 3}) {
    const std::vector<u8> entry = make_entry(sequence, sequence);
    payload.insert(payload.end(), entry.begin(), entry.end());
  }
  u64 hash = 0;
  put(1, page_bytes, make_group({1, 0}, folder.appliance, payload, hash));
  const LedgerFixture into;
  RecoveryReport report;
  EXPECT_EQ(recover(into, report), "");
  EXPECT_EQ(Shard(into.memory, 1).header().sequence, 3U);
}

TEST_F(RecoveryTest, AnEntryThatIsMissingIsRefusedWithItsPlace) {
  ASSERT_EQ(make_segment(folder, 0, 1), "");
  u64 hash = 0;
  put(1, page_bytes, make_group({1, 0}, folder.appliance, make_entry(2, 2), hash));
  const LedgerFixture into;
  RecoveryReport report;
  EXPECT_EQ(recover(into, report),
            "stream 0 segment 1 offset 4096: shard 1 jumps from entry 0 to entry 2");
}

TEST_F(RecoveryTest, AnEmptyFolderIsAnEmptyLedger) {
  EXPECT_EQ(read(), std::make_pair(u64{0}, std::string()));
  ASSERT_EQ(make_segment(folder, 0, 1), "");
  EXPECT_EQ(read(), std::make_pair(u64{0}, std::string()));
}

TEST_F(RecoveryTest, AFollowerStopsAtItsLimitAndMissesNothingBelowIt) {
  const std::vector<u64> offsets = write_groups({{1, 0}, {2, 1}, {3, 2}});
  JournalReader reader(folder, 0, {});
  Group group;
  reader.set_limit(2);
  EXPECT_EQ(reader.next(group), ReadOutcome::group);
  EXPECT_EQ(reader.next(group), ReadOutcome::group);
  EXPECT_EQ(reader.next(group), ReadOutcome::end);
  u64 hash = reader.position().previous_hash;
  put(1, offsets[2], make_group({3, 2}, folder.appliance, make_entry(3, 33), hash));
  reader.set_limit(3);
  ASSERT_EQ(reader.next(group), ReadOutcome::group) << "what the window knew is old";
  EXPECT_EQ(group.header.sequence, 3U);
  reader.set_limit(4);
  EXPECT_EQ(reader.next(group), ReadOutcome::failure) << "4 is said to be on disk";
  EXPECT_NE(reader.error().find("group 4 is on disk and should be"), std::string::npos);
}

TEST_F(RecoveryTest, AFolderKeepsItsIdentity) {
  JournalFolder again = {.path = folder.path, .stream_count = 1, .segment_bytes = 8_MiB};
  EXPECT_EQ(again.open_or_create(), "");
  EXPECT_EQ(again.appliance, folder.appliance);
  again.segment_bytes = 16_MiB;
  EXPECT_NE(again.open_or_create().find("1 streams of 8 MiB"), std::string::npos);
  JournalFolder none = {.path = folder.path + "/none"};
  EXPECT_NE(none.open().find("is not a journal folder"), std::string::npos);
}

TEST_F(RecoveryTest, TheKeeperFillsWhatIsMissingAheadAndFreesWhatIsBehind) {
  SegmentKeeper keeper(folder, 0, 2);
  ASSERT_EQ(keeper.keep_ahead(1), "");
  EXPECT_EQ(list_segments(folder.path, 0), (std::vector<u64>{1, 2, 3}));
  ASSERT_EQ(keeper.keep_ahead(4), "");
  keeper.free_below(4);
  EXPECT_EQ(list_segments(folder.path, 0), (std::vector<u64>{2, 3, 4, 5, 6}));
  for (const u64 number : {2, 3, 4, 5}) fs::remove(path(number));
  SegmentKeeper other(folder, 0, 2);
  ASSERT_EQ(other.keep_ahead(4), "");
  EXPECT_EQ(list_segments(folder.path, 0), (std::vector<u64>{4, 5, 6}));
}

// A segment in its second life has groups of the first behind what it was given since: they are
// neither read nor taken for proof of anything.
TEST_F(RecoveryTest, SegmentsAreUsedAgainAndTheirOlderLifeIsDead) {
  Appliance appliance(folder);
  while (appliance.journal.current_segment.load() < 3) appliance.live(200);
  SegmentKeeper keeper(folder, 0, 2);
  ASSERT_EQ(keeper.keep_ahead(2), "");
  keeper.free_below(3);
  EXPECT_EQ(list_segments(folder.path, 0), (std::vector<u64>{1, 2, 3, 4}));
  const JournalPosition from = appliance.journal.position;
  ASSERT_EQ(keeper.keep_ahead(4), "");
  EXPECT_EQ(list_segments(folder.path, 0), (std::vector<u64>{3, 4, 5, 6}));
  while (appliance.journal.current_segment.load() < 5) appliance.live(200);
  appliance.live(20);
  appliance.finish();
  JournalReader reader(folder, 0, from);
  Group group;
  ReadOutcome outcome = reader.next(group);
  while (outcome == ReadOutcome::group) outcome = reader.next(group);
  EXPECT_EQ(outcome, ReadOutcome::end) << reader.error();
  EXPECT_EQ(reader.position().next_sequence, appliance.journal.position.next_sequence);
  EXPECT_EQ(reader.verify_end(), "");
  // Killed half way, its file is no segment's.
  fs::rename(path(4), path(7) + ".new");
  ASSERT_EQ(keeper.keep_ahead(5), "");
  EXPECT_EQ(list_segments(folder.path, 0), (std::vector<u64>{3, 5, 6, 7}));
}

TEST_F(RecoveryTest, DamageToTheLastGroupsOfASealedStreamIsNoTornTail) {
  JournalPosition last;
  JournalPosition sealed;
  Appliance appliance(folder);
  appliance.live(30);
  appliance.finish();
  last = appliance.journal.position;
  appliance.live(1);
  appliance.finish();
  const u64 groups = read().first;
  const std::vector<u8> zeros(page_bytes);
  const std::vector<u8> before = octets(1);
  put(1, last.offset, zeros);
  EXPECT_EQ(read().second, "") << "nobody knows whether it had been durable";
  put(1, last.offset, Bytes(before).subspan(last.offset, page_bytes));
  appliance.seal();
  sealed = appliance.journal.position;
  EXPECT_EQ(read(), std::make_pair(groups + 1, std::string()));
  appliance.seal();
  EXPECT_EQ(appliance.journal.position.next_sequence, sealed.next_sequence) << "once is enough";
  put(1, last.offset, zeros);
  EXPECT_NE(read().second.find(fmt::format("group {} should be in segment 1 at offset {}",
                                           last.next_sequence, last.offset)),
            std::string::npos);
  put(1, last.offset, Bytes(before).subspan(last.offset, page_bytes));
  put(1, sealed.offset - page_bytes, zeros);
  EXPECT_EQ(read(), std::make_pair(groups, std::string())) << "the seal itself may be torn";
}

// The number of charge tiles was changed: the entries of a shard go on in another stream.
class RecoveryOfStreamsTest : public ::testing::Test {
 protected:
  // A group for each entry of shard 1.
  void put_stream(u32 stream, const std::vector<u64>& sequences) {
    const JournalFolder& folder = home_.folder;
    ASSERT_EQ(make_segment(folder, stream, 1), "");
    const int fd = ::open(segment_path(folder.path, stream, 1).c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    u64 hash = 0;
    u64 offset = page_bytes;
    for (u64 i = 0; i < sequences.size(); ++i) {
      std::vector<u8> pages =
          make_group({i + 1, i}, folder.appliance, make_entry(sequences[i], sequences[i]), hash);
      GroupHeader header;
      std::memcpy(&header, pages.data(), sizeof header);
      header.stream = static_cast<u16>(stream);
      const Bytes octets(reinterpret_cast<const u8*>(&header), sizeof header);
      header.header_crc = crc32c(octets.first(offsetof(GroupHeader, header_crc)));
      hash = hash64(octets);
      std::memcpy(pages.data(), &header, sizeof header);
      ASSERT_GT(::pwrite(fd, pages.data(), pages.size(), static_cast<off_t>(offset)), 0);
      offset += pages.size();
    }
    ::close(fd);
  }

  std::string replay() {
    RecoveryStart start;
    start.positions.resize(2);
    return replay_journal(home_.folder, start, into_.memory, report_, [](const RecoveryStep&) {});
  }
  u64 sequence() const { return Shard(into_.memory, 1).header().sequence; }

  TestJournal home_{2};
  LedgerFixture into_;
  RecoveryReport report_;
};

TEST_F(RecoveryOfStreamsTest, AShardMayGoOnInAnotherStream) {
  put_stream(0, {3, 4});
  put_stream(1, {1, 2, 5});
  EXPECT_EQ(replay(), "");
  EXPECT_EQ(sequence(), 5U);
  EXPECT_EQ(report_.entry_count, 5U);
  EXPECT_EQ(report_.positions[0].next_sequence, 3U);
  EXPECT_EQ(report_.positions[1].next_sequence, 4U);
}

// More groups stand behind the one that waits than are read ahead, and as many before the one that
// it waits for.
TEST_F(RecoveryOfStreamsTest, AStreamMayWaitLongerThanItIsReadAhead) {
  std::vector<u64> first(100, 1);
  first.push_back(2);
  std::vector<u64> second;
  for (u64 i = 3; i <= 100; ++i) second.push_back(i);
  put_stream(0, second);
  put_stream(1, first);
  EXPECT_EQ(replay(), "");
  EXPECT_EQ(sequence(), 100U);
}

TEST_F(RecoveryOfStreamsTest, StreamsThatWaitForEachOtherForEverAreRefused) {
  std::vector<u64> first = {1, 4};
  std::vector<u64> second = {6, 3};
  for (u64 i = 0; i < 100; ++i) {
    first.push_back(8 + i);
    second.push_back(8 + i);
  }
  put_stream(0, first);
  put_stream(1, second);
  EXPECT_NE(replay().find("shard 1 jumps from entry 1 to entry"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::ledger
