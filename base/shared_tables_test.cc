// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What lies in a segment and is found by name: links and counters; and the blob that is swapped
// whole.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/counters.hh"
#include "base/link_table.hh"
#include "base/status_table.hh"
#include "base/versioned_blob.hh"

namespace tollgate {
namespace {

class SharedTablesTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/dev/shm/tollgate-tables-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    folder_ = path;
  }
  void TearDown() override {
    Segment::remove(folder_, "table");
    rmdir(folder_.c_str());
  }
  void make(u64 bytes) {
    ASSERT_EQ(segment_.create({.folder = folder_, .name = "table", .bytes = bytes, .layout = 1}),
              "");
    segment_.seal();
  }
  std::string folder_;
  Segment segment_;
};

TEST_F(SharedTablesTest, LinksAreFoundByNameAndDoNotOverlap) {
  const std::vector<LinkSpec> links = {{"net0_charge0", 4096, ""}, {"charge0_journal0", 1024, ""}};
  make(link_table_footprint(links));
  format_link_table(segment_, links);
  EXPECT_EQ(find_link(segment_, "net1_charge0"), nullptr);
  for (const LinkSpec& link : links) {
    LinkProducer producer(find_link(segment_, link.name));
    while (!producer.reserve(100).empty()) producer.commit(100);
    producer.publish();
  }
  for (const LinkState& state : read_link_states(segment_)) {
    EXPECT_GT(state.waiting_bytes, state.capacity_bytes / 2);
    EXPECT_EQ(state.full_count, 1U);
    LinkConsumer consumer(find_link(segment_, state.name));
    Bytes frame;
    while (consumer.next(frame)) EXPECT_EQ(frame.size(), 100U);
  }
}

TEST_F(SharedTablesTest, CountersCarryTheirNames) {
  static constexpr CounterName net[] = {{"frames", "frames seen"}, {"drops", "frames dropped"}};
  static constexpr CounterName charge[] = {{"requests", "requests charged"}};
  const std::vector<CounterBlockSpec> blocks = {{"net0", net}, {"charge0", charge}};
  make(counters_footprint(blocks));
  format_counters(segment_, blocks);
  find_counters(segment_, "net0")[1] = 7;
  find_counters(segment_, "charge0")[0] = 9;
  EXPECT_TRUE(find_counters(segment_, "net1").empty());
  const auto read = read_counters(segment_);
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].values[1].name, "drops");
  EXPECT_EQ(read[0].values[1].sentence, "frames dropped");
  EXPECT_EQ(read[0].values[1].value, 7U);
  EXPECT_EQ(read[1].values[0].value, 9U);
}

TEST_F(SharedTablesTest, StatusRowsComeAndGo) {
  make(StatusTable::footprint(3));
  StatusTable table = StatusTable::format(segment_.data(), 3,
                                          {.texts = {"host", "state"}, .numbers = {"requests"}});
  EXPECT_TRUE(table.read().empty());
  const std::string long_name(300, 'x');
  table.write(2, {.texts = {"a.example", "open"}, .numbers = {7}});
  table.write(0, {.texts = {long_name, "closing"}, .numbers = {8}});
  const StatusTable reader(segment_.data());
  EXPECT_EQ(reader.columns().texts, (std::vector<std::string>{"host", "state"}));
  EXPECT_EQ(reader.columns().numbers, (std::vector<std::string>{"requests"}));
  auto rows = reader.read();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].number, 0U);
  EXPECT_EQ(rows[0].texts[0], long_name.substr(0, StatusTable::text_bytes_max));
  EXPECT_EQ(rows[1].texts[1], "open");
  EXPECT_EQ(rows[1].numbers, (std::vector<u64>{7}));
  table.clear(0);
  EXPECT_EQ(reader.read().size(), 1U);
}

TEST_F(SharedTablesTest, ABlobIsSwappedWholeAndOldVersionsStayAWhile) {
  make(VersionedBlob::footprint(10'000));
  VersionedBlob* blob = VersionedBlob::format(segment_.data(), 10'000);
  EXPECT_EQ(blob->current_version(), 0U);
  EXPECT_TRUE(blob->read(0).empty());
  for (u32 version = 1; version <= 6; ++version) {
    const std::vector<u8> data(1000 * version, static_cast<u8>(version));
    EXPECT_EQ(blob->publish(data), version);
  }
  EXPECT_EQ(blob->publish(std::vector<u8>(20'000)), 0U);
  EXPECT_EQ(blob->current_version(), 6U);
  for (u32 version = 3; version <= 6; ++version) {
    ASSERT_EQ(blob->read(version).size(), 1000U * version);
    EXPECT_EQ(blob->read(version)[999], version);
  }
  EXPECT_TRUE(blob->read(2).empty());
  EXPECT_TRUE(blob->read(7).empty());
}

}  // namespace
}  // namespace tollgate
