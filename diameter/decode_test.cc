// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Refusals: octets in, Result-Code and Failed-AVP out (RFC 6733 sections 7.1 and 7.5).
#include "diameter/decode.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "diameter/credit_control_put.hh"
#include "diameter/sample_messages.hh"

namespace tollgate::diameter {
namespace {

using samples::Message;
using Put = std::function<void(AvpWriter&)>;

std::string hex(Bytes octets) {
  std::string text;
  for (const u8 octet : octets) {
    constexpr char digits[] = "0123456789abcdef";
    text += digits[octet >> 4];
    text += digits[octet & 15];
  }
  return text;
}

Message avps(const Put& put) {
  Message octets(8192);
  AvpWriter writer(octets);
  put(writer);
  octets.resize(writer.size_bytes());
  return octets;
}

struct Without {
  bool session_id = false, origin_host = false, destination_realm = false, application = false,
       context = false, type = false, number = false;
};

// A CCR-I that is right, without some of its head, with something behind.
Message request_with(const Put& put, const Without& without = {}) {
  const Message body = avps([&](AvpWriter& writer) {
    if (!without.session_id) writer.put_text(avp::session_id, "s;1;1");
    if (!without.origin_host) writer.put_text(avp::origin_host, "pgw.example");
    writer.put_text(avp::origin_realm, "example");
    if (!without.destination_realm) writer.put_text(avp::destination_realm, "example");
    if (!without.application) writer.put_u32(avp::auth_application_id, 4);
    if (!without.context) writer.put_text(avp::service_context_id, "32251@3gpp.org");
    if (!without.type) writer.put_u32(avp::cc_request_type, 1);
    if (!without.number) writer.put_u32(avp::cc_request_number, 0);
    put(writer);
  });
  Message message(header_bytes + body.size());
  std::ranges::copy(body, message.begin() + header_bytes);
  write_header({.flags = flag_request,
                .length_bytes = static_cast<u32>(message.size()),
                .command = Command::credit_control,
                .application = Application::credit_control},
               message);
  return message;
}

constexpr AvpId unknown_with_m{7777, 0, 0x40, AvpType::octet_string};
constexpr AvpId unknown_without_m{7777, 0, 0, AvpType::octet_string};
constexpr AvpId foreign_with_m{12, 99999, 0xc0, AvpType::octet_string};

void nothing(AvpWriter&) {}

void put_group(AvpWriter& writer, const std::vector<AvpId>& chain, const Put& inner) {
  std::vector<u8*> open;
  for (const AvpId& id : chain) open.push_back(writer.open(id));
  inner(writer);
  for (; !open.empty(); open.pop_back()) writer.close(open.back());
}

struct Row {
  std::string_view name;
  Message message;
  ResultCode code;
  Message failed;
};

void expect_refused(const Row& row) {
  static CreditControlRequest request;
  Refusal refusal;
  EXPECT_FALSE(decode_credit_control_request(row.message, request, refusal)) << row.name;
  EXPECT_EQ(refusal.result_code(), row.code) << row.name;
  EXPECT_EQ(hex(refusal.failed_avps()), hex(row.failed)) << row.name;
}

TEST(RefusalTest, NamesWhatIsMissingByAnExample) {
  expect_refused({"session",
                  request_with(nothing, {.session_id = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 7, 0x40, 0, 0, 8}});
  expect_refused({"host",
                  request_with(nothing, {.origin_host = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 8, 0x40, 0, 0, 8}});
  expect_refused({"realm",
                  request_with(nothing, {.destination_realm = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 27, 0x40, 0, 0, 8}});
  expect_refused({"application",
                  request_with(nothing, {.application = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 2, 0x40, 0, 0, 12, 0, 0, 0, 0}});
  expect_refused({"context",
                  request_with(nothing, {.context = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 205, 0x40, 0, 0, 8}});
  expect_refused({"type",
                  request_with(nothing, {.type = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 160, 0x40, 0, 0, 12, 0, 0, 0, 0}});
  expect_refused({"number",
                  request_with(nothing, {.number = true}),
                  ResultCode::missing_avp,
                  {0, 0, 1, 159, 0x40, 0, 0, 12, 0, 0, 0, 0}});
}

TEST(RefusalTest, RefusesUnknownAvpsOnlyWithM) {
  const Put offender = [](AvpWriter& writer) { writer.put_text(unknown_with_m, "abc"); };
  const Put foreign = [](AvpWriter& writer) { writer.put_text(foreign_with_m, "abcd"); };
  expect_refused({"unknown", request_with(offender), ResultCode::avp_unsupported, avps(offender)});
  expect_refused({"vendor", request_with(foreign), ResultCode::avp_unsupported, avps(foreign)});
  static CreditControlRequest request;
  Refusal refusal;
  const Message ignored = request_with(
      [](AvpWriter& writer) {
        writer.put_text(unknown_without_m, "abc");
        writer.put_u32({415, 0, 0, AvpType::unsigned32}, 0);
      },
      {.number = true});
  EXPECT_TRUE(decode_credit_control_request(ignored, request, refusal));
}

TEST(RefusalTest, TellsTheWholeChainOfGroups) {
  const std::vector<AvpId> chain{avp::service_information, avp::ps_information,
                                 avp::qos_information};
  const Put offender = [](AvpWriter& writer) { writer.put_text(unknown_with_m, "abc"); };
  const Message message = request_with([&](AvpWriter& writer) {
    put_group(writer, chain, [&](AvpWriter& inner) {
      inner.put_u32(avp::qos_class_identifier, 9);
      offender(inner);
    });
  });
  expect_refused({"chain", message, ResultCode::avp_unsupported,
                  avps([&](AvpWriter& writer) { put_group(writer, chain, offender); })});
  const std::vector<AvpId> units{avp::multiple_services_credit_control, avp::used_service_unit,
                                 avp::cc_money};
  const Message in_units =
      request_with([&](AvpWriter& writer) { put_group(writer, units, offender); });
  expect_refused({"units", in_units, ResultCode::avp_unsupported,
                  avps([&](AvpWriter& writer) { put_group(writer, units, offender); })});
}

TEST(RefusalTest, ShowsAWrongLengthWithZeros) {
  const auto raw = [](Message octets) {
    return [octets](AvpWriter& writer) { writer.put_raw(octets); };
  };
  // Origin-State-Id of 3 octets; of a length below the header; beyond the message; cut header.
  expect_refused({"size",
                  request_with(raw({0, 0, 1, 22, 0x40, 0, 0, 11, 1, 2, 3, 0})),
                  ResultCode::invalid_avp_length,
                  {0, 0, 1, 22, 0x40, 0, 0, 12, 0, 0, 0, 0}});
  expect_refused({"below",
                  request_with(raw({0, 0, 1, 22, 0x40, 0, 0, 7})),
                  ResultCode::invalid_avp_length,
                  {0, 0, 1, 22, 0x40, 0, 0, 12, 0, 0, 0, 0}});
  expect_refused({"beyond",
                  request_with(raw({0, 0, 1, 22, 0x40, 0, 0, 16, 1, 2, 3, 4})),
                  ResultCode::invalid_avp_length,
                  {0, 0, 1, 22, 0x40, 0, 0, 12, 0, 0, 0, 0}});
  expect_refused({"cut",
                  request_with(raw({0, 0, 1, 22})),
                  ResultCode::invalid_avp_length,
                  {0, 0, 1, 22, 0, 0, 0, 12, 0, 0, 0, 0}});
  expect_refused({"cut vendor",
                  request_with(raw({0, 0, 3, 105, 0xc0, 0, 0, 8})),
                  ResultCode::invalid_avp_length,
                  {0, 0, 3, 105, 0xc0, 0, 0, 12, 0, 0, 0, 0}});
}

TEST(RefusalTest, RefusesBadValuesAndFlags) {
  const Put type_9 = [](AvpWriter& writer) { writer.put_u32(avp::cc_request_type, 9); };
  expect_refused(
      {"type", request_with(type_9, {.type = true}), ResultCode::invalid_avp_value, avps(type_9)});
  const Put application_3 = [](AvpWriter& writer) { writer.put_u32(avp::auth_application_id, 3); };
  expect_refused({"application", request_with(application_3, {.application = true}),
                  ResultCode::invalid_avp_value, avps(application_3)});
  const Put action_7 = [](AvpWriter& writer) { writer.put_u32(avp::requested_action, 7); };
  expect_refused({"action", request_with(action_7), ResultCode::invalid_avp_value, avps(action_7)});
  const Put reserved = [](AvpWriter& writer) {
    writer.put_u32({278, 0, 0x41, AvpType::unsigned32}, 5);
  };
  expect_refused({"flag", request_with(reserved), ResultCode::invalid_avp_bits, avps(reserved)});
}

TEST(RefusalTest, RefusesOneTooMany) {
  const Put number = [](AvpWriter& writer) { writer.put_u32(avp::cc_request_number, 3); };
  expect_refused(
      {"number", request_with(number), ResultCode::avp_occurs_too_many_times, avps(number)});
  const std::vector<AvpId> chain{avp::multiple_services_credit_control};
  const auto groups = [](u32 first, u32 count) {
    return [=](AvpWriter& writer) {
      for (u32 index = 0; index < count; ++index) writer.put_u32(avp::rating_group, first + index);
    };
  };
  expect_refused({"group",
                  request_with([&](AvpWriter& writer) { put_group(writer, chain, groups(5, 2)); }),
                  ResultCode::avp_occurs_too_many_times,
                  avps([&](AvpWriter& writer) { put_group(writer, chain, groups(6, 1)); })});
  const Message many = request_with([&](AvpWriter& writer) {
    for (u32 index = 0; index <= mscc_count_max; ++index)
      put_group(writer, chain, groups(index, 1));
  });
  expect_refused({"mscc", many, ResultCode::avp_occurs_too_many_times, avps([&](AvpWriter& writer) {
                    put_group(writer, chain, groups(mscc_count_max, 1));
                  })});
}

TEST(RefusalTest, RefusesUnitsBesideMscc) {
  const Put units = [](AvpWriter& writer) {
    put_group(writer, {avp::requested_service_unit}, nothing);
  };
  const Put mscc = [](AvpWriter& writer) {
    put_group(writer, {avp::multiple_services_credit_control}, nothing);
  };
  const Message both = avps([&](AvpWriter& writer) {
    units(writer);
    mscc(writer);
  });
  expect_refused({"both", request_with([&](AvpWriter& writer) { writer.put_raw(both); }),
                  ResultCode::contradicting_avps, both});
}

TEST(RefusalTest, BoundsDepthAndCount) {
  const Message deep = request_with([](AvpWriter& writer) {
    put_group(writer, std::vector<AvpId>(avp_depth_max + 1, avp::service_information), nothing);
  });
  expect_refused({"deep", deep, ResultCode::unable_to_comply, {}});
  Message many = request_with(nothing);
  for (u32 index = 0; index < avp_count_max; ++index)
    for (const u8 octet : {0x00, 0x00, 0x1e, 0x61, 0x00, 0x00, 0x00, 0x08}) many.push_back(octet);
  expect_refused({"many", many, ResultCode::unable_to_comply, {}});
}

TEST(RefusalTest, CutsALongOffenderAndStaysWellFormed) {
  const std::vector<AvpId> chain{avp::service_information, avp::ps_information};
  const Message message = request_with([&](AvpWriter& writer) {
    put_group(writer, chain,
              [](AvpWriter& inner) { inner.put_text(unknown_with_m, std::string(3000, 'x')); });
  });
  static CreditControlRequest request;
  Refusal refusal;
  ASSERT_FALSE(decode_credit_control_request(message, request, refusal));
  Avp group;
  ASSERT_TRUE(find_first(refusal.failed_avps(), avp::service_information, group));
  ASSERT_TRUE(find_first(group.data(), avp::ps_information, group));
  ASSERT_TRUE(find_first(group.data(), unknown_with_m, group));
  EXPECT_GT(group.data_bytes(), 300u);
}

TEST(DecodeTest, ToleratesWhatRealClientsSend) {
  const Message message = request_with(
      [](AvpWriter& writer) {
        writer.put_text(avp::origin_host, "again.example");
        writer.put_text(avp::origin_realm, "again");
        put_group(writer, {avp::vendor_specific_application_id}, [](AvpWriter& inner) {
          inner.put_u32(avp::vendor_id, vendor_3gpp);
          inner.put_u32(avp::auth_application_id, 4);
        });
        // Service-Context-Id with the V flag and vendor 0.
        writer.put_raw(Message{0, 0, 1, 205, 0xc0, 0, 0, 15, 0, 0, 0, 0, 'x', '@', 'y', 0});
        writer.put_u32(avp::requested_action, 0);
        writer.put_u32(avp::accounting_record_type, 2);
        writer.put_u32({278, 0, 0x20, AvpType::unsigned32}, 9);
      },
      {.application = true, .context = true});
  static CreditControlRequest request;
  Refusal refusal;
  ASSERT_TRUE(decode_credit_control_request(message, request, refusal));
  EXPECT_EQ(as_text(request.origin_host), "pgw.example");
  EXPECT_EQ(as_text(request.service_context_id), "x@y");
  EXPECT_EQ(request.origin_state_id, 9u);
  EXPECT_EQ(request.mscc_count, 0u);
}

}  // namespace
}  // namespace tollgate::diameter
