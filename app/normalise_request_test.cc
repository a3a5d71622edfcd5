// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Normalising rules on the whole way: from octets to octets.

#include "app/normalise_request.hh"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/avp_names.hh"
#include "app/net_rig.hh"
#include "diameter/dictionary.hh"
#include "diameter/peer_messages.hh"
#include "diameter/sample_messages.hh"

namespace tollgate::app {
namespace {

using dataplane::StreamId;
using diameter::ResultCode;
using Octets = std::vector<u8>;

// Group 20 is free in the demonstration's tariff, 30 is barred.
constexpr const char* rules = R"(
service data {
  rule "operator's pages" {
    when avp "Service-Information/PS-Information/Called-Station-Id" in "pages"
    set rating-group 20
  }
  rule "blocked" {
    when avp "Service-Information/PS-Information/Called-Station-Id" prefix "bad."
    set rating-group 30
  }
  rule "all others" {
    when avp "Service-Information/PS-Information/Called-Station-Id" matches "^(internet|web)$"
    when avp "Service-Information/PS-Information/3GPP-User-Location-Info" as plmn prefix "240"
    set location home
  }
}
)";

class RulesRig : public NetRig {
 public:
  explicit RulesRig(const std::string& text) : NetRig({.rules = text}) {
    account_ = add_account("46701234567", "prepaid", {Amount{10'000'000}});
    peer_ = transport().accept("198.18.0.9:5000");
    const diameter::HostAddress host{.octets = {198, 18, 0, 9}};
    const diameter::LocalNode node{.origin = diameter::OriginBlock("pgw1.example", "example"),
                                   .host_addresses = {&host, 1}};
    Octets message(2048);
    message.resize(diameter::encode_capabilities_request(node, {1, 1}, message));
    transport().deliver(peer_, message);
    poll();
    transport().take_output(peer_);
  }

  struct Ccr {
    diameter::RequestType type = diameter::RequestType::initial;
    u32 number = 0;
    std::string apn = "internet";
    bool has_location = true;
    u64 used_octets = 0;
    u32 rating_group = 10;
    bool has_parts = true;  // else the units stand at command level
    bool is_wanted = true;
  };
  // The answer to a CCR with one service, of Rating-Group 10 if it says nothing else.
  const diameter::ReceivedAnswer& ask(const Ccr& ccr) {
    static diameter::CreditControlRequest request;
    diameter::samples::set_head(request, ccr.type, ccr.number);
    add_service(request, ccr);
    diameter::PsInformation ps = diameter::samples::ps_information();
    ps.called_station_id = ccr.apn;
    if (!ccr.has_location) ps.user_location = {};
    transport().deliver(peer_, diameter::samples::encode(request, {.ps = &ps}));
    turn();
    answer_octets_ = sent(peer_).at(0);
    EXPECT_EQ(decode_answer(answer_octets_, answer_), diameter::AnswerFault::none);
    return answer_;
  }
  const Octets& answer_octets() const { return answer_octets_; }

  i64 consumed() { return bucket().consumed.count; }
  i64 held() { return bucket().reserved.count; }
  u64 told(ledger::Outcome outcome) {
    u32 row = 0;
    while (ledger::outcome_table[row].outcome != outcome) ++row;
    return charge().counters().told[row - 1];
  }

 private:
  static void add_service(diameter::CreditControlRequest& request, const Ccr& ccr) {
    diameter::UsedUnits used;
    used.units.kinds = diameter::unit_total_octets;
    used.units.total_octets = ccr.used_octets;
    const auto wanted = ccr.is_wanted ? diameter::Requested::empty : diameter::Requested::absent;
    if (ccr.has_parts) {
      diameter::RequestMscc& mscc = diameter::samples::add_mscc(request, ccr.rating_group);
      mscc.requested = wanted;
      if (ccr.used_octets != 0) diameter::samples::add_used(request, mscc, used);
      return;
    }
    request.requested = wanted;
    if (ccr.used_octets == 0) return;
    request.used_pool[request.used_pool_count++] = used;
    request.used_count = 1;
  }
  const ledger::Bucket& bucket() {
    const ledger::Shard shard = charge().shard(account_.shard());
    return shard.bucket(shard.account(account_.index()).first_bucket);
  }

