// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/credit_control.hh"

#include <gtest/gtest.h>

#include <random>

#include "diameter/dispatch.hh"
#include "diameter/sample_messages.hh"
#include "diameter/session_control.hh"

namespace tollgate::diameter {
namespace {

using samples::Message;

const OriginBlock origin("ocs.tollgate.example", "tollgate.example");

void expect_same(const MoneyValue& a, const MoneyValue& b) {
  EXPECT_EQ(a.digits, b.digits);
  EXPECT_EQ(a.exponent, b.exponent);
  EXPECT_EQ(a.currency_code, b.currency_code);
}

void expect_same(const Units& a, const Units& b) {
  ASSERT_EQ(a.kinds, b.kinds);
  if (a.has(unit_time)) {
    EXPECT_EQ(a.time_s, b.time_s);
  }
  if (a.has(unit_total_octets)) {
    EXPECT_EQ(a.total_octets, b.total_octets);
  }
  if (a.has(unit_input_octets)) {
    EXPECT_EQ(a.input_octets, b.input_octets);
  }
  if (a.has(unit_output_octets)) {
    EXPECT_EQ(a.output_octets, b.output_octets);
  }
  if (a.has(unit_service_specific)) {
    EXPECT_EQ(a.service_specific, b.service_specific);
  }
  if (a.has(unit_money)) expect_same(a.money, b.money);
}

Units random_units(std::mt19937_64& random) {
  Units units;
  units.kinds = random() & 0x3f;
  units.time_s = static_cast<u32>(random());
  units.total_octets = random();
  units.input_octets = random();
  units.output_octets = random();
  units.service_specific = random();
  units.money = {static_cast<i64>(random()), static_cast<i32>(random() % 19) - 9,
                 static_cast<u32>(random() % 999 + 1)};
  return units;
}

UsedUnits random_used(std::mt19937_64& random) {
  UsedUnits used;
  used.units = random_units(random);
  if (random() % 2) used.reason = static_cast<ReportingReason>(random() % 10);
  if (random() % 2) used.tariff_change = static_cast<TariffChangeUsage>(random() % 3);
  return used;
}

void fill_units(CreditControlRequest& request, std::mt19937_64& random) {
  if (random() % 4 == 0) {
    request.requested = Requested::units;
    request.requested_units = random_units(random);
    request.requested_units.kinds |= unit_time;
    for (u32 index = 0; index < random() % 3; ++index) {
      request.used_pool[request.used_pool_count++] = random_used(random);
      ++request.used_count;
    }
    return;
  }
  for (u32 index = 0; index < random() % 6; ++index) {
    RequestMscc& mscc = samples::add_mscc(request, static_cast<u32>(random()));
    if (random() % 4 == 0) mscc.rating_group.reset();
    mscc.requested = static_cast<Requested>(random() % 3);
    mscc.requested_units = random_units(random);
    if (mscc.requested == Requested::units) mscc.requested_units.kinds |= unit_total_octets;
    if (random() % 2) mscc.reason = static_cast<ReportingReason>(random() % 10);
    for (u32 used = 0; used < random() % 4; ++used)
      samples::add_used(request, mscc, random_used(random));
    for (u32 identifier = 0; identifier < random() % 3; ++identifier)
      samples::add_service_identifier(request, mscc, static_cast<u32>(random()));
  }
}

void fill_at_random(CreditControlRequest& request, std::mt19937_64& random) {
  samples::set_head(request, static_cast<RequestType>(random() % 4 + 1),
                    static_cast<u32>(random()));
  request.header.flags = random() & (flag_proxiable | flag_retransmitted);
  if (request.type == RequestType::event || random() % 2)
    request.requested_action = static_cast<RequestedAction>(random() % 4);
  if (random() % 2) request.termination_cause = static_cast<u32>(random());
  if (random() % 2) request.origin_state_id = static_cast<u32>(random());
  if (random() % 2) request.multiple_services_indicator = static_cast<u32>(random() % 2);
  if (random() % 2) request.user_name = as_bytes("someone@tollgate.example");
  request.subscription_id_count = static_cast<u32>(random() % 3);
  fill_units(request, random);
}

void expect_same(const CreditControlRequest& a, const CreditControlRequest& b) {
  EXPECT_EQ(a.header.hop_by_hop, b.header.hop_by_hop);
  EXPECT_EQ(a.header.end_to_end, b.header.end_to_end);
  EXPECT_EQ(a.header.is_retransmitted(), b.header.is_retransmitted());
  EXPECT_EQ(as_text(a.session_id), as_text(b.session_id));
  EXPECT_EQ(as_text(a.destination_host), as_text(b.destination_host));
  EXPECT_EQ(as_text(a.user_name), as_text(b.user_name));
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.requested_action, b.requested_action);
  EXPECT_EQ(a.termination_cause, b.termination_cause);
  EXPECT_EQ(a.origin_state_id, b.origin_state_id);
  EXPECT_EQ(a.multiple_services_indicator, b.multiple_services_indicator);
  EXPECT_EQ(a.event_timestamp, b.event_timestamp);
  EXPECT_EQ(a.requested, b.requested);
  expect_same(a.requested_units, b.requested_units);
  ASSERT_EQ(a.subscription_id_count, b.subscription_id_count);
  ASSERT_EQ(a.used_pool_count, b.used_pool_count);
  ASSERT_EQ(a.mscc_count, b.mscc_count);
  for (u32 index = 0; index < a.used_pool_count; ++index) {
    expect_same(a.used_pool[index].units, b.used_pool[index].units);
    EXPECT_EQ(a.used_pool[index].reason, b.used_pool[index].reason);
    EXPECT_EQ(a.used_pool[index].tariff_change, b.used_pool[index].tariff_change);
  }
  for (u32 index = 0; index < a.mscc_count; ++index) {
    const RequestMscc& mine = a.mscc()[index];
    const RequestMscc& other = b.mscc()[index];
    EXPECT_EQ(mine.rating_group, other.rating_group);
    EXPECT_EQ(mine.reason, other.reason);
    EXPECT_EQ(mine.requested, other.requested);
    EXPECT_EQ(mine.used_count, other.used_count);
    if (mine.requested == Requested::units)
      expect_same(mine.requested_units, other.requested_units);
    EXPECT_TRUE(
        std::ranges::equal(a.service_identifiers_of(mine), b.service_identifiers_of(other)));
  }
}

TEST(CreditControlTest, DecodesWhatItEncodes) {
  static CreditControlRequest sent;
  static CreditControlRequest received;
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    fill_at_random(sent, random);
    const PsInformation ps = samples::ps_information();
    const Message message = samples::encode(sent, {.ps = round % 2 ? &ps : nullptr});
    ASSERT_FALSE(message.empty());
    Refusal refusal;
    ASSERT_TRUE(decode_credit_control_request(message, received, refusal)) << "round " << round;
    expect_same(sent, received);
    EXPECT_EQ(received.facts.called_station_id.empty(), round % 2 == 0);
  }
}

