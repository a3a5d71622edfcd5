// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The form of the generated tables; for dictionary.cc and the generator only.
#pragma once

#include "base/types.hh"
#include "diameter/dictionary.hh"

namespace tollgate::diameter::tables {

// Rules of a group (second: vendor) or of a command (second: 1 for the request): a slice of
// members.
struct RulesEntry {
  u32 code;
  u32 second;
  u16 first;
  u16 count;
  bool others_allowed;
};

struct EnumEntry {
  u32 code;
  u32 vendor;
  i64 value;
  std::string_view name;
};

// All of it is sorted: AVPs by (vendor, code), rules by (code, second), enums by (code, vendor,
// value).
struct Tables {
  std::span<const AvpInfo> infos;
  std::span<const RulesEntry> group_index;
  std::span<const MemberRule> group_members;
  std::span<const RulesEntry> command_index;
  std::span<const MemberRule> command_members;
  std::span<const EnumEntry> enums;
};

extern const Tables dictionary;

}  // namespace tollgate::diameter::tables
