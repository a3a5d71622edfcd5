// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/image.hh"

namespace tollgate::rating {
namespace {

bool is_within(i64 value, i64 least, i64 most) {
  return value >= least && value <= most;
}

// The tables of an image whose header and extents are known to be good.
class Checker {
 public:
  explicit Checker(Bytes bytes) : bytes_(bytes) {
    std::memcpy(&header_, bytes.data(), sizeof header_);
  }

  ImageFault extents() const;
  bool plans() const;
  bool buckets() const;
  bool services() const;
  bool rule_slots() const;
  bool rules() const;
  bool redirects() const;

 private:
  template <class Record>
  std::span<const Record> table(Extent extent) const {
    return {reinterpret_cast<const Record*>(bytes_.data() + extent.offset), extent.count};
  }
  template <class Record>
  bool fits(Extent extent) const {
    const u64 end = u64{extent.offset} + u64{extent.count} * sizeof(Record);
    return extent.offset >= sizeof(ImageHeader) && end <= bytes_.size() &&
           extent.offset % alignof(Record) == 0;
  }
  bool is_text(TextRef ref) const { return u64{ref.offset} + ref.length <= header_.texts.count; }
  bool is_policy(const Rule& rule) const;
  bool is_source(const Rule& rule, const PaymentSource& source) const;
  bool are_steps(std::span<const Step> steps) const;
  bool is_rule(const Rule& rule) const;

  Bytes bytes_;
  ImageHeader header_;
};

ImageFault Checker::extents() const {
  const bool all_fit = fits<Plan>(header_.plans) && fits<InitialBucket>(header_.buckets) &&
                       fits<Service>(header_.services) && fits<RuleSlot>(header_.rule_slots) &&
                       fits<Rule>(header_.rules) && fits<TextRef>(header_.redirects) &&
                       fits<u8>(header_.texts);
  if (!all_fit || header_.redirects.count > 0xffff) return ImageFault::bad_extent;
  return ImageFault::none;
}

bool Checker::plans() const {
  u32 before = 0;
  for (const Plan& plan : table<Plan>(header_.plans)) {
    if (plan.id <= before) return false;  // in order, none twice, none zero
    before = plan.id;
    if (!is_money(plan.currency) || !is_text(plan.name)) return false;
    if (u64{plan.buckets.offset} + plan.buckets.count > header_.buckets.count) return false;
  }
  return true;
}

bool Checker::buckets() const {
  const auto all = table<InitialBucket>(header_.buckets);
  return std::ranges::all_of(all, [](const InitialBucket& bucket) {
    return bucket.unit != Unit::none && !bucket.amount.is_negative() && bucket.lifetime.ns >= 0;
  });
}

bool Checker::services() const {
  const auto all = table<Service>(header_.services);
  if (!is_power_of_two(all.size())) return false;
  const auto slots = table<RuleSlot>(header_.rule_slots);
  std::vector<u32> empty_before(slots.size() + 1);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    empty_before[i + 1] = empty_before[i] + (slots[i].shape == 0 ? 1 : 0);
  }
  bool has_empty = false;  // or a search for what is not there would never end
  for (const Service& service : all) {
    if (service.plan == 0) {
      has_empty = true;
      continue;
    }
    if (service.default_rule > header_.rules.count || !is_text(service.name)) return false;
    if (service.slots_count == 0) {
      if (service.shapes != 0) return false;
      continue;
    }
    const u64 end = u64{service.slots_first} + service.slots_count;
    if (!is_power_of_two(service.slots_count) || end > slots.size()) return false;
    if (empty_before[end] == empty_before[service.slots_first]) return false;
  }
  return has_empty;
}

bool Checker::rule_slots() const {
  const auto all = table<RuleSlot>(header_.rule_slots);
  return std::ranges::all_of(all, [this](const RuleSlot& slot) {
    return slot.shape == 0 || slot.rule < header_.rules.count;
  });
}

bool Checker::is_policy(const Rule& rule) const {
  const GrantPolicy& grant = rule.grant;
  if (grant.size.is_negative() || grant.smallest.is_negative()) return false;
  if (grant.largest.is_negative() || grant.threshold.is_negative()) return false;
  if (grant.largest.is_positive() && grant.smallest > grant.largest) return false;
  if (grant.threshold_permille > 1000) return false;
  if (grant.final_action > FinalAction::restrict_access) return false;
  if (rule.redirect > header_.redirects.count) return false;
  return grant.final_action != FinalAction::redirect || rule.redirect != 0;
}

bool Checker::is_source(const Rule& rule, const PaymentSource& source) const {
  if (source.unit == Unit::none || source.rounding > BlockRounding::exact) return false;
  if (!is_within(source.block.count, 1, block_max)) return false;
  if (!is_within(source.amount.count, 1, price_max)) return false;
  return !source.is_money() || (source.unit == rule.currency && rule.step_count > 0);
}

bool Checker::are_steps(std::span<const Step> steps) const {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (!is_within(step.block.count, 1, block_max)) return false;
    if (!is_within(step.price.count, 0, price_max)) return false;
    if (!is_within(step.start.count, 0, step_start_max)) return false;
    if (!is_within(step.cost_before.count, 0, cost_before_max)) return false;
    if (i == 0) {
      if (!step.start.is_zero() || !step.cost_before.is_zero()) return false;
      continue;
    }
    const Step& before = steps[i - 1];
    const i64 length = step.start.count - before.start.count;
    if (length <= 0 || length % before.block.count != 0) return false;
    const i128 cost = i128{length / before.block.count} * before.price.count;
    if (before.cost_before.count + cost != step.cost_before.count) return false;
  }
  return true;
}

