// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/engine.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "diameter/session_control.hh"
#include "tools/tollload/fake_server.hh"

namespace tollgate::tollload {
namespace {

constexpr Duration turn_time = Duration::microseconds(100);

Options small_options() {
  Options options;
  options.scenario = "data";
  options.connection_count = 3;
  options.window_count = 16;
  options.subscriber_count = 100;
  options.session_count = 40;
  options.seconds = 1;
  options.updates_mean = 5;
  options.explain_count = 0;
  options.quiet = true;
  options.seed = 42;
  options.identities.hosts_are_numbered = true;
  options.identities.run_number = 7;
  return options;
}

// A load against the server in memory, with a clock of its own.
class EngineTest : public testing::Test {
 protected:
  void begin(const Options& options, RecordFile* record = nullptr) {
    engine_ = std::make_unique<Engine>(options, nullptr, record);
    server_.attach(*engine_);
    engine_->start(server_, now_);
  }
  // Turns until `condition` holds; false if the load ends before.
  template <class Condition>
  bool turn_until(Condition&& condition) {
    while (!condition()) {
      now_ = now_ + turn_time;
      if (!engine_->turn(now_)) return condition();
    }
    return true;
  }
  bool turn_until_phase(Phase phase) {
    return turn_until([&] { return engine_->phase() == phase; });
  }
  Results& run(const Options& options, RecordFile* record = nullptr) {
    begin(options, record);
    turn_until([] { return false; });
    return engine_->results();
  }
  static u64 fault_count(const Results& results, AnswerFault fault) {
    return results.by_fault[static_cast<std::size_t>(fault)];
  }

