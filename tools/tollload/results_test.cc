// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/results.hh"

#include <gtest/gtest.h>

#include <memory>

#include "tools/tollload/pace.hh"
#include "tools/tollload/record.hh"

namespace tollgate::tollload {
namespace {

TEST(ResultsTest, JsonHoldsWhatWasCounted) {
  const auto results = std::make_unique<Results>();
  results->sent_count = 1003;
  results->answered_count = 1000;
  results->lost_count = 3;
  results->wrong_count = 2;
  results->measured_count = 500;
  results->measured = Duration::milliseconds(250);
  results->update_bytes = 748;
  for (u64 i = 1; i <= 1000; ++i) results->interval_latency_ns.record(i * 1000);
  for (int i = 0; i < 990; ++i) results->count_code(2001);
  for (int i = 0; i < 9; ++i) results->count_code(3004);
  results->count_code(70'000);
  results->end_interval();
  const auto options = std::make_unique<Options>();
  const std::string json = to_json(*results, *options);
  for (const char* part :
       {R"("sent":1003,"answered":1000,"lost":3,"wrong":2)",
        R"("result_codes":{"2001":990,"3004":9,"5999":1})", R"("answers_per_second":2000)",
        R"("ccr_bytes":748)", R"("latency_us":{"p50":50)", R"("max":1000.0})"})
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
}

TEST(ResultsTest, MixedLoadTellsItsMeanSize) {
  const auto results = std::make_unique<Results>();
  results->measured_sent_count = 3;
  results->measured_sent_octets = 1502;
  EXPECT_EQ(results->ccr_bytes(), 501U);
  EXPECT_EQ(results->answers_per_second(), 0U);
}

TEST(ResultsTest, OnlyRightAndCompleteIsAllRight) {
  const auto results = std::make_unique<Results>();
  EXPECT_TRUE(results->all_right());
  results->lost_count = 1;
  EXPECT_FALSE(results->all_right());
  results->lost_count = 0;
  results->failure = "why";
  EXPECT_FALSE(results->all_right());
}

TEST(PaceTest, OpenLoopFollowsThePlan) {
  const Instant start = Instant::from_seconds(100);
  Pace pace = Pace::open(3, start);
  EXPECT_EQ(pace.allowed(start - Duration::nanoseconds(1), 0), 0U);
  EXPECT_EQ(pace.allowed(start, 1'000'000), 1U);
  EXPECT_EQ(pace.take(start), start);
  EXPECT_EQ(pace.allowed(start, 0), 0U);
  const Instant late = start + Duration::seconds(1);
  EXPECT_EQ(pace.allowed(late, 0), 3U);
  EXPECT_EQ(pace.take(late).ns, start.ns + 333'333'333);
  EXPECT_EQ(pace.take(late).ns, start.ns + 666'666'666);
  EXPECT_EQ(pace.take(late), late);
}

TEST(PaceTest, ClosedLoopFillsTheWindow) {
  Pace pace = Pace::closed(10);
  EXPECT_EQ(pace.allowed({}, 4), 6U);
  EXPECT_EQ(pace.allowed({}, 12), 0U);
  EXPECT_EQ(pace.take(Instant::from_seconds(5)), Instant::from_seconds(5));
}

TEST(RecordTest, ALineIsJson) {
  EXPECT_EQ(to_text(RecordLine{.session_id = "a;1;2",
                               .service = Service::voice,
                               .type = RequestType::update,
                               .number = 3,
                               .result_code = 2001,
                               .used = 12,
                               .granted = 60,
                               .msisdn = 46700000001}),
            R"({"session_id":"a;1;2","type":"update","number":3,"result":2001,"used_seconds":12,)"
            R"("granted":60,"msisdn":"46700000001"})"
            "\n");
  EXPECT_EQ(to_text(RecordLine{.session_id = "a;1;2",
                               .service = Service::data,
                               .type = RequestType::termination,
                               .number = 4,
                               .used = 5,
                               .msisdn = 46700000001,
                               .was_resent = true}),
            R"({"session_id":"a;1;2","type":"termination","number":4,"unanswered":true,)"
            R"("resent":true,"used_octets":5,"granted":0,"msisdn":"46700000001"})"
            "\n");
}

}  // namespace
}  // namespace tollgate::tollload
