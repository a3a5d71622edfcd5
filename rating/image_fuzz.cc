// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// An image that validate() lets pass can be read and calculated with, whatever is in it. The input
// is laid over a good image, octet by octet from a place that it names, and the checksum is made
// right, so that the fuzzer gets to what lies behind it.

#include <array>
#include <cstring>
#include <vector>

#include "base/check.hh"
#include "rating/compile.hh"
#include "rating/image.hh"
#include "rating/price.hh"

namespace tollgate::rating {
namespace {

std::vector<u8> good_image() {
  // No time band: a timeline is so large that the fuzzer would meet little else (image_test.cc).
  const TariffText text{"f", R"(zones z { zone a 46, 4670; zone b 47, 470000000000001 }
plan p { currency EUR; balance 1EUR; allowance 1GiB
counter used octets; counter spent EUR; tax 25% exclusive; exchange 1USD 0.92EUR half_up
service voice { destination z; origin z; rule default to a { price 1EUR per 1s
  minimum 2EUR; cap 9EUR }
  rule default to b from a { pay with USD then EUR; price 1EUR per 1s } rule default free }
service mms { meter volume; rule default { steps by used; limit 5EUR by spent
  price first 10MB 0.01EUR per 1MB then free; restart after 20MB } }
service data { default group 1
  rule group 1 identifier 2 free { final redirect "http://x/" }
  rule group 1 { pay with octets then EUR; setup 0.01EUR; round money half_even to 0.01EUR
    price first 1MB 0.01EUR per 1KB then 0.02EUR per 1KB }
  rule identifier 3 { price 0.01EUR per 1MB; round exact; grant 1MB max 2MB; threshold 10% }
  rule default barred }
counter packed octets per product pack
service sms { rule default { price 0.10EUR } rule group 7 with pack { meter volume
  steps by packed; price 0.10EUR per 1MB } } }
product pack { plans p; fee 1EUR })"};
  const Compiled compiled = compile({&text, 1});
  check(compiled.is_good(), "the fuzzer's own tariff is good");
  return compiled.image;
}

void use(const Image& image, const Rule& rule) {
  (void)image.text(rule.name);
  (void)image.text(rule.file);
  (void)image.redirect(rule.redirect);
  const Quantity size = grant_size(rule.grant, {});
  (void)grant_threshold(rule.grant, size);
  for (const i64 scale : {i64{1}, i64{1'000'000}, i64{1} << 40, INT64_MAX}) {
    const std::array<Amount, sources_max> available{Amount{scale}, {scale / 3}, {scale}, {scale}};
    const Wish wish{.so_far = {{scale / 7}, {scale / 5}, {scale / 3}, {scale / 11}},
                    .wanted = {scale},
                    .available = std::span(available).first(rule.source_count),
                    .granule = {3}};
    const Coverage coverage = cover(rule, wish);
    check(coverage.covered.count + coverage.missing.count == scale, "a wish is shared whole");
    for (const PaymentSource& source : rule.sources()) {
      Amount cost;
      (void)price(rule, source, wish.so_far, wish.wanted, cost);
    }
  }
}

}  // namespace
}  // namespace tollgate::rating

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  using namespace tollgate;
  using namespace tollgate::rating;
  static const std::vector<u8> good = good_image();
  (void)validate(std::vector<u8>(data, data + size));
  std::vector<u8> bytes = good;
  if (size >= 2) {
    const std::size_t place = (data[0] | std::size_t{data[1]} << 8) * 4 % bytes.size();
    const std::size_t length = std::min(size - 2, bytes.size() - place);
    std::memcpy(bytes.data() + place, data + 2, length);
  }
  seal(bytes);
  if (validate(bytes) != ImageFault::none) return 0;
  const Image image(bytes);
  for (const Plan& plan : image.plans()) {
    (void)image.text(plan.name);
    (void)image.buckets(plan);
    for (const u64 group : {u64{0}, u64{1}, RuleKey::absent}) {
      for (const u64 identifier : {u64{2}, u64{3}, RuleKey::absent}) {
        const RuleKey key{.plan = plan.id,
                          .context = 32251,
                          .rating_group = group,
                          .service_identifier = identifier};
        const Rule* rule = nullptr;
        image.prefetch_service(key.plan, key.context);
        image.prefetch_rule(key);
        if (image.find_rule(key, {}, rule) == Found::rule) use(image, *rule);
      }
    }
  }
  for (const char* number : {"46701", "470000000000001", "47", "9", ""}) {
    const Rule* rule = nullptr;
    const RuleKey key{.plan = image.plans().empty() ? 1 : image.plans()[0].id,
                      .context = 32260,
                      .origin = number_key("4670"),
                      .destination = number_key(number)};
    image.prefetch_zone_index(key);
    image.prefetch_zones(key);
    if (image.find_rule(key, {}, rule) == Found::rule) use(image, *rule);
  }
  for (const Counter& counter : image.counters()) (void)image.period_end(counter, {});
  for (const Rule& rule : image.rules()) use(image, rule);
  return 0;
}
