// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/request_template.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "diameter/credit_control.hh"
#include "diameter/decode.hh"
#include "tools/tollload/digits.hh"

namespace tollgate::tollload {
namespace {

std::string text_of_digits(u64 digits) {
  std::string text(8, ' ');
  std::memcpy(text.data(), &digits, sizeof digits);
  return text;
}

TEST(DigitsTest, AreThoseOfTheNumber) {
  for (u64 value = 0; value < digits8_end; value += 1 + value / 7) {
    const auto number = static_cast<u32>(value);
    ASSERT_EQ(text_of_digits(decimal8(number)), fmt::format("{:08}", number));
    ASSERT_EQ(text_of_digits(hexadecimal8(number)), fmt::format("{:08x}", number));
  }
  for (u32 value = 0; value < 10'000; ++value)
    ASSERT_EQ(text_of_digits(decimal8(value * 10'000 + 9'999 - value)),
              fmt::format("{:04}{:04}", value, 9'999 - value));
  EXPECT_EQ(text_of_digits(decimal8(99'999'999)), "99999999");
  EXPECT_EQ(text_of_digits(hexadecimal8(0xffffffff)), "ffffffff");
  EXPECT_EQ(text_of_digits(hexadecimal8(0x9a0b1c2d)), "9a0b1c2d");
}

constexpr ServiceUse example_use{
    .rating_group = 10, .service_identifier = 7, .requested = 50'000, .used = 900};
constexpr RequestFields example_fields{.hop_by_hop = 0x11223344,
                                       .end_to_end = 0x55667788,
                                       .slot = 0x00abcdef,
                                       .incarnation = 0x00000102,
                                       .number = 77,
                                       .event_time = 3'900'000'000,
                                       .msisdn_low = 12'345'678,
                                       .imsi_low = 87'654'321,
                                       .used = 1'234};

// Writes the example request of a service and type, and decodes it.
class RequestTemplateTest : public testing::Test {
 protected:
  const diameter::CreditControlRequest& make(Service service, RequestType type,
                                             RequestFields fields = example_fields) {
    const RequestTemplate request(identities_, service, example_use, type);
    octets_.assign(request.size_bytes(), 0xee);
    request.write(fields, octets_.data());
    diameter::Refusal refusal;
    EXPECT_TRUE(diameter::decode_credit_control_request(octets_, *decoded_, refusal))
        << static_cast<u32>(refusal.result_code());
    EXPECT_EQ(decoded_->header.length_bytes, octets_.size());
    return *decoded_;
  }

  Identities identities_{.run_number = 0x0badcafe};
  std::vector<u8> octets_;
  std::unique_ptr<diameter::CreditControlRequest> decoded_ =
      std::make_unique<diameter::CreditControlRequest>();
};

TEST_F(RequestTemplateTest, HoldsWhatWasPatched) {
  for (const Service service : all_services) {
    for (u32 type = 1; type < 5; ++type) {
      const auto& request = make(service, static_cast<RequestType>(type));
      EXPECT_EQ(request.header.hop_by_hop, 0x11223344U);
      EXPECT_EQ(request.header.end_to_end, 0x55667788U);
      EXPECT_EQ(request.header.flags, diameter::flag_request | diameter::flag_proxiable);
      EXPECT_EQ(as_text(request.session_id), "ctf.tollload.example;0badcafe;00abcdef;00000102");
      EXPECT_EQ(as_text(request.origin_host), "ctf.tollload.example");
      EXPECT_EQ(static_cast<u32>(request.type), type);
      EXPECT_EQ(request.number, 77U);
      ASSERT_TRUE(request.event_timestamp.has_value());
      EXPECT_EQ(diameter::time_of_instant(*request.event_timestamp), 3'900'000'000U);
      ASSERT_EQ(request.subscription_id_count, 2U);
      EXPECT_EQ(as_text(request.subscription_id_pool[0].data), "46712345678");
      EXPECT_EQ(as_text(request.subscription_id_pool[1].data), "240010087654321");
      EXPECT_EQ(as_text(request.service_context_id), text_of(service).context);
      ASSERT_EQ(request.mscc_count, 1U);
      EXPECT_EQ(request.mscc()[0].rating_group, 10U);
      EXPECT_EQ(request.service_identifier_pool[0], 7U);
    }
  }
}

TEST_F(RequestTemplateTest, AsksAndReportsInTheUnitOfItsService) {
  for (const Service service : all_services) {
    const u8 unit = text_of(service).unit;
    const auto& initial = make(service, RequestType::initial);
    EXPECT_EQ(initial.mscc()[0].requested, diameter::Requested::units);
    EXPECT_EQ(initial.mscc()[0].requested_units.kinds, unit);
    EXPECT_TRUE(initial.used_of(initial.mscc()[0]).empty());
    EXPECT_EQ(initial.multiple_services_indicator, 1U);

    const auto& update = make(service, RequestType::update);
    EXPECT_EQ(update.mscc()[0].requested_units.kinds, unit);
    ASSERT_EQ(update.used_of(update.mscc()[0]).size(), 1U);
    EXPECT_TRUE(update.used_pool[0].units.has(unit));

    const auto& termination = make(service, RequestType::termination);
    EXPECT_EQ(termination.mscc()[0].requested, diameter::Requested::absent);
    EXPECT_EQ(termination.mscc()[0].reason, diameter::ReportingReason::final_report);
    EXPECT_EQ(termination.termination_cause, 1U);
    EXPECT_EQ(termination.used_pool[0].units.has(unit), true);
  }
  const auto& data = make(Service::data, RequestType::update);
  EXPECT_EQ(data.used_pool[0].units.total_octets, 1'234U);
  EXPECT_EQ(data.used_pool[0].units.input_octets + data.used_pool[0].units.output_octets, 1'234U);
  EXPECT_EQ(data.mscc()[0].requested_units.total_octets, 50'000U);
  const auto& voice = make(Service::voice, RequestType::update);
  EXPECT_EQ(voice.used_pool[0].units.time_s, 1'234U);
  EXPECT_EQ(as_text(voice.facts.calling_party), "tel:+46712345678");
  EXPECT_EQ(as_text(voice.facts.called_party), "tel:+46850000000");
  const auto& sms = make(Service::sms, RequestType::event);
  EXPECT_EQ(sms.requested_action, diameter::RequestedAction::direct_debiting);
  EXPECT_EQ(as_text(sms.facts.sms_recipient), "46731000000");
}

TEST_F(RequestTemplateTest, DataUpdateIsAsLargeAsThoseOfGateways) {
  const auto& request = make(Service::data, RequestType::update);
  EXPECT_NEAR(static_cast<int>(request.header.length_bytes), 750, 25);
  EXPECT_EQ(as_text(request.facts.called_station_id), "internet");
  EXPECT_EQ(as_text(request.facts.sgsn_mcc_mnc), "24001");
  EXPECT_EQ(request.facts.user_location.size(), 8U);
}

TEST_F(RequestTemplateTest, NumbersTheHostsOfSeveralConnections) {
  identities_.hosts_are_numbered = true;
  RequestFields fields = example_fields;
  fields.host_digits = host_digits(1234);
  const auto& request = make(Service::data, RequestType::update, fields);
  EXPECT_EQ(as_text(request.origin_host), "ctf1234.tollload.example");
  EXPECT_EQ(as_text(request.origin_host), host_of(identities_, 1234));
  EXPECT_EQ(as_text(request.session_id), session_id_of(identities_, 1234, 0xabcdef, 0x102));
}

TEST_F(RequestTemplateTest, SaysThatItIsSentAgain) {
  RequestFields fields = example_fields;
  fields.is_retransmitted = true;
  EXPECT_TRUE(make(Service::data, RequestType::update, fields).header.is_retransmitted());
}

}  // namespace
}  // namespace tollgate::tollload