  FakeServer server_;
  std::unique_ptr<Engine> engine_;
  Instant now_ = Instant::from_seconds(1'800'000'000);
};

TEST_F(EngineTest, RightAnswersAreRight) {
  for (const char* scenario : {"data", "voice", "sms", "mixed"}) {
    Options options = small_options();
    options.scenario = scenario;
    if (options.scenario == "voice") options.mix = {0, 100, 0};
    if (options.scenario == "sms") options.mix = {0, 0, 100};
    if (options.scenario == "mixed") options.mix = mix_mixed;
    server_.request_count = 0;
    const Results& results = run(options);
    EXPECT_TRUE(results.all_right()) << scenario;
    EXPECT_GT(results.measured_count, 1000U) << scenario;
    EXPECT_EQ(results.sent_count, results.answered_count) << scenario;
    EXPECT_EQ(results.sent_count, server_.request_count) << scenario;
    EXPECT_EQ(results.by_code[2001], results.answered_count) << scenario;
    EXPECT_EQ(results.sent_by_type[1], results.sent_by_type[3]) << "each session is ended";
    EXPECT_EQ(results.sent_by_type[4] != 0, scenario[0] == 's' || scenario[0] == 'm') << scenario;
    EXPECT_EQ(server_.undecodable_count, 0U) << scenario;
    EXPECT_EQ(server_.stream_count(), 0U) << "every peer said goodbye";
  }
}

TEST_F(EngineTest, SessionsGoAsTheRulesSay) {
  server_.keeps_requests = true;
  run(small_options());
  std::map<std::string, std::vector<SeenRequest>> sessions;
  for (const SeenRequest& request : server_.seen) sessions[request.session_id].push_back(request);
  std::set<u32> end_to_ends;
  std::set<std::string> hosts;
  for (const auto& [id, requests] : sessions) {
    EXPECT_EQ(requests.front().type, RequestType::initial) << id;
    EXPECT_EQ(requests.back().type, RequestType::termination) << id;
    for (u32 i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(requests[i].number, i) << id;
      EXPECT_EQ(requests[i].msisdn, requests.front().msisdn) << id;
      EXPECT_EQ(requests[i].used, i == 0 ? 0U : 1000U) << id;
      EXPECT_TRUE(id.starts_with(requests[i].origin_host + ";")) << id;
      EXPECT_FALSE(requests[i].is_retransmitted);
      end_to_ends.insert(requests[i].end_to_end);
      hosts.insert(requests[i].origin_host);
    }
  }
  EXPECT_EQ(end_to_ends.size(), server_.seen.size()) << "no identifier is used twice";
  EXPECT_EQ(hosts.size(), 3U);
  std::set<std::string> subscribers;
  for (const SeenRequest& request : server_.seen) subscribers.insert(request.msisdn);
  EXPECT_EQ(subscribers.size(), 100U) << "every subscriber has his turn";
}

TEST_F(EngineTest, CountsWrongAnswers) {
  u32 count = 0;
  server_.alter = [&count](const auto&, auto&, diameter::AnswerMscc& mscc) {
    if (++count % 100 == 0 && mscc.granted.kinds != 0) mscc.granted.total_octets += 1;
    return true;
  };
  const Results& results = run(small_options());
  EXPECT_GT(results.wrong_count, 0U);
  EXPECT_EQ(results.wrong_count, fault_count(results, AnswerFault::grant_amount));
  EXPECT_FALSE(results.all_right());
}

TEST_F(EngineTest, AnswersToNothingAreWrong) {
  u32 count = 0;
  server_.alter_octets = [&count](MutableBytes octets) {
    if (++count == 500) octets[12] ^= 0x40;
  };
  Options options = small_options();
  const Results& results = run(options);
  EXPECT_EQ(fault_count(results, AnswerFault::unknown_hop_by_hop), 1U);
  EXPECT_EQ(results.lost_count, 1U);
  EXPECT_EQ(results.sent_count, results.answered_count + results.lost_count);
}

TEST_F(EngineTest, TooBusyIsNoFaultAndItsUsageIsReportedAgain) {
  server_.keeps_requests = true;
  u32 count = 0;
  server_.alter = [&count](const auto& request, auto& answer, auto&) {
    if (request.type == RequestType::update && ++count % 3 == 0)
      answer.result_code = diameter::ResultCode::too_busy;
    return true;
  };
  const Results& results = run(small_options());
  EXPECT_TRUE(results.all_right());
  EXPECT_GT(results.too_busy_count, 100U);
  EXPECT_EQ(results.by_code[3004], results.too_busy_count);
  const bool is_carried = std::any_of(server_.seen.begin(), server_.seen.end(),
                                      [](const auto& request) { return request.used == 2000; });
  EXPECT_TRUE(is_carried);
}

TEST_F(EngineTest, EmptyAccountsAreWrongUnlessAllowed) {
  server_.alter = [](const auto& request, auto&, diameter::AnswerMscc& mscc) {
    if (request.type != RequestType::update) return true;
    mscc.result_code = diameter::ResultCode::credit_limit_reached;
    mscc.granted = {};
    return true;
  };
  Options options = small_options();
  const u64 wrong_count = run(options).wrong_count;
  EXPECT_GT(wrong_count, 0U);
  options.allow_refused = true;
  const Results& results = run(options);
  EXPECT_TRUE(results.all_right());
  EXPECT_GT(results.refused_count, 0U);
  EXPECT_EQ(results.sent_by_type[1], results.sent_by_type[3]) << "refused sessions are ended";
}

TEST_F(EngineTest, WhatIsNotAnsweredIsLostAfterTheTimeout) {
  u32 count = 0;
  server_.alter = [&count](const auto& request, auto&, auto&) {
    return request.type != RequestType::update || ++count % 200 != 0;
  };
  Options options = small_options();
  options.answer_timeout = Duration::milliseconds(200);
  const Results& results = run(options);
  EXPECT_GT(results.lost_count, 1U);
  EXPECT_EQ(results.wrong_count, 0U);
  EXPECT_EQ(results.sent_count, results.answered_count + results.lost_count);
  EXPECT_EQ(results.sent_by_type[1], results.sent_by_type[3]) << "such sessions are ended";
}

TEST_F(EngineTest, TheWindowHolds) {
  Options options = small_options();
  options.window_count = 5;
  begin(options);
  u64 most = 0;
  turn_until([&] {
    most = std::max(most, engine_->in_flight_count());
    return false;
  });
  EXPECT_EQ(most, 5U);
}

TEST_F(EngineTest, TheRateHoldsAndWaitingCounts) {
  Options options = small_options();
  options.rate_per_second = 2000;
  const Results& smooth = run(options);
  EXPECT_NEAR(static_cast<double>(smooth.measured_count), 2000, 2);
  EXPECT_LT(smooth.latency_ns.max() + smooth.interval_latency_ns.max(), 500'000U);
  EXPECT_EQ(smooth.unsent_count, 0U);

  // The server is silent for 300 ms: 600 requests fall due in that time, but 40 sessions can send
  // only 40. Those that wait for a session are late by the plan, and it shows.
  begin(options);
  ASSERT_TRUE(turn_until_phase(Phase::running));
  const Instant pause_ends = now_ + Duration::milliseconds(300);
  while (now_ < pause_ends) now_ = now_ + turn_time;
  turn_until([] { return false; });
  const Results& paused = engine_->results();
  EXPECT_NEAR(static_cast<double>(paused.measured_count), 2000, 60);
  const_cast<Results&>(paused).end_interval();
  EXPECT_GT(paused.latency_ns.at_per_million(850'000), 10'000'000U);
  EXPECT_GE(paused.latency_ns.max(), 250'000'000U);
}

TEST_F(EngineTest, DuplicatesGetTheSameAnswer) {
  Options options = small_options();
  options.duplicates_per_mille = 300;
  server_.keeps_requests = true;
  const Results& results = run(options);
  EXPECT_TRUE(results.all_right());
  EXPECT_GT(results.duplicate_count, results.sent_count / 6);
  EXPECT_EQ(results.sent_count, results.answered_count);
  std::map<std::tuple<std::string, RequestType, u32>, std::vector<SeenRequest>> keys;
  for (const SeenRequest& seen : server_.seen)
    keys[{seen.session_id, seen.type, seen.number}].push_back(seen);
  u64 twice_count = 0;
  for (const auto& [key, requests] : keys) {
    ASSERT_LE(requests.size(), 2U);
    EXPECT_FALSE(requests[0].is_retransmitted);
    if (requests.size() == 1) continue;
    ++twice_count;
    EXPECT_TRUE(requests[1].is_retransmitted);
    EXPECT_EQ(requests[0].end_to_end, requests[1].end_to_end);
    EXPECT_EQ(requests[0].used, requests[1].used);
  }
  EXPECT_EQ(twice_count, results.duplicate_count);
}

TEST_F(EngineTest, DuplicatesThatGetAnotherAnswerAreFound) {
  Options options = small_options();
  options.duplicates_per_mille = 100;
  options.any_grant = true;
  server_.alter = [](const auto& request, auto&, diameter::AnswerMscc& mscc) {
    if (request.header.is_retransmitted() && mscc.granted.kinds != 0)
      mscc.granted.total_octets -= 1;
    return true;
  };
  const Results& results = run(options);
  EXPECT_GT(results.wrong_count, 0U);
  EXPECT_EQ(results.wrong_count, fault_count(results, AnswerFault::duplicate_differs));
}

TEST_F(EngineTest, ALostConnectionFailsTheRun) {
  begin(small_options());
  ASSERT_TRUE(turn_until_phase(Phase::running));
  server_.break_connections();
  turn_until([] { return false; });
  const Results& results = engine_->results();
  EXPECT_FALSE(results.all_right());
  EXPECT_FALSE(results.failure.empty());
  EXPECT_EQ(results.sent_count, results.answered_count + results.lost_count);
}

TEST_F(EngineTest, AfterALossTheSameRequestsAreSentAgain) {
  Options options = small_options();
  options.reconnect = true;
  options.duplicates_per_mille = 100;
  server_.keeps_requests = true;
  bool is_mute = false;
  server_.alter = [&is_mute](const auto&, auto&, auto&) { return !is_mute; };
  begin(options);
  ASSERT_TRUE(turn_until_phase(Phase::running));
  for (u64 i = 0; i < 3; ++i) {
    ASSERT_TRUE(turn_until([&] { return engine_->results().reconnect_count == 3 * i; }));
    const Instant soon = now_ + Duration::milliseconds(20);
    ASSERT_TRUE(turn_until([&] { return now_ >= soon; }));
    is_mute = true;
    const Instant later = now_ + Duration::milliseconds(5);
    ASSERT_TRUE(turn_until([&] { return now_ >= later; }));
    server_.break_connections();
    server_.refuses_connections = true;
    is_mute = false;
    const Instant back = now_ + Duration::milliseconds(150);
    ASSERT_TRUE(turn_until([&] { return now_ >= back; }));
    server_.refuses_connections = false;
  }
  turn_until([] { return false; });
  const Results& results = engine_->results();
  EXPECT_TRUE(results.all_right()) << results.failure;
  EXPECT_EQ(results.reconnect_count, 9U);
  EXPECT_GE(results.resent_count, 3 * 12U);
  EXPECT_EQ(results.sent_count, results.answered_count);
  std::map<std::tuple<std::string, RequestType, u32>, SeenRequest> keys;
  for (const SeenRequest& seen : server_.seen) {
    const auto [first, is_new] = keys.try_emplace({seen.session_id, seen.type, seen.number}, seen);
    if (is_new) continue;
    EXPECT_TRUE(seen.is_retransmitted);
    EXPECT_EQ(seen.end_to_end, first->second.end_to_end);
    EXPECT_EQ(seen.used, first->second.used);
    EXPECT_EQ(seen.origin_host, first->second.origin_host);
  }
}

// The first copy may have been carried out before the connection broke: until somebody looks at it,
// the same request comes again.
TEST_F(EngineTest, WhatWasSentAgainAndRefusedUnseenIsRepeated) {
  server_.keeps_requests = true;
  bool is_mute = false;
  std::map<std::pair<std::string, u32>, u32> refused;  // by session and number
  server_.alter = [&](const auto& request, auto& answer, auto&) {
    if (is_mute) return false;
    const std::pair<std::string, u32> key{as_text(request.session_id), request.number};
    if (request.header.is_retransmitted() && refused[key] < 3) {
      ++refused[key];
      answer.result_code = diameter::ResultCode::too_busy;
    }
    return true;
  };
  Options options = small_options();
  options.reconnect = true;
  begin(options);
  ASSERT_TRUE(turn_until_phase(Phase::running));
  is_mute = true;
  const Instant later = now_ + Duration::milliseconds(5);
  ASSERT_TRUE(turn_until([&] { return now_ >= later; }));
  server_.break_connections();
  is_mute = false;
  turn_until([] { return false; });
  const Results& results = engine_->results();
  EXPECT_TRUE(results.all_right()) << results.failure;
  EXPECT_EQ(results.sent_count, results.answered_count);
  EXPECT_GE(refused.size(), 12U);
  std::map<std::pair<std::string, u32>, u32> copies;
  for (const SeenRequest& seen : server_.seen) {
    ++copies[{seen.session_id, seen.number}];
  }
  for (const auto& [key, count] : refused) {
    EXPECT_EQ(count, 3U) << key.first;
    EXPECT_GE(copies[key], 4U) << key.first;
  }
}

TEST_F(EngineTest, NobodyThereIsSaidInTime) {
  server_.refuses_connections = true;
  Options options = small_options();
  options.connect_timeout = Duration::milliseconds(500);
  const Results& results = run(options);
  EXPECT_NE(results.failure.find("refused"), std::string::npos) << results.failure;
  EXPECT_EQ(results.sent_count, 0U);
}

TEST_F(EngineTest, AnswersTheServersOwnRequests) {
  begin(small_options());
  ASSERT_TRUE(turn_until_phase(Phase::running));
  const diameter::OriginBlock origin("ocs.tollgate.example", "tollgate.example");
  std::array<u8, 1024> octets;
  const std::string id = session_id_of(small_options().identities, 1, 1, 1);
  const diameter::SessionRequest request{.hop_by_hop = 9,
                                         .end_to_end = 9,
                                         .session_id = as_bytes(id),
                                         .origin = &origin,
                                         .destination_realm = as_bytes("tollload.example"),
                                         .destination_host = as_bytes("ctf0001.tollload.example")};
  server_.send_all(Bytes(octets).first(diameter::encode_re_auth_request(request, octets)));
  server_.send_all(Bytes(octets).first(diameter::encode_abort_session_request(request, octets)));
  turn_until([] { return false; });
  const Results& results = engine_->results();
  EXPECT_TRUE(results.all_right());
  EXPECT_EQ(results.re_auth_count, 3U);
  EXPECT_EQ(results.abort_session_count, 3U);
}

TEST_F(EngineTest, RecordsWhatMovedAndWhatPerhapsDid) {
  const std::string path = testing::TempDir() + "tollload_record_test.json";
  std::string error;
  const auto record = RecordFile::create(path, error);
  ASSERT_TRUE(record) << error;
  u32 count = 0;
  server_.alter = [&count](const auto& request, auto&, auto&) {
    return request.type != RequestType::update || ++count % 500 != 0;
  };
  Options options = small_options();
  options.answer_timeout = Duration::milliseconds(100);
  const Results& results = run(options, record.get());
  ASSERT_TRUE(record->finish());
  std::ifstream file(path);
  u64 answered_count = 0;
  u64 unanswered_count = 0;
  for (std::string line; std::getline(file, line);)
    ++(line.find("\"unanswered\":true") == std::string::npos ? answered_count : unanswered_count);
  EXPECT_EQ(answered_count, results.answered_count);
  EXPECT_EQ(unanswered_count, results.lost_count);
  EXPECT_GT(unanswered_count, 0U);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace tollgate::tollload
