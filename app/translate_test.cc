// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/translate.hh"

#include <gtest/gtest.h>

#include <map>

#include "rating/compile.hh"

namespace tollgate::app {
namespace {

using diameter::ResultCode;
using ledger::Outcome;

TEST(Translate, every_outcome_has_its_result_code) {
  const std::map<Outcome, u32> codes = {
      {Outcome::ok, 2001},
      {Outcome::too_busy, 3004},
      {Outcome::session_id_too_long, 5004},
      {Outcome::too_many_quotas, 5006},
      {Outcome::account_unknown, 5030},
      {Outcome::session_unknown, 5002},
      {Outcome::session_forgotten, 5012},
      {Outcome::session_closed, 5002},
      {Outcome::bucket_unknown, 4012},
      {Outcome::account_inactive, 4010},
      {Outcome::account_suspended, 4010},
      {Outcome::account_expired, 4010},
      {Outcome::service_barred, 4010},
      {Outcome::account_one_way, 4010},
      {Outcome::rating_failed, 5031},
      {Outcome::unit_mismatch, 5031},
      {Outcome::amount_invalid, 5031},
      {Outcome::amount_overflow, 5031},
      {Outcome::credit_limit_reached, 4012},
      {Outcome::free_of_charge, 4011},
      // of commands, which no request ends with
      {Outcome::account_exists, 5012},
      {Outcome::identity_taken, 5012},
      {Outcome::account_has_sessions, 5012},
      {Outcome::too_many_identities, 5012},
      {Outcome::other_shard, 5012},
      {Outcome::transfer_pending, 5012},
      {Outcome::account_has_members, 5012},
      {Outcome::too_many_members, 5012},
      {Outcome::too_many_products, 5012},
      {Outcome::refund_too_large, 5031},
      {Outcome::pool_unknown, 5012},
  };
  for (const ledger::OutcomeRow& row : ledger::outcome_table) {
    ASSERT_TRUE(codes.contains(row.outcome)) << row.name;
    EXPECT_EQ(static_cast<u32>(result_code_of(row.outcome)), codes.at(row.outcome)) << row.name;
  }
}

struct MoneyCase {
  diameter::MoneyValue value;
  bool is_understood;
  i64 micros;
};

TEST(Translate, money_is_exact_or_refused) {
  const MoneyCase cases[] = {
      {{12345, -2, 978}, true, 123'450'000},
      {{1, 0, 978}, true, 1'000'000},
      {{1, -6, 978}, true, 1},
      {{10, -7, 978}, true, 1},
      {{1, -7, 978}, false, 0},
      {{15, -7, 978}, false, 0},
      {{-250, -2, 978}, true, -2'500'000},
      {{0, INT32_MAX, 978}, true, 0},
      {{0, INT32_MIN, 978}, true, 0},
      {{1, INT32_MAX, 978}, false, 0},
      {{1, INT32_MIN, 978}, false, 0},
      {{10, INT32_MIN, 978}, false, 0},
      {{9'223'372'036'854, 0, 978}, true, 9'223'372'036'854'000'000},
      {{9'223'372'036'855, 0, 978}, false, 0},
      {{INT64_MAX, -6, 978}, true, INT64_MAX},
      {{INT64_MIN, -6, 978}, true, INT64_MIN},
      {{INT64_MIN, 0, 978}, false, 0},
      {{9, 12, 978}, true, 9'000'000'000'000'000'000},
      {{1, 13, 978}, false, 0},
      // 64537 would be the unit of octets, if numbers wrapped.
      {{1, 0, 1000}, false, 0},
      {{1, 0, 3096}, false, 0},
      {{1, 0, 64537}, false, 0},
      {{1, 0, UINT32_MAX}, false, 0},
  };
  auto request = std::make_unique<diameter::CreditControlRequest>();
  for (const MoneyCase& one : cases) {
    request->type = diameter::RequestType::event;
    request->requested = diameter::Requested::units;
    request->requested_units = {.kinds = diameter::unit_money, .money = one.value};
    ChargeService service;
    const Outcome outcome = write_services(*request, default_profile(), {&service, 1});
    EXPECT_EQ(outcome == Outcome::ok, one.is_understood)
        << one.value.digits << "e" << one.value.exponent << " " << one.value.currency_code;
    if (outcome == Outcome::ok) {
      EXPECT_EQ(service.asked.money.count, one.micros);
    }
  }
}

TEST(Translate, reports_are_added_up_and_never_wrap) {
  auto request = std::make_unique<diameter::CreditControlRequest>();
  request->type = diameter::RequestType::update;
  request->used_count = 2;
  ChargeService service;
  const auto add_up = [&](const diameter::Units& a, const diameter::Units& b) {
    request->used_pool[0] = {.units = a};
    request->used_pool[1] = {.units = b};
    return write_services(*request, default_profile(), {&service, 1});
  };
  EXPECT_EQ(add_up({.kinds = diameter::unit_total_octets, .total_octets = 5},
                   {.kinds = diameter::unit_time, .time_s = 7}),
            Outcome::ok);
  EXPECT_EQ(service.used.total_octets, 5);
  EXPECT_EQ(service.used.time_s, 7u);
  EXPECT_EQ(service.used_kinds, unit_bit::total_octets | unit_bit::time);
  // Each in its own way: what one tells in parts is not lost beside another's total.
  constexpr u8 parts = diameter::unit_input_octets | diameter::unit_output_octets;
  EXPECT_EQ(add_up({.kinds = diameter::unit_total_octets, .total_octets = 5},
                   {.kinds = parts, .input_octets = 7, .output_octets = 11}),
            Outcome::ok);
  EXPECT_EQ(service.used.total_octets, 23);
  EXPECT_NE(service.used_kinds & unit_bit::total_octets, 0);
  EXPECT_EQ(service.used.input_octets, 7);
  const u64 most = INT64_MAX;
  for (const u8 kind : {diameter::unit_total_octets, diameter::unit_input_octets,
                        diameter::unit_output_octets, diameter::unit_service_specific}) {
    const auto units = [&](u64 count) {
      return diameter::Units{.kinds = kind,
                             .total_octets = count,
                             .input_octets = count,
                             .output_octets = count,
                             .service_specific = count};
    };
    EXPECT_EQ(add_up(units(most), units(0)), Outcome::ok);
    EXPECT_EQ(add_up(units(most), units(1)), Outcome::amount_overflow);
    EXPECT_EQ(add_up(units(most + 1), units(0)), Outcome::amount_overflow);
    EXPECT_EQ(add_up(units(UINT64_MAX), units(1)), Outcome::amount_overflow);
  }
  const diameter::Units second{.kinds = diameter::unit_time, .time_s = UINT32_MAX};
  EXPECT_EQ(add_up(second, second), Outcome::amount_overflow);
  // A euro and a dollar are not two of anything.
  EXPECT_EQ(add_up({.kinds = diameter::unit_money, .money = {1, 0, 978}},
                   {.kinds = diameter::unit_money, .money = {1, 0, 840}}),
            Outcome::amount_overflow);
}

TEST(Translate, services_are_counted) {
  auto request = std::make_unique<diameter::CreditControlRequest>();
  EXPECT_EQ(service_count_of(*request), 0u);  // authorisation only
  request->requested = diameter::Requested::empty;
  EXPECT_EQ(service_count_of(*request), 1u);
  request->requested = diameter::Requested::absent;
  request->used_count = 1;
  EXPECT_EQ(service_count_of(*request), 1u);
  request->used_count = 0;
  request->type = diameter::RequestType::event;
  EXPECT_EQ(service_count_of(*request), 1u);
  request->mscc_count = 3;
  EXPECT_EQ(service_count_of(*request), 3u);
}

TEST(Translate, telephone_numbers_come_before_other_names) {
  auto request = std::make_unique<diameter::CreditControlRequest>();
  using diameter::SubscriptionIdType;
  request->subscription_id_pool[0] = {SubscriptionIdType::sip_uri,
                                      as_bytes("sip:alice@ims.example")};
  request->subscription_id_pool[1] = {SubscriptionIdType::nai, as_bytes("alice@nai.example")};
  request->subscription_id_pool[2] = {SubscriptionIdType::imsi, as_bytes("240010123456789")};
  request->subscription_id_pool[3] = {SubscriptionIdType::e164, as_bytes("46701234567")};
  request->subscription_id_pool[4] = {SubscriptionIdType::private_id, as_bytes("alice")};
  request->subscription_id_count = 5;
  std::array<ledger::IdentityKey, identity_keys_max> keys{};
  ASSERT_EQ(identity_keys(*request, keys), 4u);  // the fifth finds no place
  EXPECT_EQ(keys[0].type(), ledger::IdentityType::imsi);
  EXPECT_EQ(keys[1].type(), ledger::IdentityType::msisdn);
  EXPECT_EQ(keys[2].type(), ledger::IdentityType::sip);
  EXPECT_EQ(keys[3].type(), ledger::IdentityType::nai);
  // What is no number, and kinds that nobody knows, are passed over.
  request->subscription_id_pool[0] = {SubscriptionIdType::e164, as_bytes("not a number")};
  request->subscription_id_pool[1] = {static_cast<SubscriptionIdType>(9), as_bytes("1")};
  request->subscription_id_count = 2;
  EXPECT_EQ(identity_keys(*request, keys), 0u);
}

// ---- Answers

class TranslateAnswer : public testing::Test {
 protected:
  TranslateAnswer() {
    const rating::TariffText text{.name = "t.tariff", .text = R"(language 1
plan p {
  currency EUR
  service "a@example.org" {
    meter volume
    rule "web" group 1 { price 0.01EUR per 1MiB
      final redirect "http://top-up.example/" }
    rule "call" group 2 { price 0.01EUR per 1MiB
      final redirect "sip:top-up@ims.example" }
  }
}
)"};
    compiled_ = rating::compile({&text, 1});
    EXPECT_TRUE(compiled_.is_good()) << rating::to_text(compiled_.diagnostics[0]);
    image_ = rating::Image(compiled_.image);
  }