  ledger::AccountRef account_;
  StreamId peer_;
  Octets answer_octets_;
  diameter::ReceivedAnswer answer_;
};

TEST(NormaliseRequest, PricesByTheGroupThatARuleSetsAndMirrorsTheClients) {
  RulesRig rig(rules);
  const diameter::ReceivedAnswer& free = rig.ask({.apn = "pages"});
  EXPECT_EQ(free.result_code, ResultCode::success);
  ASSERT_EQ(free.mscc_count, 1u);
  EXPECT_EQ(free.mscc()[0].rating_group, 10u);
  EXPECT_EQ(free.mscc()[0].granted.total_octets, 100_MiB);
  EXPECT_EQ(rig.counter("normalised"), 1u);
}

TEST(NormaliseRequest, BarsWhatARuleBars) {
  RulesRig rig(rules);
  const diameter::ReceivedAnswer& barred = rig.ask({.apn = "bad.example"});
  ASSERT_EQ(barred.mscc_count, 1u);
  EXPECT_EQ(barred.mscc()[0].result_code, ResultCode::end_user_service_denied);
}

TEST(NormaliseRequest, LeavesWhatRulesDoNotSet) {
  RulesRig rig(rules);
  const diameter::ReceivedAnswer& plain = rig.ask({});
  ASSERT_EQ(plain.mscc_count, 1u);
  EXPECT_EQ(plain.mscc()[0].granted.total_octets, 10_MiB);
}

TEST(NormaliseRequest, RefusesWith5031AndTheAvpAsItCame) {
  RulesRig rig(rules);
  const diameter::ReceivedAnswer& refused = rig.ask({.apn = "strange"});
  EXPECT_EQ(refused.result_code, ResultCode::rating_failed);
  EXPECT_EQ(rig.counter("refused_no_rule"), 1u);
  // Service-Information { PS-Information { Called-Station-Id } }
  diameter::Avp avp;
  ASSERT_TRUE(find_first(refused.failed_avps, diameter::avp::service_information, avp));
  ASSERT_TRUE(find_first(avp.data(), diameter::avp::ps_information, avp));
  ASSERT_TRUE(find_first(avp.data(), diameter::avp::called_station_id, avp));
  EXPECT_EQ(as_text(avp.data()), "strange");
}

TEST(NormaliseRequest, TellsAnExampleOfAnAvpThatIsMissing) {
  RulesRig rig(rules);
  const diameter::ReceivedAnswer& refused = rig.ask({.has_location = false});
  EXPECT_EQ(refused.result_code, ResultCode::rating_failed);
  EXPECT_EQ(rig.counter("refused_avp_missing"), 1u);
  diameter::Avp avp;
  ASSERT_TRUE(find_first(refused.failed_avps, diameter::avp::service_information, avp));
  ASSERT_TRUE(find_first(avp.data(), diameter::avp::ps_information, avp));
  EXPECT_TRUE(find_first(avp.data(), {22, 10415}, avp));
}

TEST(NormaliseRequest, ASessionCanAlwaysEnd) {
  RulesRig rig(rules);
  EXPECT_EQ(rig.ask({}).result_code, ResultCode::success);
  const diameter::ReceivedAnswer& ended =
      rig.ask({.type = diameter::RequestType::termination, .number = 1, .apn = "strange"});
  EXPECT_EQ(ended.result_code, ResultCode::success);
}

// ---- What was used is booked, whatever the rules say of the message that tells it

constexpr auto update = diameter::RequestType::update;

// In the demonstration's tariff 2 MB of group 10 are 20 blocks at 0.01 EUR.
TEST(NormaliseRequest, AnUpdateThatNoRuleFitsIsBookedAndGrantedNothing) {
  RulesRig rig(rules);
  EXPECT_EQ(rig.ask({}).result_code, ResultCode::success);
  EXPECT_GT(rig.held(), 0);
  const RulesRig::Ccr strange{
      .type = update, .number = 1, .apn = "strange", .used_octets = 2'000'000};
  const diameter::ReceivedAnswer& refused = rig.ask(strange);
  EXPECT_EQ(refused.result_code, ResultCode::success);
  ASSERT_EQ(refused.mscc_count, 1u);
  EXPECT_EQ(refused.mscc()[0].rating_group, 10u);
  EXPECT_EQ(refused.mscc()[0].result_code, ResultCode::rating_failed);
  EXPECT_EQ(refused.mscc()[0].granted.kinds, 0);
  diameter::Avp avp;
  ASSERT_TRUE(find_first(refused.failed_avps, diameter::avp::rating_group, avp));
  EXPECT_EQ(avp.as_u32(), 10u);
  EXPECT_EQ(rig.counter("refused_no_rule"), 1u);
  EXPECT_EQ(rig.counter("priced_as_came"), 1u);
  const i64 paid = rig.consumed();
  EXPECT_EQ(paid, 200'000);
  EXPECT_EQ(rig.held(), 0);

  // Repeated: the same octets, and nothing moves.
  const Octets first = rig.answer_octets();
  rig.ask(strange);
  EXPECT_EQ(rig.answer_octets(), first);
  EXPECT_EQ(rig.consumed(), paid);

  // The session goes on as soon as a rule fits again.
  const diameter::ReceivedAnswer& good = rig.ask({.type = update, .number = 2});
  ASSERT_EQ(good.mscc_count, 1u);
  EXPECT_EQ(good.mscc()[0].granted.total_octets, 10_MiB);
  EXPECT_EQ(rig.charge().fault(), "");
}

TEST(NormaliseRequest, AtCommandLevelTheRefusalIsOfTheMessage) {
  RulesRig rig(rules);
  EXPECT_EQ(rig.ask({.has_parts = false}).result_code, ResultCode::success);
  const diameter::ReceivedAnswer& refused = rig.ask({.type = update,
                                                     .number = 1,
                                                     .has_location = false,
                                                     .used_octets = 2'000'000,
                                                     .has_parts = false});
  EXPECT_EQ(refused.result_code, ResultCode::rating_failed);
  EXPECT_EQ(refused.mscc_count, 0u);
  EXPECT_EQ(rig.counter("refused_avp_missing"), 1u);
  EXPECT_EQ(rig.consumed(), 200'000);
  EXPECT_EQ(rig.charge().fault(), "");
}

TEST(NormaliseRequest, AReportAloneIsBookedAndIsNoRefusal) {
  RulesRig rig(rules);
  EXPECT_EQ(rig.ask({}).result_code, ResultCode::success);
  const diameter::ReceivedAnswer& booked = rig.ask({.type = update,
                                                    .number = 1,
                                                    .apn = "strange",
                                                    .used_octets = 2'000'000,
                                                    .is_wanted = false});
  ASSERT_EQ(booked.mscc_count, 1u);
  EXPECT_EQ(booked.mscc()[0].result_code, ResultCode::success);
  EXPECT_EQ(rig.counter("refused_no_rule"), 0u);
  EXPECT_EQ(rig.counter("priced_as_came"), 1u);
  EXPECT_EQ(rig.consumed(), 200'000);
}

TEST(NormaliseRequest, AReportWhoseOwnGroupHasNoPriceIsRefusedByName) {
  RulesRig rig(rules);
  EXPECT_EQ(rig.ask({.apn = "pages", .rating_group = 99}).mscc()[0].result_code,
            ResultCode::success);
  const diameter::ReceivedAnswer& refused = rig.ask({.type = update,
                                                     .number = 1,
                                                     .apn = "strange",
                                                     .used_octets = 2'000'000,
                                                     .rating_group = 99});
  ASSERT_EQ(refused.mscc_count, 1u);
  EXPECT_EQ(refused.mscc()[0].result_code, ResultCode::rating_failed);
  EXPECT_EQ(rig.consumed(), 0);
  EXPECT_EQ(rig.told(ledger::Outcome::rating_failed), 1u);
}

TEST(NormaliseRequest, AnInitialThatNoRuleFitsStaysRefusedWhole) {
  RulesRig rig(rules);
  EXPECT_EQ(rig.ask({.apn = "strange"}).result_code, ResultCode::rating_failed);
  EXPECT_EQ(rig.ask({.type = update, .number = 1, .used_octets = 2'000'000}).result_code,
            ResultCode::unknown_session_id);
  EXPECT_EQ(rig.consumed(), 0);
}

TEST(NormaliseRequest, WithoutRulesNobodyLooks) {
  RulesRig rig("");
  EXPECT_EQ(rig.ask({.apn = "strange"}).result_code, ResultCode::success);
  EXPECT_EQ(rig.counter("normalised"), 0u);
}

TEST(NormaliseRequest, NamesOfTheDictionary) {
  const DictionaryNames names;
  rating::AvpName found;
  ASSERT_TRUE(names.find("Called-Station-Id", rating::AvpPlace::last, found));
  EXPECT_EQ(found.id, (rating::AvpStep{30, 0}));
  EXPECT_EQ(found.form, rating::FieldForm::text);
  ASSERT_TRUE(names.find("Role-Of-Node", rating::AvpPlace::last, found));
  EXPECT_EQ(found.form, rating::FieldForm::number);
  // One name, a text of one specification and a group of another.
  ASSERT_TRUE(names.find("Recipient-Address", rating::AvpPlace::group, found));
  EXPECT_EQ(found.id, (rating::AvpStep{1201, 10415}));
  ASSERT_TRUE(names.find("Recipient-Address", rating::AvpPlace::last, found));
  EXPECT_EQ(found.id, (rating::AvpStep{1108, 10415}));
  EXPECT_FALSE(names.find("Called-Station-ID", rating::AvpPlace::last, found));
  EXPECT_EQ(names.nearest("Called-Station-ID"), "Called-Station-Id");
}

// The samples' own examples are verified as they are compiled.
TEST(NormaliseRequest, SamplesAreGood) {
  std::vector<rating::TariffText> texts;
  std::vector<rating::TariffText> others;
  for (const auto& entry : std::filesystem::directory_iterator(SOURCE_ROOT "/config/normalise")) {
    std::ifstream file(entry.path());
    auto& kind = entry.path().extension() == ".normalise" ? texts : others;
    kind.push_back({.name = entry.path().string(),
                    .text = std::string(std::istreambuf_iterator<char>(file), {})});
  }
  const DictionaryNames names;
  const rating::NormaliseCompiled compiled = rating::compile_normalise({texts, others, names});
  for (const rating::Diagnostic& one : compiled.diagnostics) ADD_FAILURE() << to_text(one);
  EXPECT_GE(compiled.rule_count, 20u);
  EXPECT_GE(compiled.example_count, 12u);
}

}  // namespace
}  // namespace tollgate::app
