// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/decode.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"

namespace tollgate::diameter {
namespace {

constexpr std::size_t avp_header_bytes_max = 12;
// Kept free for the headers of the groups around an offender.
constexpr std::size_t wrap_bytes_max = avp_depth_max * avp_header_bytes_max;

void write_avp_header(u8* at, const AvpId& id, std::size_t length_bytes) {
  store_u32(at, id.code);
  store_u32(at + 4, (u32{id.flags} << 24) | static_cast<u32>(length_bytes));
  if (id.flags & avp_flag_vendor) store_u32(at + 8, id.vendor);
}

std::size_t header_size(const AvpId& id) {
  return id.flags & avp_flag_vendor ? 12 : 8;
}

AvpId id_of(const Avp& avp) {
  return {avp.code, avp.vendor, static_cast<u8>(avp.flags), AvpType::unknown};
}

std::size_t least_data_bytes(u32 code, u32 vendor) {
  const AvpInfo* const info = find_avp(code, vendor);
  return info == nullptr ? 0 : data_size(info->id.type).bytes;
}

// The member rules of a request and how many of each have come.
struct MemberCount {
  MemberRules rules;
  std::array<u16, 64> counts{};

  const MemberRule* find(const Avp& avp) const {
    const auto at = std::ranges::find_if(rules.members, [&avp](const MemberRule& rule) {
      return rule.code == avp.code && rule.vendor == avp.vendor;
    });
    return at == rules.members.end() ? nullptr : &*at;
  }
  u16& count_of(const MemberRule& rule) {
    return counts[static_cast<std::size_t>(&rule - rules.members.data())];
  }
};

}  // namespace

MutableBytes Refusal::append(const AvpId& id, std::size_t data_bytes) {
  const std::size_t head = header_size(id);
  const std::size_t left = failed_bytes_max - wrap_bytes_max - failed_bytes_;
  if (left < head) return {};
  const std::size_t fitting = std::min(data_bytes, left - head);
  u8* const at = failed_.data() + failed_bytes_;
  std::memset(at, 0, padded(head + fitting));
  write_avp_header(at, id, head + fitting);
  failed_bytes_ = static_cast<u16>(failed_bytes_ + padded(head + fitting));
  return {at + head, fitting};
}

void Refusal::add_offender(const Avp& avp) {
  const MutableBytes to = append(id_of(avp), avp.data_bytes());
  if (!to.empty()) std::memcpy(to.data(), avp.data().data(), to.size());
}

void Refusal::add_bad_length(Bytes from) {
  std::array<u8, avp_header_bytes_max> head{};
  if (!from.empty()) std::memcpy(head.data(), from.data(), std::min(from.size(), head.size()));
  AvpId id{load_u32(head.data()), 0, head[4], AvpType::unknown};
  if (id.flags & avp_flag_vendor) id.vendor = load_u32(head.data() + 8);
  append(id, least_data_bytes(id.code, id.vendor));
}

void Refusal::add_example(const AvpId& id) {
  append(id, data_size(id.type).bytes);
}

void Refusal::wrap(const Avp& group) {
  if (failed_bytes_ == 0) return;
  const AvpId id = id_of(group);
  const std::size_t head = header_size(id);
  check(failed_bytes_ + head <= failed_bytes_max, "a refusal has room for its groups");
  std::memmove(failed_.data() + head, failed_.data(), failed_bytes_);
  failed_bytes_ = static_cast<u16>(failed_bytes_ + head);
  write_avp_header(failed_.data(), id, failed_bytes_);
}

bool refuse_step(AvpStep step, Avp avp, Bytes rest, Refusal& refusal) {
  if (step == AvpStep::bad_flags) {
    refusal.set(ResultCode::invalid_avp_bits);
    refusal.add_offender(avp);
  } else {
    refusal.set(ResultCode::invalid_avp_length);
    refusal.add_bad_length(rest);
  }
  return false;
}

bool refuse_length(Avp avp, Refusal& refusal) {
  refusal.set(ResultCode::invalid_avp_length);
  refusal.add_bad_length(avp.whole());
  return false;
}

bool ignore_or_refuse(Avp avp, AvpShape shape, Refusal& refusal) {
  if (shape != AvpShape::unknown) return refuse_length(avp, refusal);
  return !avp.is_mandatory() || refuse_unknown(avp, refusal);
}

bool refuse_unknown(Avp avp, Refusal& refusal) {
  refusal.set(ResultCode::avp_unsupported);
  refusal.add_offender(avp);
  return false;
}

bool refuse_value(Avp avp, Refusal& refusal) {
  refusal.set(ResultCode::invalid_avp_value);
  refusal.add_offender(avp);
  return false;
}

bool refuse_repeated(Avp avp, Refusal& refusal) {
  refusal.set(ResultCode::avp_occurs_too_many_times);
  refusal.add_offender(avp);
  return false;
}

bool refuse_missing(const AvpId& id, Refusal& refusal) {
  refusal.set(ResultCode::missing_avp);
  refusal.add_example(id);
  return false;
}

bool refuse_limits(Refusal& refusal) {
  refusal.set(ResultCode::unable_to_comply);
  return false;
}

bool check_avp(const Avp& avp, u32 depth, WalkBudget& budget, Refusal& refusal) {
  const AvpShape shape = shape_of(avp.code, avp.vendor);
  if (!has_right_size(shape, avp.data_bytes())) [[unlikely]]
    return ignore_or_refuse(avp, shape, refusal);
  if (shape != AvpShape::grouped || avp.data_bytes() == 0) return true;
  if (depth >= avp_depth_max) return refuse_limits(refusal);
  if (check_avps(avp.data(), depth + 1, budget, refusal)) return true;
  refusal.wrap(avp);
  return false;
}

bool check_avps(Bytes octets, u32 depth, WalkBudget& budget, Refusal& refusal) {
  AvpCursor cursor(octets);
  Avp avp;
  for (;;) {
    const AvpStep step = cursor.next(avp);
    if (step == AvpStep::end) return true;
    if (step != AvpStep::avp) return refuse_step(step, avp, cursor.rest(), refusal);
    if (budget.avps_left-- == 0) return refuse_limits(refusal);
    if (!check_avp(avp, depth, budget, refusal)) return false;
  }
}

bool check_message(Bytes message, Refusal& refusal) {
  const Header header = read_header(message);
  const Bytes octets = message.subspan(header_bytes);
  WalkBudget budget;
  if (!check_avps(octets, 1, budget, refusal)) return false;
  if (!header.is_request()) return true;

  MemberCount members{command_rules(static_cast<u32>(header.command), true)};
  check(members.rules.members.size() <= members.counts.size(), "a counter for each member");
  AvpCursor cursor(octets);
  Avp avp;
  while (cursor.next(avp) == AvpStep::avp) {
    const MemberRule* const rule = members.find(avp);
    if (rule == nullptr) continue;
    u16& count = members.count_of(*rule);
    if (++count > rule->count_max) return refuse_repeated(avp, refusal);
  }
  for (const MemberRule& rule : members.rules.members) {
    if (members.count_of(rule) >= rule.count_min) continue;
    const AvpInfo* const info = find_avp(rule.code, rule.vendor);
    check(info != nullptr, "every member of a command is in the dictionary");
    return refuse_missing(info->id, refusal);
  }
  return true;
}

}  // namespace tollgate::diameter