TEST(CreditControlTest, FindsTheFactsOfTheService) {
  static CreditControlRequest request;
  Refusal refusal;
  const Message data = samples::data_update();
  ASSERT_TRUE(decode_credit_control_request(data, request, refusal));
  EXPECT_EQ(as_text(request.facts.called_station_id), "internet");
  EXPECT_EQ(as_text(request.facts.sgsn_mcc_mnc), "24001");
  ASSERT_EQ(request.facts.rat_type.size(), 1u);
  EXPECT_EQ(request.facts.rat_type[0], 6);
  EXPECT_EQ(request.facts.user_location.size(), samples::user_location.size());
  EXPECT_EQ(as_text(request.facts.charging_rule_base), "default");
  EXPECT_GE(data.size(), 700u);
  EXPECT_LE(data.size(), 800u);
  const Message voice = samples::voice_initial();
  ASSERT_TRUE(decode_credit_control_request(voice, request, refusal));
  EXPECT_EQ(as_text(request.facts.calling_party), "tel:+46701234567");
  EXPECT_EQ(as_text(request.facts.called_party), "tel:+46709876543");
  EXPECT_EQ(request.mscc()[0].requested, Requested::empty);
  const Message sms = samples::sms_event();
  ASSERT_TRUE(decode_credit_control_request(sms, request, refusal));
  EXPECT_EQ(as_text(request.facts.sms_recipient), "46709876543");
  EXPECT_EQ(request.requested, Requested::units);
  EXPECT_TRUE(request.facts.called_station_id.empty());
}

