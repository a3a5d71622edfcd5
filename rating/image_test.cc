// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/image.hh"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "rating/compile.hh"

namespace tollgate::rating {
namespace {

constexpr std::string_view tariff = R"(
plan one {
  currency EUR
  balance 1.00EUR
  allowance 1GiB priority 7 expires 30d
  service data {
    default group 1
    rule "both" group 5 identifier 6 free
    rule "group" group 5 { pay with octets then EUR; price 0.01EUR per 1MB }
    rule "identifier" identifier 6 free
    rule "first" group 1 free
    rule "end" group 9 { price 0.01EUR per 1MB; final redirect "http://x/" }
    rule "rest" default free
  }
  service "content@example.com" { meter events; rule "zero" group 0 free }
}
plan two { currency USD; service sms { rule "sms" default free } }
)";

class ImageTest : public testing::Test {
 protected:
  ImageTest() {
    const TariffText text{"test.tariff", std::string(tariff)};
    Compiled compiled = compile({&text, 1});
    for (const Diagnostic& diagnostic : compiled.diagnostics) ADD_FAILURE() << to_text(diagnostic);
    bytes_ = compiled.image;
  }
  // The quoted name of the rule that is found, or why none is.
  std::string find(std::string_view plan, std::string_view context, u64 group = RuleKey::absent,
                   u64 identifier = RuleKey::absent) const {
    const Image image(bytes_);
    const RuleKey key{plan_id(plan), context_key(context), group, identifier};
    image.prefetch_service(key.plan, key.context);
    image.prefetch_rule(key);
    const Rule* rule = nullptr;
    const Found found = image.find_rule(key, {}, rule);
    if (found != Found::rule) return std::string(to_text(found));
    const std::string_view name = image.text(rule->name);
    return std::string(name.substr(name.rfind('/') + 1));
  }

