// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The parts that encoders of requests and answers share: headers, units, money. Not for others.
#pragma once

#include "base/check.hh"
#include "diameter/avp_ids.hh"
#include "diameter/credit_control.hh"

namespace tollgate::diameter {

// Leaves room for the header, which finish_message writes when the length is known.
inline AvpWriter begin_message(MutableBytes out) {
  AvpWriter writer(out);
  writer.reserve(header_bytes);
  return writer;
}

inline std::size_t finish_message(const AvpWriter& writer, Header header, MutableBytes out) {
  const std::size_t size_bytes = writer.size_bytes();
  if (size_bytes == 0) return 0;
  header.length_bytes = static_cast<u32>(size_bytes);
  write_header(header, out);
  return size_bytes;
}

inline void put_unit_value(AvpWriter& writer, const MoneyValue& money) {
  u8* const value = writer.open(avp::unit_value);
  writer.put_u64(avp::value_digits, static_cast<u64>(money.digits));
  if (money.exponent != 0) writer.put_u32(avp::exponent, static_cast<u32>(money.exponent));
  writer.close(value);
}

// A group of Unit-Value and Currency-Code.
inline void put_money(AvpWriter& writer, const AvpId& id, const MoneyValue& money) {
  u8* const group = writer.open(id);
  put_unit_value(writer, money);
  if (money.currency_code != 0) writer.put_u32(avp::currency_code, money.currency_code);
  writer.close(group);
}

inline void put_units(AvpWriter& writer, const Units& units) {
  if (units.has(unit_time)) writer.put_u32(avp::cc_time, units.time_s);
  if (units.has(unit_money)) put_money(writer, avp::cc_money, units.money);
  if (units.has(unit_total_octets)) writer.put_u64(avp::cc_total_octets, units.total_octets);
  if (units.has(unit_input_octets)) writer.put_u64(avp::cc_input_octets, units.input_octets);
  if (units.has(unit_output_octets)) writer.put_u64(avp::cc_output_octets, units.output_octets);
  if (units.has(unit_service_specific))
    writer.put_u64(avp::cc_service_specific_units, units.service_specific);
}

template <class Number>
void put_optional(AvpWriter& writer, const AvpId& id, const std::optional<Number>& value) {
  if (value) writer.put_u32(id, static_cast<u32>(*value));
}

}  // namespace tollgate::diameter