bool Checker::is_rule(const Rule& rule) const {
  if (rule.verdict > Verdict::barred || rule.meter > Meter::money) return false;
  if (rule.usage_rounding > BlockRounding::exact) return false;
  if (rule.money_rounding > Rounding::half_even) return false;
  if (rule.unit == Unit::none || !is_money(rule.currency)) return false;
  if (rule.step_count > steps_max || rule.source_count > sources_max) return false;
  if (rule.verdict == Verdict::charged && rule.source_count == 0) return false;
  if (!is_text(rule.file) || !is_text(rule.name)) return false;
  if (!is_within(rule.setup_fee.count, 0, price_max)) return false;
  if (!is_within(rule.money_step.count, 1, price_max)) return false;
  const auto is_good = [&](const PaymentSource& source) { return is_source(rule, source); };
  if (!std::ranges::all_of(rule.sources(), is_good)) return false;
  return are_steps(rule.steps()) && is_policy(rule);
}

bool Checker::rules() const {
  const auto all = table<Rule>(header_.rules);
  return std::ranges::all_of(all, [this](const Rule& rule) { return is_rule(rule); });
}

bool Checker::redirects() const {
  const auto all = table<TextRef>(header_.redirects);
  return std::ranges::all_of(all, [this](TextRef ref) { return is_text(ref); });
}

u32 image_crc(Bytes bytes) {
  ImageHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.crc = 0;
  const u32 of_header = crc32c({reinterpret_cast<const u8*>(&header), sizeof header});
  return crc32c(bytes.subspan(sizeof header), of_header);
}

}  // namespace

void seal(MutableBytes image) {
  check(image.size() >= sizeof(ImageHeader), "an image begins with its header");
  const u32 crc = image_crc(image);
  std::memcpy(image.data() + offsetof(ImageHeader, crc), &crc, sizeof crc);
}

ImageFault validate(Bytes bytes) {
  if (bytes.size() < sizeof(ImageHeader)) return ImageFault::too_short;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return ImageFault::misaligned;
  ImageHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != image_magic) return ImageFault::wrong_magic;
  if (header.layout != image_layout) return ImageFault::wrong_layout;
  if (header.size_bytes != bytes.size()) return ImageFault::wrong_size;
  if (header.size_bytes > image_size_max) return ImageFault::wrong_size;
  if (image_crc(bytes) != header.crc) return ImageFault::wrong_crc;

  const Checker checker(bytes);
  if (checker.extents() != ImageFault::none) return ImageFault::bad_extent;
  if (!checker.plans()) return ImageFault::bad_plan;
  if (!checker.buckets()) return ImageFault::bad_bucket;
  if (!checker.services()) return ImageFault::bad_service;
  if (!checker.rule_slots()) return ImageFault::bad_rule_slot;
  if (!checker.rules()) return ImageFault::bad_rule;
  if (!checker.redirects()) return ImageFault::bad_redirect;
  return ImageFault::none;
}

}  // namespace tollgate::rating