  std::vector<u8> bytes_;
};

TEST_F(ImageTest, TheMostParticularRuleWins) {
  const std::string_view data = "8.32251@3gpp.org";
  EXPECT_EQ(find("one", data, 5, 6), "both");
  EXPECT_EQ(find("one", data, 5, 7), "group");
  EXPECT_EQ(find("one", data, 5), "group");
  EXPECT_EQ(find("one", data, 4, 6), "identifier");
  EXPECT_EQ(find("one", data), "first");
  EXPECT_EQ(find("one", data, RuleKey::absent, 6), "identifier");
  EXPECT_EQ(find("one", data, 4), "rest");
  EXPECT_EQ(find("one", "32255@3gpp.org", 5), "group");
}

TEST_F(ImageTest, WhatIsMissingHasAName) {
  EXPECT_EQ(find("three", "32251@3gpp.org"), "no_plan");
  EXPECT_EQ(find("two", "32251@3gpp.org"), "no_service");
  EXPECT_EQ(find("one", "content@example.com", 1), "no_rule");
  EXPECT_EQ(find("one", "content@example.com", 0), "zero");
  EXPECT_EQ(find("", ""), "no_plan");
}

TEST_F(ImageTest, PlansAndTheirBuckets) {
  const Image image(bytes_);
  const Plan* plan = image.find_plan(plan_id("one"));
  ASSERT_NE(plan, nullptr);
  EXPECT_EQ(image.text(plan->name), "one");
  EXPECT_EQ(plan->currency, Unit::eur);
  const auto buckets = image.buckets(*plan);
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_EQ(buckets[0].amount.count, 1'000'000);
  EXPECT_EQ(buckets[0].lifetime.ns, 0);
  EXPECT_EQ(buckets[1].unit, Unit::octets);
  EXPECT_EQ(buckets[1].priority, 7);
  EXPECT_EQ(buckets[1].lifetime.whole_seconds(), 30 * 86'400);
  EXPECT_EQ(image.redirect(1), "http://x/");
  EXPECT_EQ(image.redirect(0), "");
  EXPECT_EQ(image.redirect(2), "");
}

TEST(ContextTest, OnlyTheSpecificationOf3gppCounts) {
  EXPECT_EQ(context_key("32251@3gpp.org"), 32251U);
  EXPECT_EQ(context_key("8.32251@3gpp.org"), 32251U);
  EXPECT_EQ(context_key("ext.001.01.12.32260@3gpp.org"), 32260U);
  std::set<u64> others;
  for (const std::string_view text :
       {"", "@3gpp.org", "a@3gpp.org", "a1@3gpp.org", "32251@3gpp.net", "32251",
        "1234567890@3gpp.org", "x@example.com"}) {
    EXPECT_GT(context_key(text), u64{1} << 63) << text;
    others.insert(context_key(text));
  }
  EXPECT_EQ(others.size(), 8U);
}

TEST_F(ImageTest, ItMayLieAnywhere) {
  std::vector<u64> elsewhere(bytes_.size() / 8 + 2);
  u8* base = reinterpret_cast<u8*>(elsewhere.data()) + 8;
  std::memcpy(base, bytes_.data(), bytes_.size());
  std::ranges::fill(bytes_, u8{0});
  EXPECT_EQ(validate({base, elsewhere.size() * 8 - 16}), ImageFault::none);
  EXPECT_EQ(Image({base, elsewhere.size() * 8 - 16}).plans().size(), 2U);
}

TEST_F(ImageTest, DamageHasAName) {
  EXPECT_EQ(validate(bytes_), ImageFault::none);
  EXPECT_EQ(validate(Bytes(bytes_).first(10)), ImageFault::too_short);
  EXPECT_EQ(validate(Bytes(bytes_).first(bytes_.size() - 1)), ImageFault::wrong_size);
  EXPECT_EQ(validate(Bytes(bytes_).subspan(1)), ImageFault::misaligned);
  for (std::size_t at = 0; at < bytes_.size(); at += 7) {
    bytes_[at] ^= 0x10;
    EXPECT_NE(validate(bytes_), ImageFault::none) << at;
    bytes_[at] ^= 0x10;
  }
}

// A field that is wrong under a right checksum: what a faulty compiler or writer would make.
template <class Record>
ImageFault validate_changed(std::vector<u8> bytes, Extent ImageHeader::*table, u64 index,
                            void (*change)(Record&)) {
  ImageHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(
      *reinterpret_cast<Record*>(bytes.data() + (header.*table).offset + index * sizeof(Record)));
  seal(bytes);
  return validate(bytes);
}

TEST_F(ImageTest, WrongRecordsAreFoundUnderARightChecksum) {
  const auto rule = [&](void (*change)(Rule&)) {
    return validate_changed<Rule>(bytes_, &ImageHeader::rules, 1, change);
  };
  EXPECT_EQ(rule([](Rule&) {}), ImageFault::none);
  EXPECT_EQ(rule([](Rule& r) { r.step[0].block = {0}; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.step[0].price = {-1}; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.step[0].start = {1}; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.step_count = 5; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.step_count = 0; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.source_count = 0; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.money_step = {0}; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.verdict = static_cast<Verdict>(3); }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.name.offset = 1 << 30; }), ImageFault::bad_rule);
  EXPECT_EQ(rule([](Rule& r) { r.redirect = 2; }), ImageFault::bad_rule);
  EXPECT_EQ(
      validate_changed<Plan>(bytes_, &ImageHeader::plans, 0, [](Plan& p) { p.buckets.count = 3; }),
      ImageFault::bad_plan);
  EXPECT_EQ(validate_changed<Plan>(bytes_, &ImageHeader::plans, 1, [](Plan& p) { p.id = 1; }),
            ImageFault::bad_plan);
  const u64 slots = Image(bytes_).rule_slots().size();
  for (u64 i = 0; i < slots; ++i) {
    if (Image(bytes_).rule_slots()[i].shape == 0) continue;
    EXPECT_EQ(validate_changed<RuleSlot>(bytes_, &ImageHeader::rule_slots, i,
                                         [](RuleSlot& s) { s.rule = 1000; }),
              ImageFault::bad_rule_slot);
  }
  for (u64 i = 0; i < Image(bytes_).services().size(); ++i) {
    if (Image(bytes_).services()[i].slots_count == 0) continue;
    EXPECT_EQ(validate_changed<Service>(bytes_, &ImageHeader::services, i,
                                        [](Service& s) { s.slots_count = 1 << 30; }),
              ImageFault::bad_service);
  }
}

}  // namespace
}  // namespace tollgate::rating
