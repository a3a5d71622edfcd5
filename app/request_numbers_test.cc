// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Zones on the whole way: from the AVPs of a call to what it costs in the answer.

#include "app/request_numbers.hh"

#include <gtest/gtest.h>

#include <fstream>

#include "app/net_rig.hh"
#include "diameter/peer_messages.hh"
#include "diameter/sample_messages.hh"
#include "rating/image.hh"

namespace tollgate::app {
namespace {

using dataplane::StreamId;
using diameter::ResultCode;
using Octets = std::vector<u8>;

std::string text_of_file(const std::string& path) {
  std::ifstream file(SOURCE_ROOT "/config/" + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class NumbersRig : public NetRig {
 public:
  NumbersRig(const std::string& sample, const std::string& plan, const std::string& rules)
      : NetRig({.tariff = text_of_file("samples/" + sample), .rules = rules}) {
    add_account("46701234567", plan, {Amount{100'000'000}});
    peer_ = transport().accept("198.18.0.9:5000");
    const diameter::HostAddress host{.octets = {198, 18, 0, 9}};
    const diameter::LocalNode node{.origin = diameter::OriginBlock("as1.example", "example"),
                                   .host_addresses = {&host, 1}};
    Octets message(2048);
    message.resize(diameter::encode_capabilities_request(node, {1, 1}, message));
    transport().deliver(peer_, message);
    poll();
    transport().take_output(peer_);
  }

  struct Call {
    std::string_view called;
    std::string_view network;
    u32 seconds = 60;
  };
  // What the call costs, as its answer tells; a call is an event here, so that its price is told.
  i64 cost_of(const Call& call) {
    static diameter::CreditControlRequest request;
    const std::string session = "as1.example;1;" + std::to_string(++calls_);
    diameter::samples::set_head(request, diameter::RequestType::event, 0);
    request.session_id = as_bytes(session);
    request.service_context_id = as_bytes("32260@3gpp.org");
    request.requested_action = diameter::RequestedAction::direct_debiting;
    request.requested = diameter::Requested::units;
    request.requested_units.kinds = diameter::unit_time;
    request.requested_units.time_s = call.seconds;
    const diameter::ImsInformation ims{.calling_party = "tel:+46701234567",
                                       .called_party = call.called};
    diameter::PsInformation ps = diameter::samples::ps_information();
    ps.sgsn_mcc_mnc = call.network;
    transport().deliver(peer_, diameter::samples::encode(request, {.ps = &ps, .ims = &ims}));
    turn();
    octets_ = sent(peer_).at(0);
    EXPECT_EQ(decode_answer(octets_, answer_), diameter::AnswerFault::none);
    EXPECT_EQ(answer_.result_code, ResultCode::success);
    return answer_.cost ? answer_.cost->digits : -1;
  }

 private:
  StreamId peer_;
  u32 calls_ = 0;
  Octets octets_;
  diameter::ReceivedAnswer answer_;
};

TEST(RequestNumbers, ACallToAnotherZoneCostsItsPriceAndRoamingAsWell) {
  NumbersRig rig("family.tariff", "family", "");
  EXPECT_EQ(rig.cost_of({.called = "tel:+491700000002", .network = "20801"}), 0);
  EXPECT_EQ(rig.cost_of({.called = "tel:+49-30-123456", .network = "26201"}), 90'000);
  EXPECT_EQ(rig.cost_of({.called = "sip:+12125551212@x.example", .network = "26201"}), 1'190'000);
  EXPECT_EQ(rig.cost_of({.called = "tel:+4930123456", .network = "310410", .seconds = 61}),
            2'380'000);
}

// As it is dialled, a number is of no zone; rules make it international.
TEST(RequestNumbers, RulesTranslateNumbersBeforeTheirZoneIsLookedUp) {
  NumbersRig plain("family.tariff", "family", "");
  EXPECT_EQ(plain.cost_of({.called = "tel:030123456", .network = "26201"}), 1'190'000);
  NumbersRig rig("family.tariff", "family", R"(
numbers {
  country "49"
  national "0"
  called from avp "Service-Information/IMS-Information/Called-Party-Address"
}
service voice {
  rule "any" { when called present; set direction originating }
}
)");
  EXPECT_EQ(rig.cost_of({.called = "tel:030123456", .network = "26201"}), 90'000);
}

TEST(RequestNumbers, AZoneThatARuleNamesIsThatOfTheTariff) {
  NumbersRig rig("family.tariff", "family", R"(
service voice {
  rule "a number of the operator's own" {
    when avp "Service-Information/IMS-Information/Called-Party-Address" in "tel:+12345"
    set zone germany
  }
  rule "any" { when avp "Service-Information/IMS-Information/Called-Party-Address" present
               set zone elsewhere }
}
)");
  EXPECT_EQ(rig.cost_of({.called = "tel:+12345", .network = "26201"}), 90'000);
  EXPECT_EQ(rig.cost_of({.called = "tel:+123456", .network = "26201"}), 1'190'000);
  EXPECT_EQ(rig.cost_of({.called = "tel:+4930123456", .network = "26201"}), 90'000);
}

// ---- Usage before and after a change of tariff, and the numbers of its session, in one frame

TEST(RequestNumbers, StandBehindWhatWasUsedAfterAChangeOfTariff) {
  NetRig rig({.tariff = R"(
zones networks { zone home 24001 }
band afternoon { every 12:00-24:00 }
plan p {
  currency EUR
  service data {
    network networks
    rule default { price 1.00EUR per 1MB }
    rule default in home { price 0.04EUR per 1MB }
    rule default in home during afternoon { price 0.01EUR per 1MB }
  }
}
)"});
  const ledger::AccountRef account = rig.add_account("46701234567", "p", {Amount{10'000'000}});
  const StreamId peer = rig.transport().accept("198.18.0.9:5000");
  const diameter::HostAddress host{.octets = {198, 18, 0, 9}};
  const diameter::LocalNode node{.origin = diameter::OriginBlock("pgw1.example", "example"),
                                 .host_addresses = {&host, 1}};
  Octets message(2048);
  message.resize(diameter::encode_capabilities_request(node, {1, 1}, message));
  rig.transport().deliver(peer, message);
  rig.poll();
  rig.transport().take_output(peer);

  const diameter::PsInformation ps = diameter::samples::ps_information();
  static diameter::CreditControlRequest request;
  diameter::samples::set_head(request, diameter::RequestType::initial, 0);
  diameter::samples::add_mscc(request, 10).requested = diameter::Requested::empty;
  rig.wait(Duration::seconds(3100));
  rig.transport().deliver(peer, diameter::samples::encode(request, {.ps = &ps}));
  rig.turn();
  EXPECT_FALSE(rig.sent(peer).empty());  // the watchdog may have asked as well

  rig.wait(Duration::seconds(105));  // noon was five seconds ago
  diameter::samples::set_head(request, diameter::RequestType::termination, 1);
  diameter::RequestMscc& mscc = diameter::samples::add_mscc(request, 10);
  diameter::UsedUnits used;
  used.units.kinds = diameter::unit_total_octets;
  used.units.total_octets = 4'000'000;
  used.tariff_change = diameter::TariffChangeUsage::before;
  diameter::samples::add_used(request, mscc, used);
  used.units.total_octets = 6'000'000;
  used.tariff_change = diameter::TariffChangeUsage::after;
  diameter::samples::add_used(request, mscc, used);
  rig.transport().deliver(peer, diameter::samples::encode(request, {.ps = &ps}));
  rig.turn();
  EXPECT_FALSE(rig.sent(peer).empty());  // the watchdog may have asked as well
  const ledger::Shard shard = rig.charge().shard(account.shard());
  const ledger::Bucket& bucket = shard.bucket(shard.account(account.index()).first_bucket);
  EXPECT_EQ(bucket.consumed.count, 4 * 40'000 + 6 * 10'000);
  EXPECT_EQ(rig.charge().fault(), "");
}

// ---- Where numbers stand

ledger::SessionNumbers numbers_in(const diameter::ServiceFacts& facts, u32 roles = 7) {
  ledger::SessionNumbers numbers;
  read_numbers(facts, roles, numbers);
  return numbers;
}

u32 network(std::string_view digits) {
  return rating::short_number(rating::number_key(digits));
}

TEST(RequestNumbers, AreTakenFromTheFirstPlaceThatHasOne) {
  diameter::ServiceFacts facts{.calling_party = as_bytes("tel:+46701"),
                               .called_party = as_bytes("sip:anna@x.example"),
                               .requested_party = as_bytes("sip:+46(702)@x.example;user=phone")};
  const ledger::SessionNumbers numbers = numbers_in(facts);
  EXPECT_EQ(numbers.origin, rating::number_key("46701"));
  EXPECT_EQ(numbers.destination, rating::number_key("46702"));
  EXPECT_EQ(numbers.network, 0u);
  EXPECT_EQ(numbers_in(facts, 0), ledger::SessionNumbers{});
  EXPECT_EQ(numbers_in({.sms_recipient = as_bytes("4671")}).destination,
            rating::number_key("4671"));
  EXPECT_TRUE(numbers_in({.called_party = as_bytes("tel:")}).is_none());
}

TEST(RequestNumbers, TheNetworkIsTheServersOrTheLocationsOrTheVisitedDomains) {
  const std::array<u8, 8> at_home{0x82, 0x42, 0xf0, 0x10, 0, 0, 0, 0};  // 240 01
  const std::array<u8, 8> abroad{0x82, 0x13, 0x00, 0x14, 0, 0, 0, 0};   // 310 410
  const std::array<u8, 8> nonsense{0x82, 0xff, 0xff, 0xff, 0xff, 0, 0, 0};
  EXPECT_EQ(numbers_in({.sgsn_mcc_mnc = as_bytes("26202"), .user_location = at_home}).network,
            network("26202"));
  EXPECT_EQ(numbers_in({.user_location = at_home}).network, network("24001"));
  EXPECT_EQ(numbers_in({.user_location = abroad}).network, network("310410"));
  EXPECT_EQ(numbers_in({.user_location = nonsense}).network, 0u);
  const auto visited = [](std::string_view domain) {
    std::array<u8, 256> room{};
    diameter::AvpWriter writer(room);
    u8* group = writer.open(diameter::avp::ims_information);
    writer.put_text(diameter::avp::ims_visited_network_identifier, domain);
    writer.close(group);
    return numbers_in({.service_information = Bytes(room).first(writer.size_bytes())}).network;
  };
  EXPECT_EQ(visited("ims.mnc001.mcc240.3gppnetwork.org"), network("24001"));
  EXPECT_EQ(visited("ims.mnc410.mcc310.3gppnetwork.org"), network("310410"));
  EXPECT_EQ(visited("ims.example"), 0u);
  EXPECT_EQ(visited("mcc240"), 0u);
  EXPECT_EQ(visited(""), 0u);
}

TEST(RequestNumbers, WhatIsNotSaidStaysWhatIsKnown) {
  const ledger::SessionNumbers known{.origin = 1, .destination = 2, .network = 3, .zone = 4};
  ledger::SessionNumbers nothing;
  fill_numbers(known, nothing);
  EXPECT_EQ(nothing, known);
  ledger::SessionNumbers moved{.network = 5};
  fill_numbers(known, moved);
  EXPECT_EQ(moved, (ledger::SessionNumbers{.origin = 1, .destination = 2, .network = 5}));
}

}  // namespace
}  // namespace tollgate::app
