// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/answer_check.hh"

#include <gtest/gtest.h>

#include <functional>

#include "diameter/wire.hh"
#include "tools/tollload/request_template.hh"

namespace tollgate::tollload {
namespace {

using diameter::AnswerMscc;
using diameter::CreditControlAnswer;
using diameter::ResultCode;

constexpr std::string_view prefix = "ctf.tollload.example;0badcafe;";
constexpr std::string_view session_id = "ctf.tollload.example;0badcafe;00abcdef;00000102";

Expected example_expected() {
  return {.end_to_end = 0x55667788,
          .session_prefix = as_bytes(prefix),
          .slot = 0xabcdef,
          .incarnation = 0x102,
          .type = RequestType::update,
          .number = 5,
          .rating_group = 10,
          .service_identifier = 7,
          .unit = diameter::unit_total_octets,
          .requested = 50'000};
}

// An answer that is right, until a test changes it.
class Answer {
 public:
  Answer() : origin_("ocs.tollgate.example", "tollgate.example") {
    mscc.granted = {.kinds = diameter::unit_total_octets, .total_octets = 50'000};
    mscc.service_identifiers = {&identifier, 1};
    mscc.rating_group = 10;
    mscc.validity_time_s = 600;
    mscc.result_code = ResultCode::success;
    answer = {.hop_by_hop = 1,
              .end_to_end = 0x55667788,
              .is_proxiable = true,
              .session_id = as_bytes(session_id),
              .origin = &origin_,
              .type = RequestType::update,
              .number = 5,
              .mscc = {&mscc, 1}};
  }
  Answer(const Answer&) = delete;

  AnswerFault check() {
    octets.resize(2048);
    octets.resize(diameter::encode_answer(answer, octets));
    if (alter_octets) alter_octets(octets);
    return check_answer(octets, expected, facts);
  }

  u32 identifier = 7;
  AnswerMscc mscc;
  CreditControlAnswer answer;
  Expected expected = example_expected();
  AnswerFacts facts;
  std::vector<u8> octets;
  std::function<void(std::vector<u8>&)> alter_octets;

 private:
  diameter::OriginBlock origin_;
};

struct Row {
  const char* name;
  AnswerFault fault;
  std::function<void(Answer&)> change;
};

// Changes octets until the walk over them fails or a given AVP has another code.
void rename_avp(std::vector<u8>& octets, u32 from, u32 to) {
  for (std::size_t at = 20; at + 8 <= octets.size();) {
    if (diameter::load_u32(&octets[at]) == from) return diameter::store_u32(&octets[at], to);
    at += diameter::padded(diameter::load_u32(&octets[at + 4]) & 0xffffff);
  }
  FAIL() << "no AVP " << from;
}

Row renamed(const char* name, u32 code) {
  return {name, AnswerFault::missing_avp, [code](Answer& a) {
            a.alter_octets = [code](auto& octets) { rename_avp(octets, code, 9999); };
          }};
}

std::vector<Row> rows_of_the_message() {
  using F = AnswerFault;
  return {
      {"right", F::none, [](Answer&) {}},
      {"request", F::header_flags,
       [](Answer& a) { a.alter_octets = [](auto& o) { o[4] |= 0x80; }; }},
      {"retransmitted", F::header_flags,
       [](Answer& a) { a.alter_octets = [](auto& o) { o[4] |= 0x10; }; }},
      {"not proxiable", F::header_flags, [](Answer& a) { a.answer.is_proxiable = false; }},
      {"error flag with success", F::header_flags,
       [](Answer& a) { a.alter_octets = [](auto& o) { o[4] |= 0x20; }; }},
      {"other application", F::application,
       [](Answer& a) { a.alter_octets = [](auto& o) { o[11] = 3; }; }},
      {"other end-to-end", F::end_to_end, [](Answer& a) { a.answer.end_to_end ^= 1; }},
      {"cut short", F::malformed,
       [](Answer& a) { a.alter_octets = [](auto& o) { o.resize(o.size() - 8); }; }},
      renamed("no Session-Id", 263),
      renamed("no Result-Code", 268),
      renamed("no Origin-Host", 264),
      renamed("no Origin-Realm", 296),
      renamed("no Auth-Application-Id", 258),
      renamed("no CC-Request-Type", 416),
      renamed("no CC-Request-Number", 415),
  };
}

std::vector<Row> rows_of_the_head() {
  using F = AnswerFault;
  return {
      {"other session", F::session_id,
       [](Answer& a) {
         a.answer.session_id = as_bytes("ctf.tollload.example;0badcafe;00abcdef;00000103");
       }},
      {"other slot", F::session_id,
       [](Answer& a) {
         a.answer.session_id = as_bytes("ctf.tollload.example;0badcafe;00abcdee;00000102");
       }},
      {"other run", F::session_id,
       [](Answer& a) {
         a.answer.session_id = as_bytes("ctf.tollload.example;0badcaff;00abcdef;00000102");
       }},
      {"longer session", F::session_id,
       [](Answer& a) {
         a.answer.session_id = as_bytes("ctf.tollload.example;0badcafe;00abcdef;000001020");
       }},
      {"other type", F::request_type, [](Answer& a) { a.answer.type = RequestType::initial; }},
      {"other number", F::request_number, [](Answer& a) { a.answer.number = 6; }},
      {"rating failed", F::result_code,
       [](Answer& a) { a.answer.result_code = ResultCode::rating_failed; }},
      {"unable to deliver", F::result_code,
       [](Answer& a) { a.answer.result_code = ResultCode::unable_to_deliver; }},
      {"too busy", F::none, [](Answer& a) { a.answer.result_code = ResultCode::too_busy; }},
      {"no credit", F::none,
       [](Answer& a) {
         a.answer.result_code = ResultCode::credit_limit_reached;
         a.answer.mscc = {};
       }},
  };
}

std::vector<Row> rows_of_the_service() {
  using F = AnswerFault;
  static AnswerMscc two[2];
  return {
      {"no services", F::mscc_missing, [](Answer& a) { a.answer.mscc = {}; }},
      {"two services", F::mscc_repeated,
       [](Answer& a) {
         two[0] = two[1] = a.mscc;
         a.answer.mscc = two;
       }},
      {"service without result", F::mscc_result_code,
       [](Answer& a) { a.mscc.result_code = ResultCode::none; }},
      {"service denied", F::mscc_result_code,
       [](Answer& a) { a.mscc.result_code = ResultCode::end_user_service_denied; }},
      {"no credit for the service", F::none,
       [](Answer& a) {
         a.mscc.result_code = ResultCode::credit_limit_reached;
         a.mscc.granted = {};
       }},
      {"no credit, and a grant", F::grant_unasked,
       [](Answer& a) { a.mscc.result_code = ResultCode::credit_limit_reached; }},
      {"other group", F::rating_group, [](Answer& a) { a.mscc.rating_group = 11; }},
      {"no group", F::rating_group, [](Answer& a) { a.mscc.rating_group.reset(); }},
      {"other identifier", F::service_identifier, [](Answer& a) { a.identifier = 8; }},
  };
}

std::vector<Row> rows_of_the_grant() {
  using F = AnswerFault;
  return {
      {"no grant", F::grant_missing, [](Answer& a) { a.mscc.granted = {}; }},
      {"grant in time", F::grant_unit,
       [](Answer& a) { a.mscc.granted = {.kinds = diameter::unit_time, .time_s = 50'000}; }},
      {"more than asked", F::grant_amount, [](Answer& a) { a.mscc.granted.total_octets = 50'001; }},
      {"less than asked", F::grant_amount, [](Answer& a) { a.mscc.granted.total_octets = 49'999; }},
      {"less, the last", F::none,
       [](Answer& a) {
         a.mscc.granted.total_octets = 49'999;
         a.mscc.final_unit.action = diameter::FinalUnitAction::terminate;
       }},
      {"more, the last", F::grant_amount,
       [](Answer& a) {
         a.mscc.granted.total_octets = 50'001;
         a.mscc.final_unit.action = diameter::FinalUnitAction::terminate;
       }},
      {"any grant", F::none,
       [](Answer& a) {
         a.expected.any_grant = true;
         a.mscc.granted.total_octets = 3;
       }},
      {"any grant but none", F::grant_amount,
       [](Answer& a) {
         a.expected.any_grant = true;
         a.mscc.granted.total_octets = 0;
       }},
      {"grant to the last request", F::grant_unasked, [](Answer& a) { a.expected.requested = 0; }},
      {"last request, no services", F::none,
       [](Answer& a) {
         a.expected.requested = 0;
         a.expected.type = a.answer.type = RequestType::termination;
         a.answer.mscc = {};
       }},
  };
}

TEST(AnswerCheckTest, FindsWhatIsWrong) {
  for (const auto& rows :
       {rows_of_the_message(), rows_of_the_head(), rows_of_the_service(), rows_of_the_grant()}) {
    for (const Row& row : rows) {
      Answer answer;
      row.change(answer);
      EXPECT_EQ(text_of(answer.check()).name, text_of(row.fault).name) << row.name;
    }
  }
}

TEST(AnswerCheckTest, TellsTheFacts) {
  Answer success;
  EXPECT_EQ(success.check(), AnswerFault::none);
  EXPECT_EQ(success.facts.outcome, Outcome::success);
  EXPECT_EQ(success.facts.deciding_code(), 2001U);
  EXPECT_EQ(success.facts.granted, 50'000U);

  Answer busy;
  busy.answer.result_code = ResultCode::too_busy;
  EXPECT_EQ(busy.check(), AnswerFault::none);
  EXPECT_EQ(busy.facts.outcome, Outcome::too_busy);

  Answer refused;
  refused.mscc.result_code = ResultCode::credit_limit_reached;
  refused.mscc.granted = {};
  EXPECT_EQ(refused.check(), AnswerFault::none);
  EXPECT_EQ(refused.facts.outcome, Outcome::refused);
  EXPECT_EQ(refused.facts.deciding_code(), 4012U);
}

// Whatever the octets are, looking at them does no harm, and no cut answer is a right one.
TEST(AnswerCheckTest, SurvivesEveryCutAndEveryChangedOctet) {
  Answer whole;
  ASSERT_EQ(whole.check(), AnswerFault::none);
  const std::vector<u8> octets = whole.octets;
  AnswerFacts facts;
  for (std::size_t size = 20; size < octets.size(); ++size) {
    const std::vector<u8> cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_NE(check_answer(cut, whole.expected, facts), AnswerFault::none) << size;
  }
  for (std::size_t at = 0; at < octets.size(); ++at) {
    for (u32 bit = 0; bit < 8; ++bit) {
      std::vector<u8> changed = octets;
      changed[at] = static_cast<u8>(changed[at] ^ (1U << bit));
      static_cast<void>(check_answer(changed, whole.expected, facts));
    }
  }
}

}  // namespace
}  // namespace tollgate::tollload