  ResultCode encode(const AnswerFrame& frame) {
    ResultCode code = ResultCode::none;
    const KeptRequest kept{.hop_by_hop = 11,
                           .end_to_end = 12,
                           .number = 13,
                           .kind = RequestKind::update,
                           .is_proxiable = true,
                           .session_id = as_bytes("s;1")};
    octets_.resize(65536);
    octets_.resize(encode_charge_answer({kept, frame, image_, origin_, default_profile()}, scratch_,
                                        octets_, code));
    EXPECT_EQ(decode_answer(octets_, got_), diameter::AnswerFault::none);
    EXPECT_EQ(got_.header.hop_by_hop, 11u);
    EXPECT_EQ(got_.header.end_to_end, 12u);
    EXPECT_TRUE(got_.header.is_proxiable());
    EXPECT_EQ(as_text(got_.session_id), "s;1");
    EXPECT_EQ(got_.result_code, code);
    EXPECT_EQ(got_.header.is_error(), diameter::is_protocol_error(code));
    if (!got_.header.is_error()) {
      EXPECT_EQ(got_.number, 13u);
      EXPECT_EQ(got_.type, diameter::RequestType::update);
    }
    return code;
  }

  static ledger::ServiceAnswer service(ledger::UnitKind kind, i64 granted) {
    return {.rating_group = 10,
            .service_identifier = 7,
            .granted = {granted},
            .validity_s = 600,
            .threshold = 100,
            .flags = ledger::service_flag::has_rating_group |
                     ledger::service_flag::has_service_identifier |
                     ledger::service_flag::is_multiple_services,
            .kind = kind,
            .has_grant = true};
  }
  static AnswerFrame frame_of(const ledger::ServiceAnswer& answer) {
    AnswerFrame frame;
    frame.answer = {.service_count = 1, .first = answer};
    return frame;
  }