// Every truncation and every flipped bit must be answered or accepted, and what is written about it
// must be well-formed. A copy of exact size lets a sanitizer see each octet too far.
TEST(CreditControlTest, SurvivesEveryTruncationAndEveryFlippedBit) {
  static CreditControlRequest request;
  std::vector<u8> out(4096);
  const auto try_one = [&](const Message& message) {
    Refusal refusal;
    if (decode_credit_control_request(message, request, refusal)) return;
    EXPECT_NE(refusal.result_code(), ResultCode::none);
    if (!read_header(message).is_request()) return;
    const std::size_t size_bytes = encode_refusal(message, refusal, origin, out);
    ASSERT_NE(size_bytes, 0u);
    ASSERT_EQ(read_header(out).length_bytes, size_bytes);
    ReceivedAnswer answer;
    (void)decode_answer(Bytes(out).first(size_bytes), answer);
    EXPECT_EQ(answer.result_code, refusal.result_code());
  };
  for (const Message& whole :
       {samples::data_update(), samples::voice_initial(), samples::sms_event()}) {
    for (std::size_t length = header_bytes; length < whole.size(); ++length)
      try_one({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Message message = whole;
      message[bit / 8] ^= static_cast<u8>(1u << (bit % 8));
      try_one(message);
    }
  }
}

CreditControlAnswer full_answer(std::span<const AnswerMscc> mscc) {
  CreditControlAnswer answer;
  answer.hop_by_hop = 1;
  answer.end_to_end = 2;
  answer.is_proxiable = true;
  answer.session_id = as_bytes("session;1");
  answer.origin = &origin;
  answer.type = RequestType::update;
  answer.number = 3;
  answer.mscc = mscc;
  answer.session_failover = SessionFailover::supported;
  answer.failure_handling = FailureHandling::retry_and_terminate;
  answer.debiting_failure_handling = DebitingFailureHandling::go_on;
  answer.check_balance = CheckBalanceResult::no_credit;
  answer.cost = MoneyValue{-12345, -2, 978};
  answer.cost_unit = "per call";
  answer.remaining_balance = MoneyValue{999, 0, 752};
  answer.low_balance = true;
  answer.validity_time_s = 60;
  answer.granted.kinds = unit_time;
  answer.granted.time_s = 61;
  answer.final_unit.action = FinalUnitAction::terminate;
  answer.error_message = "why";
  return answer;
}

TEST(CreditControlTest, EncodesAnAnswerThatReadsTheSame) {
  const std::array<u32, 2> identifiers{7, 8};
  std::array<AnswerMscc, 3> mscc{};
  mscc[0].granted.kinds = unit_total_octets | unit_money;
  mscc[0].granted.total_octets = u64{1} << 40;
  mscc[0].granted.money = {5, -1, 978};
  mscc[0].rating_group = 1;
  mscc[0].service_identifiers = identifiers;
  mscc[0].validity_time_s = 600;
  mscc[0].result_code = ResultCode::success;
  mscc[0].volume_quota_threshold_octets = 1000;
  mscc[0].final_unit = {.action = FinalUnitAction::redirect,
                        .redirect_address = "http://topup.example/"};
  mscc[1].rating_group = 2;
  mscc[1].result_code = ResultCode::credit_limit_reached;
  mscc[2].final_unit = {.action = FinalUnitAction::restrict_access,
                        .restriction_filter = "permit in ip from any to 198.18.0.1"};
  const CreditControlAnswer sent = full_answer(mscc);
  Message out(2048);
  const std::size_t size_bytes = encode_answer(sent, out);
  ASSERT_NE(size_bytes, 0u);
  static ReceivedAnswer got;
  ASSERT_EQ(decode_answer(Bytes(out).first(size_bytes), got), AnswerFault::none);
  EXPECT_FALSE(got.header.is_request());
  EXPECT_TRUE(got.header.is_proxiable());
  EXPECT_EQ(got.header.length_bytes, size_bytes);
  EXPECT_EQ(got.number, 3u);
  EXPECT_EQ(got.type, RequestType::update);
  expect_same(*got.cost, *sent.cost);
  expect_same(*got.remaining_balance, *sent.remaining_balance);
  EXPECT_EQ(got.check_balance, CheckBalanceResult::no_credit);
  EXPECT_EQ(got.final_unit, FinalUnitAction::terminate);
  EXPECT_EQ(got.granted.time_s, 61u);
  ASSERT_EQ(got.mscc_count, 3u);
  expect_same(got.mscc()[0].granted, mscc[0].granted);
  EXPECT_EQ(got.mscc()[0].service_identifier, 7u);
  EXPECT_EQ(got.mscc()[0].volume_quota_threshold_octets, 1000u);
  EXPECT_EQ(as_text(got.mscc()[0].redirect_address), "http://topup.example/");
  EXPECT_EQ(got.mscc()[1].result_code, ResultCode::credit_limit_reached);
  EXPECT_FALSE(got.mscc()[1].has_granted);
  EXPECT_FALSE(got.mscc()[2].rating_group.has_value());
  EXPECT_EQ(got.mscc()[2].final_unit, FinalUnitAction::restrict_access);
}

TEST(CreditControlTest, NeverWritesPastItsBuffer) {
  std::array<AnswerMscc, 1> mscc{};
  mscc[0].granted.kinds = 0x3f;
  mscc[0].final_unit = {.action = FinalUnitAction::redirect, .redirect_address = "sip:x@y"};
  const CreditControlAnswer answer = full_answer(mscc);
  Message out(2048);
  const std::size_t whole = encode_answer(answer, out);
  for (std::size_t room = 0; room < whole; ++room) {
    Message small(room + 64, 0xa5);
    EXPECT_EQ(encode_answer(answer, MutableBytes(small).first(room)), 0u) << room;
    for (std::size_t at = room; at < small.size(); ++at) ASSERT_EQ(small[at], 0xa5) << room;
  }
  EXPECT_EQ(encode_answer(answer, MutableBytes(out).first(whole)), whole);
}

TEST(CreditControlTest, EchoesProxyInfoInOrder) {
  static CreditControlRequest request;
  Message avps(256);
  AvpWriter writer(avps);
  for (const std::string_view host : {"a.example", "bc.example"}) {
    u8* const group = writer.open(avp::proxy_info);
    writer.put_text(avp::proxy_host, host);
    writer.put_text(avp::proxy_state, "state");
    writer.close(group);
  }
  avps.resize(writer.size_bytes());
  samples::set_head(request, RequestType::initial, 0);
  request.proxy_info_pool[0] = avps;
  request.proxy_info_count = 1;  // both lie behind one another
  const Message message = samples::encode(request, {});
  Refusal refusal;
  ASSERT_TRUE(decode_credit_control_request(message, request, refusal));
  EXPECT_EQ(request.proxy_info_count, 2u);
  Message kept(256);
  kept.resize(copy_proxy_info(request, kept));
  EXPECT_EQ(kept, avps);
}

TEST(CreditControlTest, MarksProtocolErrors) {
  CreditControlAnswer answer = full_answer({});
  answer.result_code = ResultCode::too_busy;
  Message out(2048);
  out.resize(encode_answer(answer, out));
  EXPECT_TRUE(read_header(out).is_error());
}

TEST(TimeTest, KnowsBothEras) {
  EXPECT_EQ(instant_of_time(0x83aa7e80), Instant::from_seconds(0));
  EXPECT_EQ(instant_of_time(0), Instant::from_seconds(2'085'978'496));  // 2036-02-07T06:28:16Z
  for (const i64 seconds : {0L, 1'795'000'000L, 2'085'978'495L, 2'085'978'496L, 3'000'000'000L})
    EXPECT_EQ(instant_of_time(time_of_instant(Instant::from_seconds(seconds))),
              Instant::from_seconds(seconds));
}

TEST(DispatchTest, TellsByApplicationAndCommand) {
  struct Row {
    u8 flags;
    u32 command;
    u32 application;
    MessageKind kind;
    ResultCode refusal;
  };
  for (const Row& row : {
           Row{0x80, 257, 0, MessageKind::peer, ResultCode::none},
           Row{0x00, 280, 0, MessageKind::peer, ResultCode::none},
           Row{0xc0, 272, 4, MessageKind::credit_control, ResultCode::none},
           Row{0xd0, 272, 4, MessageKind::credit_control, ResultCode::none},
           Row{0xc0, 272, 16777238, MessageKind::refused, ResultCode::application_unsupported},
           Row{0xc0, 258, 4, MessageKind::refused, ResultCode::command_unsupported},
           Row{0x80, 272, 0, MessageKind::refused, ResultCode::command_unsupported},
           Row{0xc0, 271, 3, MessageKind::refused, ResultCode::application_unsupported},
           Row{0xe0, 272, 4, MessageKind::refused, ResultCode::invalid_header_bits},
           Row{0x40, 272, 4, MessageKind::credit_control_answer, ResultCode::none},
           Row{0x40, 258, 4, MessageKind::session_answer, ResultCode::none},
           Row{0x40, 272, 16777238, MessageKind::other_answer, ResultCode::none},
       }) {
    Message message(header_bytes);
    write_header({.flags = row.flags,
                  .length_bytes = 20,
                  .command = static_cast<Command>(row.command),
                  .application = static_cast<Application>(row.application)},
                 message);
    const Classified got = classify(message);
    EXPECT_EQ(got.kind, row.kind) << row.command << " " << row.application;
    EXPECT_EQ(got.refusal, row.refusal) << row.command << " " << row.application;
    std::array<u8, 512> out;
    const std::size_t size_bytes = encode_refusal(message, ResultCode::too_busy, origin, out);
    EXPECT_EQ(size_bytes == 0, (row.flags & flag_request) == 0);
    if (size_bytes == 0) continue;
    EXPECT_TRUE(read_header(out).is_error());
  }
}

TEST(SessionControlTest, AsksAndReadsTheAnswer) {
  Message request(512);
  request.resize(encode_re_auth_request({.hop_by_hop = 5,
                                         .session_id = as_bytes("s;1"),
                                         .origin = &origin,
                                         .destination_realm = as_bytes("example"),
                                         .destination_host = as_bytes("pgw.example"),
                                         .rating_group = 9},
                                        request));
  ASSERT_FALSE(request.empty());
  EXPECT_EQ(classify(request, {.session_requests = true}).kind, MessageKind::session_request);
  Refusal refusal;
  EXPECT_TRUE(check_message(request, refusal));
  Message answer(512);
  answer.resize(encode_session_answer(request, ResultCode::limited_success, origin, answer));
  SessionAnswer got;
  ASSERT_TRUE(decode_session_answer(answer, got));
  EXPECT_EQ(got.header.hop_by_hop, 5u);
  EXPECT_EQ(as_text(got.session_id), "s;1");
  EXPECT_EQ(got.result_code, ResultCode::limited_success);
}

TEST(DictionaryTest, KnowsAvpsGroupsCommandsAndNames) {
  EXPECT_EQ(find_avp(263, 0)->name, "Session-Id");
  EXPECT_EQ(find_avp(1, 10415)->name, "3GPP-IMSI");
  EXPECT_EQ(find_avp(1, 0)->name, "User-Name");
  EXPECT_EQ(find_avp(65000, 10415), nullptr);
  EXPECT_EQ(shape_of(263, 0), AvpShape::any);
  EXPECT_EQ(shape_of(873, 10415), AvpShape::grouped);
  EXPECT_EQ(shape_of(421, 0), AvpShape::eight);
  EXPECT_EQ(shape_of(421, 3), AvpShape::unknown);
  EXPECT_EQ(shape_of(0xffffffff, 0), AvpShape::unknown);
  EXPECT_EQ(shape_of(0xffffffff, 10415), AvpShape::unknown);
  EXPECT_EQ(enum_name(416, 0, 2), "UPDATE_REQUEST");
  EXPECT_EQ(enum_name(416, 0, 77), "");
  EXPECT_FALSE(group_rules(443, 0).members.empty());
  EXPECT_EQ(command_rules(257, true).members.front().code, 257u);  // Host-IP-Address
}

}  // namespace
}  // namespace tollgate::diameter
