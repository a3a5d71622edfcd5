// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/shared_memory.hh"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tollgate {
namespace {

class SegmentTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/dev/shm/tollgate-segment-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    folder_ = path;
  }
  void TearDown() override {
    Segment::remove(folder_, "accounts");
    rmdir(folder_.c_str());
  }
  Segment::Options options(u64 bytes, u32 layout) const {
    return {.folder = folder_, .name = "accounts", .bytes = bytes, .layout = layout};
  }
  std::string folder_;
};

TEST_F(SegmentTest, OutlivesItsMakerAndIsJoined) {
  {
    Segment segment;
    ASSERT_EQ(segment.create(options(100'000, 3)), "");
    *segment.at<u64>(99'992) = 42;
    segment.seal();
  }
  Segment reader;
  ASSERT_EQ(reader.join(options(100'000, 3), Access::read), "");
  EXPECT_EQ(*reader.at<u64>(99'992), 42U);
  Segment writer;
  ASSERT_EQ(writer.join(options(0, 3), Access::read_write), "");
  *writer.at<u64>(0) = 7;
  EXPECT_EQ(*reader.at<u64>(0), 7U);
}

TEST_F(SegmentTest, TellsWhyItCannotBeJoined) {
  Segment none;
  EXPECT_NE(none.join(options(0, 3), Access::read).find("is the appliance running"),
            std::string::npos);
  Segment segment;
  ASSERT_EQ(segment.create(options(100, 3)), "");
  Segment early;
  EXPECT_NE(early.join(options(0, 3), Access::read).find("not a finished"), std::string::npos);
  segment.seal();
  Segment other;
  EXPECT_NE(other.join(options(0, 4), Access::read).find("layout 3"), std::string::npos);
  EXPECT_NE(other.join(options(200, 3), Access::read).find("200 were expected"), std::string::npos);
  EXPECT_FALSE(other.is_mapped());
}

}  // namespace
}  // namespace tollgate
