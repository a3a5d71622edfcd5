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
    add_account("46701234567", "prepaid", {Amount{10'000'000}});
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
  };
  // The answer to a CCR with Rating-Group 10.
  const diameter::ReceivedAnswer& ask(const Ccr& ccr) {
    static diameter::CreditControlRequest request;
    diameter::samples::set_head(request, ccr.type, ccr.number);
    diameter::samples::add_mscc(request, 10).requested = diameter::Requested::empty;
    diameter::PsInformation ps = diameter::samples::ps_information();
    ps.called_station_id = ccr.apn;
    if (!ccr.has_location) ps.user_location = {};
    transport().deliver(peer_, diameter::samples::encode(request, {.ps = &ps}));
    turn();
    answer_octets_ = sent(peer_).at(0);
    EXPECT_EQ(decode_answer(answer_octets_, answer_), diameter::AnswerFault::none);
    return answer_;
  }

 private:
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