  rating::Compiled compiled_;
  rating::Image image_;
  diameter::OriginBlock origin_{"ocs.example", "example"};
  AnswerScratch scratch_;
  std::vector<u8> octets_;
  diameter::ReceivedAnswer got_;
};

TEST_F(TranslateAnswer, grants_in_each_unit) {
  EXPECT_EQ(encode(frame_of(service(ledger::UnitKind::octets, 5'000'000'000))),
            ResultCode::success);
  ASSERT_EQ(got_.mscc_count, 1u);
  EXPECT_EQ(got_.mscc_pool[0].rating_group, 10u);
  EXPECT_EQ(got_.mscc_pool[0].service_identifier, 7u);
  EXPECT_EQ(got_.mscc_pool[0].granted.kinds, diameter::unit_total_octets);
  EXPECT_EQ(got_.mscc_pool[0].granted.total_octets, 5'000'000'000u);
  EXPECT_EQ(got_.mscc_pool[0].validity_time_s, 600u);
  EXPECT_EQ(got_.mscc_pool[0].volume_quota_threshold_octets, 100u);
  EXPECT_FALSE(got_.mscc_pool[0].time_quota_threshold_s);

  encode(
      frame_of(service(ledger::UnitKind::time, 61'999)));  // a second that is not full is not told
  EXPECT_EQ(got_.mscc_pool[0].granted.kinds, diameter::unit_time);
  EXPECT_EQ(got_.mscc_pool[0].granted.time_s, 61u);
  EXPECT_EQ(got_.mscc_pool[0].time_quota_threshold_s, 100u);
  EXPECT_FALSE(got_.mscc_pool[0].volume_quota_threshold_octets);

  encode(frame_of(service(ledger::UnitKind::time, INT64_MAX)));  // as long as CC-Time can say
  EXPECT_EQ(got_.mscc_pool[0].granted.time_s, UINT32_MAX);

  encode(frame_of(service(ledger::UnitKind::events, 3)));
  EXPECT_EQ(got_.mscc_pool[0].granted.kinds, diameter::unit_service_specific);
  EXPECT_EQ(got_.mscc_pool[0].granted.service_specific, 3u);

  encode(frame_of(service(ledger::UnitKind::money, 1'500'000)));
  EXPECT_EQ(got_.mscc_pool[0].granted.kinds, diameter::unit_money);
  EXPECT_EQ(got_.mscc_pool[0].granted.money.digits, 1'500'000);
  EXPECT_EQ(got_.mscc_pool[0].granted.money.exponent, -6);
}

TEST_F(TranslateAnswer, the_final_unit) {
  ledger::ServiceAnswer answer = service(ledger::UnitKind::octets, 1);
  answer.final_action = ledger::FinalAction::terminate;
  encode(frame_of(answer));
  EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::terminate);

  answer.final_action = ledger::FinalAction::redirect;
  for (const u16 number : {1, 2}) {
    answer.text = number;
    encode(frame_of(answer));
    EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::redirect);
    EXPECT_EQ(as_text(got_.mscc_pool[0].redirect_address), image_.redirect(number));
    EXPECT_FALSE(image_.redirect(number).empty());
  }
  answer.text = 99;  // of another tariff: nowhere to go, so the service ends
  encode(frame_of(answer));
  EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::terminate);

  answer.final_action = ledger::FinalAction::restrict_access;
  encode(frame_of(answer));
  EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::restrict_access);

  answer.has_grant = false;
  answer.outcome = Outcome::credit_limit_reached;
  EXPECT_EQ(encode(frame_of(answer)), ResultCode::success);  // the refusal is the service's
  EXPECT_EQ(got_.mscc_pool[0].result_code, ResultCode::credit_limit_reached);
  EXPECT_FALSE(got_.mscc_pool[0].has_granted);
  EXPECT_FALSE(got_.mscc_pool[0].validity_time_s);
  EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::none);
}

TEST_F(TranslateAnswer, AFilterIsNamedWhereAccessIsRestricted) {
  ledger::ServiceAnswer answer = service(ledger::UnitKind::octets, 1);
  answer.final_action = ledger::FinalAction::restrict_to_filter;
  answer.text = 1;
  encode(frame_of(answer));
  EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::restrict_access);
  EXPECT_FALSE(got_.mscc_pool[0].quota_holding_time_s);  // the text is no time
  EXPECT_NE(as_text(octets_).find(image_.redirect(1)), std::string_view::npos);
  EXPECT_EQ(as_text(octets_).find("deny out"), std::string_view::npos);
  answer.text = 99;  // of another tariff: the service ends
  encode(frame_of(answer));
  EXPECT_EQ(got_.mscc_pool[0].final_unit, diameter::FinalUnitAction::terminate);
}

TEST_F(TranslateAnswer, units_at_command_level) {
  ledger::ServiceAnswer answer = service(ledger::UnitKind::time, 60'000);
  answer.flags = 0;
  answer.final_action = ledger::FinalAction::terminate;
  EXPECT_EQ(encode(frame_of(answer)), ResultCode::success);
  EXPECT_EQ(got_.mscc_count, 0u);
  EXPECT_TRUE(got_.has_granted);
  EXPECT_EQ(got_.granted.time_s, 60u);
  EXPECT_EQ(got_.validity_time_s, 600u);
  EXPECT_EQ(got_.final_unit, diameter::FinalUnitAction::terminate);
  answer.outcome = Outcome::credit_limit_reached;
  answer.has_grant = false;
  EXPECT_EQ(encode(frame_of(answer)), ResultCode::credit_limit_reached);
  EXPECT_FALSE(got_.has_granted);
}

TEST_F(TranslateAnswer, refusals_of_the_whole) {
  for (const ledger::OutcomeRow& row : ledger::outcome_table) {
    AnswerFrame frame;
    frame.answer = {};
    frame.answer.outcome = row.outcome;
    EXPECT_EQ(encode(frame), result_code_of(row.outcome)) << row.name;
    EXPECT_EQ(got_.mscc_count, 0u);
  }
}

TEST_F(TranslateAnswer, balance_and_cost) {
  AnswerFrame frame = frame_of(service(ledger::UnitKind::none, 0));
  frame.answer.first.has_grant = false;
  frame.answer.flags = ledger::answer_flag::check_balance;
  encode(frame);
  EXPECT_EQ(got_.check_balance, diameter::CheckBalanceResult::enough_credit);
  frame.answer.service_count = 2;
  frame.more[0] = frame.answer.first;
  frame.more[0].outcome = Outcome::credit_limit_reached;
  EXPECT_EQ(encode(frame), ResultCode::success);
  EXPECT_EQ(got_.check_balance, diameter::CheckBalanceResult::no_credit);
  frame.answer.first.outcome = Outcome::service_barred;
  EXPECT_EQ(encode(frame), ResultCode::end_user_service_denied);
  EXPECT_EQ(got_.check_balance, diameter::CheckBalanceResult::none);

  frame = frame_of(service(ledger::UnitKind::events, 1));
  frame.answer.cost = {100'000};
  frame.answer.cost_unit = Unit::eur;
  frame.answer.flags = ledger::answer_flag::has_cost;
  encode(frame);
  ASSERT_TRUE(got_.cost);
  EXPECT_EQ(got_.cost->digits, 100'000);
  EXPECT_EQ(got_.cost->exponent, -6);
  EXPECT_EQ(got_.cost->currency_code, 978u);
}

TEST_F(TranslateAnswer, as_many_services_as_there_may_be) {
  AnswerFrame frame = frame_of(service(ledger::UnitKind::octets, 1));
  frame.answer.service_count = 64;
  for (u32 i = 1; i < 64; ++i) {
    frame.service(i) = service(ledger::UnitKind::octets, i + 1);
    frame.service(i).rating_group = 10 + i;
    frame.service(i).final_action = ledger::FinalAction::redirect;
    frame.service(i).text = 1;
  }
  EXPECT_EQ(encode(frame), ResultCode::success);
  ASSERT_EQ(got_.mscc_count, 64u);
  for (u32 i = 0; i < 64; ++i) {
    EXPECT_EQ(got_.mscc_pool[i].rating_group, 10 + i);
    EXPECT_EQ(got_.mscc_pool[i].granted.total_octets, i + 1);
  }
}

}  // namespace
}  // namespace tollgate::app
