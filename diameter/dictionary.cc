// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/dictionary.hh"

#include <algorithm>
#include <tuple>

#include "diameter/dictionary_tables.hh"

namespace tollgate::diameter {
namespace {

using tables::dictionary;
using tables::EnumEntry;
using tables::RulesEntry;

MemberRules find_rules(std::span<const RulesEntry> index, std::span<const MemberRule> members,
                       u32 code, u32 second) {
  const auto at =
      std::ranges::lower_bound(index, std::pair{code, second}, {}, [](const RulesEntry& entry) {
        return std::pair{entry.code, entry.second};
      });
  if (at == index.end() || at->code != code || at->second != second) return {{}, true};
  return {members.subspan(at->first, at->count), at->others_allowed};
}

}  // namespace

const AvpInfo* find_avp(u32 code, u32 vendor) {
  const auto infos = dictionary.infos;
  const auto at =
      std::ranges::lower_bound(infos, std::pair{vendor, code}, {}, [](const AvpInfo& info) {
        return std::pair{info.id.vendor, info.id.code};
      });
  if (at == infos.end() || at->id.code != code || at->id.vendor != vendor) return nullptr;
  return &*at;
}

std::span<const AvpInfo> all_avps() {
  return dictionary.infos;
}

MemberRules group_rules(u32 code, u32 vendor) {
  return find_rules(dictionary.group_index, dictionary.group_members, code, vendor);
}

MemberRules command_rules(u32 command, bool is_request) {
  return find_rules(dictionary.command_index, dictionary.command_members, command,
                    is_request ? 1 : 0);
}

std::string_view enum_name(u32 code, u32 vendor, i64 value) {
  const auto at = std::ranges::lower_bound(
      dictionary.enums, std::tuple{code, vendor, value}, {}, [](const EnumEntry& entry) {
        return std::tuple{entry.code, entry.vendor, entry.value};
      });
  if (at == dictionary.enums.end()) return {};
  return at->code == code && at->vendor == vendor && at->value == value ? at->name
                                                                        : std::string_view{};
}

}  // namespace tollgate::diameter
