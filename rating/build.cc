// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/build.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "base/hash.hh"
#include "rating/slots.hh"

namespace tollgate::rating {
namespace {

// Places tables one behind the other, each at the beginning of a cache line.
class Layout {
 public:
  template <class Record>
  Extent place(const std::vector<Record>& records) {
    const Extent extent{static_cast<u32>(size_), static_cast<u32>(records.size())};
    size_ = round_up(size_ + records.size() * sizeof(Record), cache_line_bytes);
    return extent;
  }
  u64 size() const { return size_; }

 private:
  u64 size_ = round_up(sizeof(ImageHeader), cache_line_bytes);
};

template <class Record>
void put(std::vector<u8>& image, Extent extent, const std::vector<Record>& records) {
  if (records.empty()) return;
  std::memcpy(image.data() + extent.offset, records.data(), records.size() * sizeof(Record));
}

// Slots for `count` records: under half full, so that searches are short and end.
std::size_t table_size(std::size_t count) {
  return next_power_of_two(2 * count + 1);
}

}  // namespace

TextRef ImageBuilder::add_text(std::string_view text) {
  const auto known = text_refs_.find(text);
  if (known != text_refs_.end()) return known->second;
  const TextRef ref{static_cast<u32>(texts_.size()), static_cast<u32>(text.size())};
  texts_ += text;
  text_refs_.emplace(text, ref);
  return ref;
}

u16 ImageBuilder::add_redirect(std::string_view url) {
  const auto known = redirect_numbers_.find(url);
  if (known != redirect_numbers_.end()) return known->second;
  if (redirects_.size() == 0xffff) return 0;
  redirects_.push_back(add_text(url));
  const u16 number = static_cast<u16>(redirects_.size());
  redirect_numbers_.emplace(url, number);
  return number;
}

u32 ImageBuilder::add_rule(const Rule& rule) {
  rules_.push_back(rule);
  return static_cast<u32>(rules_.size() - 1);
}

void ImageBuilder::add_plan(Plan plan, std::span<const InitialBucket> buckets) {
  plan.buckets = {static_cast<u32>(buckets_.size()), static_cast<u32>(buckets.size())};
  buckets_.insert(buckets_.end(), buckets.begin(), buckets.end());
  plans_.push_back(plan);
}

void ImageBuilder::add_service(Service service, std::span<const u64> contexts,
                               std::span<const RuleSlot> slots) {
  service.slots_first = static_cast<u32>(slots_.size());
  service.slots_count = slots.empty() ? 0 : static_cast<u32>(table_size(slots.size()));
  service.shapes = 0;
  slots_.resize(slots_.size() + service.slots_count);
  const u64 mask = service.slots_count - 1;
  for (const RuleSlot& slot : slots) {
    service.shapes |= slot.shape;
    u64 at = rule_slot(slot) & mask;
    while (slots_[service.slots_first + at].shape != 0) at = (at + 1) & mask;
    slots_[service.slots_first + at] = slot;
  }
  for (const u64 context : contexts) {
    service.context = context;
    services_.push_back(service);
  }
}

std::vector<Service> ImageBuilder::service_table() const {
  std::vector<Service> table(table_size(services_.size()));
  const u64 mask = table.size() - 1;
  for (const Service& service : services_) {
    u64 at = service_slot(service.plan, service.context) & mask;
    while (table[at].plan != 0) at = (at + 1) & mask;
    table[at] = service;
  }
  return table;
}

std::vector<u8> ImageBuilder::finish() {
  std::ranges::sort(plans_, {}, &Plan::id);
  const std::vector<Service> services = service_table();
  const std::vector<u8> texts(texts_.begin(), texts_.end());
  Layout layout;
  ImageHeader header;
  header.magic = image_magic;
  header.layout = image_layout;
  header.plans = layout.place(plans_);
  header.buckets = layout.place(buckets_);
  header.services = layout.place(services);
  header.rule_slots = layout.place(slots_);
  header.rules = layout.place(rules_);
  header.redirects = layout.place(redirects_);
  header.texts = layout.place(texts);
  header.size_bytes = layout.size();
  if (layout.size() > image_size_max) return {};

  std::vector<u8> image(layout.size());
  put(image, header.plans, plans_);
  put(image, header.buckets, buckets_);
  put(image, header.services, services);
  put(image, header.rule_slots, slots_);
  put(image, header.rules, rules_);
  put(image, header.redirects, redirects_);
  put(image, header.texts, texts);
  header.version = hash64(Bytes(image).subspan(sizeof header));
  std::memcpy(image.data(), &header, sizeof header);
  seal(image);
  check(validate(image) == ImageFault::none, "what the compiler makes is valid");
  return image;
}

}  // namespace tollgate::rating
