// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/image.hh"

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/slots.hh"

namespace tollgate::rating {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

u32 plan_id(std::string_view name) {
  return crc32c(as_bytes(name));
}

u64 context_key(std::string_view service_context_id) {
  constexpr std::string_view domain = "@3gpp.org";
  if (service_context_id.ends_with(domain)) {
    const std::size_t end = service_context_id.size() - domain.size();
    std::size_t begin = end;
    while (begin > 0 && is_digit(service_context_id[begin - 1])) --begin;
    const bool is_whole = begin == 0 || service_context_id[begin - 1] == '.';
    if (is_whole && end - begin >= 1 && end - begin <= 9) {
      u64 number = 0;
      for (std::size_t i = begin; i < end; ++i) {
        number = number * 10 + static_cast<u64>(service_context_id[i] - '0');
      }
      return number;
    }
  }
  // Above any number of a specification, so that the two never meet.
  return hash64(as_bytes(service_context_id)) | u64{1} << 63;
}

std::string_view to_text(ImageFault fault) {
  switch (fault) {
    case ImageFault::none:
      return "none";
    case ImageFault::too_short:
      return "too_short";
    case ImageFault::misaligned:
      return "misaligned";
    case ImageFault::wrong_magic:
      return "wrong_magic";
    case ImageFault::wrong_layout:
      return "wrong_layout";
    case ImageFault::wrong_size:
      return "wrong_size";
    case ImageFault::wrong_crc:
      return "wrong_crc";
    case ImageFault::bad_extent:
      return "bad_extent";
    case ImageFault::bad_plan:
      return "bad_plan";
    case ImageFault::bad_bucket:
      return "bad_bucket";
    case ImageFault::bad_service:
      return "bad_service";
    case ImageFault::bad_rule_slot:
      return "bad_rule_slot";
    case ImageFault::bad_rule:
      return "bad_rule";
    case ImageFault::bad_redirect:
      return "bad_redirect";
  }
  return "unknown";
}

std::string_view to_text(Found found) {
  switch (found) {
    case Found::rule:
      return "rule";
    case Found::no_plan:
      return "no_plan";
    case Found::no_service:
      return "no_service";
    case Found::no_rule:
      return "no_rule";
  }
  return "unknown";
}

Image::Image(Bytes bytes) : base_(bytes.data()) {
  check(bytes.size() >= sizeof(ImageHeader), "an image was validated");
  check(header().magic == image_magic, "an image was validated");
}

const Service* Image::find_service(u32 plan, u64 context) const {
  const std::span<const Service> slots = services();
  const u64 mask = slots.size() - 1;
  for (u64 at = service_slot(plan, context) & mask;; at = (at + 1) & mask) {
    const Service& slot = slots[at];
    if (slot.plan == plan && slot.context == context) return &slot;
    if (slot.plan == 0) return nullptr;
  }
}

const Rule* Image::find_slot(const Service& service, const RuleSlot& key) const {
  const std::span<const RuleSlot> slots =
      rule_slots().subspan(service.slots_first, service.slots_count);
  const u64 mask = slots.size() - 1;
  for (u64 at = rule_slot(key) & mask;; at = (at + 1) & mask) {
    const RuleSlot& slot = slots[at];
    if (slot.shape == 0) return nullptr;
    if (slot.shape == key.shape && slot.rating_group == key.rating_group &&
        slot.service_identifier == key.service_identifier) {
      return &rules()[slot.rule];
    }
  }
}

Found Image::find_rule(const RuleKey& key, Instant, const Rule*& rule) const {
  // Plan 0 marks empty slots, so it must not be looked for.
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr)
    return find_plan(key.plan) == nullptr ? Found::no_plan : Found::no_service;
  const bool is_group_given = key.rating_group <= 0xffffffff;
  const bool has_group = is_group_given || service->default_group_known != 0;
  const bool has_identifier = key.service_identifier <= 0xffffffff;
  const u32 group = is_group_given ? static_cast<u32>(key.rating_group) : service->default_group;
  const u32 identifier = has_identifier ? static_cast<u32>(key.service_identifier) : 0;

  u32 shapes = service->shapes;
  if (!has_group) shapes &= RuleSlot::by_identifier;
  if (!has_identifier) shapes &= RuleSlot::by_group;
  const Rule* found = nullptr;
  if ((shapes & RuleSlot::by_both) != 0) {
    found = find_slot(*service, {group, identifier, RuleSlot::by_both, 0});
  }
  if (found == nullptr && is_group_given && (shapes & RuleSlot::by_group) != 0) {
    found = find_slot(*service, {group, 0, RuleSlot::by_group, 0});
  }
  if (found == nullptr && (shapes & RuleSlot::by_identifier) != 0) {
    found = find_slot(*service, {0, identifier, RuleSlot::by_identifier, 0});
  }
  if (found == nullptr && !is_group_given && (shapes & RuleSlot::by_group) != 0) {
    found = find_slot(*service, {group, 0, RuleSlot::by_group, 0});
  }
  if (found == nullptr) {
    if (service->default_rule == 0) return Found::no_rule;
    found = &rules()[service->default_rule - 1];
  }
  rule = found;
  return Found::rule;
}

void Image::prefetch_service(u32 plan, u64 context) const {
  const std::span<const Service> slots = services();
  __builtin_prefetch(&slots[service_slot(plan, context) & (slots.size() - 1)]);
}

void Image::prefetch_rule(const RuleKey& key) const {
  const Service* service = key.plan == 0 ? nullptr : find_service(key.plan, key.context);
  if (service == nullptr || service->slots_count == 0) return;
  const u64 group = key.rating_group != RuleKey::absent ? key.rating_group : service->default_group;
  const RuleSlot slot{static_cast<u32>(group), 0, RuleSlot::by_group, 0};
  __builtin_prefetch(
      &rule_slots()[service->slots_first + (rule_slot(slot) & (service->slots_count - 1))]);
}

const Plan* Image::find_plan(u32 id) const {
  // In the order of their numbers. Only for refusals and for the control process.
  const std::span<const Plan> all = plans();
  std::size_t low = 0;
  std::size_t high = all.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (all[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < all.size() && all[low].id == id ? &all[low] : nullptr;
}

std::span<const InitialBucket> Image::buckets(const Plan& plan) const {
  return table<InitialBucket>(header().buckets).subspan(plan.buckets.offset, plan.buckets.count);
}

std::string_view Image::text(TextRef ref) const {
  return as_text(table<u8>(header().texts).subspan(ref.offset, ref.length));
}

std::string_view Image::redirect(u16 number) const {
  const std::span<const TextRef> all = table<TextRef>(header().redirects);
  return number == 0 || number > all.size() ? std::string_view{} : text(all[number - 1]);
}

}  // namespace tollgate::rating
