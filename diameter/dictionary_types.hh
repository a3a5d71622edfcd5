// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The words of the dictionary's generated tables: types of AVPs, their sizes, their identity.
#pragma once

#include "base/types.hh"

namespace tollgate::diameter {

inline constexpr u8 avp_flag_vendor = 0x80;
inline constexpr u8 avp_flag_mandatory = 0x40;
inline constexpr u8 avp_flag_protected = 0x20;  // obsolete: sent as 0, ignored
inline constexpr u8 avp_flags_reserved = 0x1f;  // unrecognised: DIAMETER_INVALID_AVP_BITS

enum class AvpType : u8 {
  unknown,  // not in the dictionary
  octet_string,
  utf8_string,
  diameter_identity,
  diameter_uri,
  ip_filter_rule,
  qos_filter_rule,
  address,
  time,
  enumerated,
  integer32,
  unsigned32,
  float32,
  integer64,
  unsigned64,
  grouped,
};

// How many octets of data an AVP of a type has: exactly, or at least.
struct DataSize {
  u8 bytes = 0;
  bool is_exact = false;
};

constexpr DataSize data_size(AvpType type) {
  switch (type) {
    case AvpType::time:
    case AvpType::enumerated:
    case AvpType::integer32:
    case AvpType::unsigned32:
    case AvpType::float32:
      return {4, true};
    case AvpType::integer64:
    case AvpType::unsigned64:
      return {8, true};
    case AvpType::address:
      return {2, false};
    default:
      return {0, false};
  }
}

// What a decoder needs to know of an AVP, in one octet: enough to judge its length and to decide
// whether to look into it.
enum class AvpShape : u8 { unknown, any, grouped, two_or_more, four, eight };

constexpr AvpShape shape_of_type(AvpType type) {
  if (type == AvpType::unknown) return AvpShape::unknown;
  if (type == AvpType::grouped) return AvpShape::grouped;
  const DataSize size = data_size(type);
  if (!size.is_exact) return size.bytes == 0 ? AvpShape::any : AvpShape::two_or_more;
  return size.bytes == 4 ? AvpShape::four : AvpShape::eight;
}

// The lengths of data that a shape allows: from `least` on, `span` more.
struct ShapeSize {
  u32 least_bytes = 0;
  u32 span_bytes = 0;
};
inline constexpr ShapeSize shape_sizes[] = {
    {1 << 24, 0},  // unknown: none, so that one comparison finds both
    {0, 0xffffff}, {0, 0xffffff}, {2, 0xffffff}, {4, 0}, {8, 0},
};

// False if data of this length cannot be that of an AVP of this shape, and if the AVP is unknown.
[[gnu::always_inline]] constexpr bool has_right_size(AvpShape shape, u32 data_bytes) {
  const ShapeSize size = shape_sizes[static_cast<u8>(shape)];
  return data_bytes - size.least_bytes <= size.span_bytes;
}

// An AVP's identity, with the flags that we send it with.
struct AvpId {
  u32 code = 0;
  u32 vendor = 0;
  u8 flags = 0;
  AvpType type = AvpType::unknown;

  constexpr std::size_t header_bytes() const { return vendor == 0 ? 8 : 12; }
  friend constexpr bool operator==(const AvpId& a, const AvpId& b) {
    return a.code == b.code && a.vendor == b.vendor;
  }
};

}  // namespace tollgate::diameter
