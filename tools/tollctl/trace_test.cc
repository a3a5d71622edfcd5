// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/trace.hh"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "control/protocol.hh"
#include "control/trace_record.hh"
#include "diameter/wire.hh"

namespace tollgate::tollctl {
namespace {

using Octets = std::vector<u8>;

class TraceTest : public testing::Test {
 protected:
  TraceTest() {
    std::string folder = "/tmp/tollctl-trace-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder + "/a.pcap";
  }
  ~TraceTest() override { std::filesystem::remove_all(folder_); }

  Octets file() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_;
  std::string path_;
};

u32 load_little(const Octets& octets, std::size_t at) {
  u32 value = 0;
  std::memcpy(&value, octets.data() + at, sizeof value);
  return value;
}

u16 folded_sum(Bytes octets, u64 sum) {
  for (std::size_t i = 0; i < octets.size(); ++i) sum += u64{octets[i]} << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

PcapFile::Message message(const char* from, const char* to, const Octets& octets) {
  PcapFile::Message one{
      .at = Instant{1'795'000'000'123'456'789}, .octets = octets, .whole_bytes = octets.size()};
  EXPECT_TRUE(dataplane::parse(from, 0, one.from));
  EXPECT_TRUE(dataplane::parse(to, 0, one.to));
  return one;
}

TEST_F(TraceTest, frames_are_whole_and_their_checksums_right) {
  const Octets octets = {1, 2, 3, 4, 5};  // odd: the checksum's last octet stands alone
  {
    PcapFile pcap(path_);
    pcap.write(message("198.18.0.2:40000", "198.18.0.1:3868", octets));
  }
  const Octets all = file();
  ASSERT_EQ(all.size(), 24u + 16 + 14 + 20 + 20 + 5);
  EXPECT_EQ(load_little(all, 0), 0xa1b23c4du);
  EXPECT_EQ(load_little(all, 24), 1'795'000'000u);
  EXPECT_EQ(load_little(all, 28), 123'456'789u);
  EXPECT_EQ(load_little(all, 32), 59u);
  const Bytes ip = Bytes(all).subspan(54, 20);
  EXPECT_EQ(folded_sum(ip, 0), 0xffff);
  const Bytes tcp = Bytes(all).subspan(74);
  EXPECT_EQ(folded_sum(tcp, folded_sum(ip.subspan(12, 8), 6 + tcp.size())), 0xffff);
  struct stat state {};
  ASSERT_EQ(::stat(path_.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600u) << "subscribers' data is for its owner";
}

// Each direction counts its own octets and acknowledges the other's; long messages are split, and
// what was cut away leaves a gap.
TEST_F(TraceTest, sequences_follow_each_other) {
  const Octets long_one(2000, 7);
  const Octets short_one = {1, 2, 3, 4};
  {
    PcapFile pcap(path_);
    pcap.write(message("[2001:db8::2]:4000", "[2001:db8::1]:3868", long_one));
    PcapFile::Message cut = message("[2001:db8::1]:3868", "[2001:db8::2]:4000", short_one);
    cut.whole_bytes = 10;
    pcap.write(cut);
    pcap.write(cut);
  }
  const Octets all = file();
  std::vector<std::pair<u32, u32>> found;  // sequence, acknowledged
  for (std::size_t at = 24; at < all.size(); at += 16 + load_little(all, at + 8)) {
    const u8* const tcp = all.data() + at + 16 + 14 + 40;
    found.emplace_back(diameter::load_u32(tcp + 4), diameter::load_u32(tcp + 8));
  }
  const std::vector<std::pair<u32, u32>> wanted = {{1, 1}, {1401, 1}, {1, 2001}, {11, 2001}};
  EXPECT_EQ(found, wanted);
}

TEST_F(TraceTest, a_message_is_told_by_names) {
  TraceView view("");
  // A Device-Watchdog-Request with an Origin-State-Id.
  Json record{{"at", "2026-11-22T14:05:09.123Z"},
              {"at_ns", 1},
              {"kind", "received"},
              {"remote", "198.18.0.2:40000"},
              {"local", "198.18.0.1:3868"},
              {"whole_bytes", 32},
              {"octets",
               "0100002080000118000000000000000100000002"
               "000001164000000c00000007"}};
  EXPECT_EQ(view.show(record),
            "2026-11-22T14:05:09.123Z  198.18.0.2:40000 > 198.18.0.1:3868  DWR @app=0 @flags=R "
            "@hbh=0x1 @e2e=0x2 Origin-State-Id=7\n");
  EXPECT_TRUE(record.contains("text"));
}

TEST_F(TraceTest, effects_are_told_with_before_and_after) {
  TraceView view("");
  Json record{
      {"at", "T"},
      {"kind", "effects"},
      {"outcome", "ok"},
      {"repeated", false},
      {"services",
       {{{"outcome", "ok"}, {"rating_group", 10}, {"granted", "1000"}, {"unit", "octets"}}}},
      {"buckets",
       {{{"bucket", 3},
         {"unit", "EUR"},
         {"debited", "0.10"},
         {"reserved", "0.20"},
         {"before", {{"balance", "9.00"}, {"reserved", "0.00"}}},
         {"after", {{"balance", "8.70"}, {"reserved", "0.20"}}}}}}};
  EXPECT_EQ(view.show(record),
            "T  ledger: ok; rating group 10 granted 1000 octets; bucket 3 debited 0.10, reserved "
            "0.20 EUR: balance 9.00 -> 8.70, reserved 0.00 -> 0.20\n");
}

// What a charge tile writes for a request that reserved 0.10 of 10.00.
Octets effects_frame(ledger::TraceCause cause = ledger::TraceCause::request) {
  const ledger::TraceRecord record{.at_ns = 1,
                                   .tag = {5},
                                   .kind = ledger::TraceKind::effects,
                                   .traces = 1,
                                   .cause = cause,
                                   .command = ledger::CommandKind::top_up};
  ledger::Answer answer{.service_count = 1};
  answer.first = {.rating_group = 10,
                  .granted = {1000},
                  .flags = ledger::service_flag::has_rating_group,
                  .kind = ledger::UnitKind::octets,
                  .has_grant = true};
  const ledger::TraceBucket bucket{
      .bucket = 3,
      .unit = Unit::eur,
      .before = {.put_in = {10'000'000}, .balance = {10'000'000}},
      .after = {.put_in = {10'000'000}, .balance = {9'900'000}, .reserved = {100'000}}};
  const ledger::TraceEffects effects{
      .account_id = 7, .answer_bytes = sizeof answer, .bucket_count = 1};
  Octets frame;
  const auto put = [&](const auto& value) {
    const auto* at = reinterpret_cast<const u8*>(&value);
    frame.insert(frame.end(), at, at + sizeof value);
  };
  put(record);
  put(effects);
  put(answer);
  put(bucket);
  return frame;
}

TEST_F(TraceTest, what_a_charge_tile_wrote_is_described) {
  const Octets frame = effects_frame();
  Json told = control::describe_trace(frame);
  EXPECT_EQ(TraceView("").show(told),
            "1970-01-01T00:00:00.000Z  ledger: ok; rating group 10 granted 1000 octets; bucket 3 "
            "reserved 0.10 EUR: balance 10.00 -> 9.90, reserved 0.00 -> 0.10\n");
  EXPECT_EQ(told["tag"], "0000000000000005");
  for (std::size_t bytes = 0; bytes < frame.size(); ++bytes) {
    EXPECT_TRUE(control::describe_trace(Bytes(frame).first(bytes)).is_null()) << bytes;
  }
}

TEST_F(TraceTest, what_no_message_asked_for_has_its_cause) {
  using ledger::TraceCause;
  const auto text_of = [](TraceCause cause) {
    Json told = control::describe_trace(effects_frame(cause));
    return TraceView("").show(told).substr(sizeof "1970-01-01T00:00:00.000Z");
  };
  EXPECT_TRUE(text_of(TraceCause::request).starts_with(" ledger: ok;"));
  EXPECT_TRUE(text_of(TraceCause::command).starts_with(" ledger: command topup, ok;"));
  EXPECT_TRUE(text_of(TraceCause::timer).starts_with(" ledger: session ended by its timer, ok"));
  EXPECT_TRUE(text_of(TraceCause::restart).find("its client has restarted") != std::string::npos);
}

TEST_F(TraceTest, a_file_that_cannot_be_written_is_refused) {
  EXPECT_THROW(PcapFile(folder_ + "/none/a.pcap"), control::Refused);
}

}  // namespace
}  // namespace tollgate::tollctl
