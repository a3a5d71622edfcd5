// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The dictionary: what is known of each AVP, group, command and enumerated value.
//
// It is made at build time from the tables in diameter/dictionary/*.csv. An AVP is known by (code,
// vendor), never by its name alone. Named constants of all AVPs stand in the generated header
// diameter/avp_ids.hh: avp::session_id, avp::multiple_services_credit_control...
//
// shape_of is what a decoder asks of every AVP that it meets: one load from a table of one octet a
// code. All else is for error answers, tests and tools.
#pragma once

#include <string_view>

#include "base/types.hh"
#include "diameter/dictionary_shapes.hh"
#include "diameter/dictionary_types.hh"

namespace tollgate::diameter {

struct AvpInfo {
  AvpId id;
  std::string_view name;
  bool must_have_m = false;
  bool must_not_have_m = false;
};

// What is known of an AVP, or nullptr.
const AvpInfo* find_avp(u32 code, u32 vendor);

// All AVPs, by vendor and code.
std::span<const AvpInfo> all_avps();

// One member of a group or a command.
struct MemberRule {
  u32 code = 0;
  u32 vendor = 0;
  u16 count_min = 0;
  u16 count_max = 0;  // unbounded_count: any number
};
inline constexpr u16 unbounded_count = 0xffff;

struct MemberRules {
  std::span<const MemberRule> members;
  bool others_allowed = false;  // *[ AVP ]
};

// The members of a Grouped AVP, of a request and of an answer. An empty list with others_allowed:
// nothing is known.
MemberRules group_rules(u32 code, u32 vendor);
MemberRules command_rules(u32 command, bool is_request);

// The name of an enumerated value ("UPDATE_REQUEST"); empty if there is none.
std::string_view enum_name(u32 code, u32 vendor, i64 value);

}  // namespace tollgate::diameter
