// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/overload_report.hh"

#include "base/check.hh"
#include "diameter/avp.hh"
#include "diameter/avp_ids.hh"
#include "diameter/header.hh"

namespace tollgate::diameter {
namespace {

constexpr u64 loss_algorithm = 1;  // bit of OC-Feature-Vector: OLR_DEFAULT_ALGO
constexpr u32 host_report = 0;     // OC-Report-Type

}  // namespace

std::size_t append_overload_report(const OverloadReport& report, std::size_t message_bytes,
                                   MutableBytes room) {
  check(message_bytes >= header_bytes && message_bytes <= room.size(), "a message is there");
  AvpWriter writer(room.subspan(message_bytes));
  u8* const features = writer.open(avp::oc_supported_features);
  writer.put_u64(avp::oc_feature_vector, loss_algorithm);
  writer.close(features);
  if (report.has_report) {
    u8* const group = writer.open(avp::oc_olr);
    writer.put_u64(avp::oc_sequence_number, report.sequence_number);
    writer.put_u32(avp::oc_report_type, host_report);
    writer.put_u32(avp::oc_reduction_percentage, report.reduction_percent);
    writer.put_u32(avp::oc_validity_duration, report.validity_seconds);
    writer.close(group);
  }
  if (writer.has_overflowed()) return message_bytes;
  const std::size_t whole_bytes = message_bytes + writer.size_bytes();
  store_u32(room.data(), u32{protocol_version} << 24 | static_cast<u32>(whole_bytes));
  return whole_bytes;
}

}  // namespace tollgate::diameter
