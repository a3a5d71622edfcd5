// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Pools: what a multiplier is, and what becomes of the holds of a session that has one.

#include "app/quota_pool.hh"

#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

// The flow of RFC 8506 appendix A.9, and prices that cannot be told.
constexpr std::string_view tariff = R"(
plan pooled {
  currency EUR
  service data {
    default group 100
    rule "access" group 100 { price 1.00EUR per 1MB; round exact; grant 5MB; threshold 1MB }
    rule "talk" group 1 { meter time; price 0.10EUR per 1min; grant 50min; holding 60s }
    rule "blocks" group 2 { price 0.01EUR per 100KiB; grant 1000KiB }
    rule "pieces" group 3 { meter events; price 0.10EUR per 1event; grant 5events }
    rule "sevenths" group 7 { price 0.01EUR per 7MB; grant 5MB }
    rule "with a fee" group 8 { setup 0.05EUR; price 0.01EUR per 1MB; grant 5MB }
    rule "two steps" group 9 { price first 1MB 0.10EUR then 0.01EUR per 1MB; grant 5MB }
    rule "free" group 10 free { grant 5MB }
    rule "packed" group 11 { pay with octets then EUR; price 1.00EUR per 1MB; grant 5MB }
  }
}
)";

std::string told(std::string_view lines) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  return table.run("profile quota_pools=true\n" + std::string(lines));
}

rating::Rule rule_of(i64 price, i64 block, rating::Meter meter) {
  rating::Rule rule;
  rule.meter = meter;
  rule.currency = Unit::eur;
  rule.step_count = 1;
  rule.step[0].price = {price};
  rule.step[0].block = {block};
  return rule;
}

TEST(QuotaPool, a_multiplier_is_the_price_of_a_unit) {
  using rating::Meter;
  const auto of = [](const rating::Rule& rule) {
    Multiplier multiplier;
    return find_multiplier(rule, multiplier) ? multiplier : Multiplier{};
  };
  EXPECT_EQ(of(rule_of(10'000, 102'400, Meter::volume)), (Multiplier{27648, 2}));
  EXPECT_EQ(of(rule_of(1'000'000, 1'000'000, Meter::volume)), (Multiplier{28311552, 0}));
  EXPECT_EQ(of(rule_of(1'000'000, 1 << 30, Meter::volume)), (Multiplier{263671875, -4}));
  EXPECT_EQ(of(rule_of(90'000, 60'000, Meter::time)), (Multiplier{42467328, 3}));
  EXPECT_EQ(of(rule_of(100'000, 60'000, Meter::time)), (Multiplier{4718592, 4}));
  EXPECT_EQ(of(rule_of(100'000, 1, Meter::events)), (Multiplier{28311552, 5}));
  rating::Rule taxed = rule_of(100'000, 60'000, Meter::time);
  taxed.factor = 119;
  taxed.factor_by = 100;
  EXPECT_EQ(of(taxed), (Multiplier{561512448, 2}));
}

TEST(QuotaPool, what_cannot_be_told_exactly_has_no_multiplier) {
  using rating::Meter;
  Multiplier multiplier;
  EXPECT_FALSE(find_multiplier(rule_of(10'000, 7'000'000, Meter::volume), multiplier));
  EXPECT_FALSE(find_multiplier(rule_of(1'234'567'891'234, 1, Meter::volume), multiplier));
  EXPECT_FALSE(find_multiplier(rule_of(0, 1, Meter::volume), multiplier));
  EXPECT_FALSE(find_multiplier(rule_of(1, 1, Meter::money), multiplier));
  for (const auto& change : std::initializer_list<void (*)(rating::Rule&)>{
           [](rating::Rule& rule) { rule.setup_fee = {1}; },
           [](rating::Rule& rule) { rule.minimum = {1}; },
           [](rating::Rule& rule) { rule.cap = {1}; }, [](rating::Rule& rule) { rule.cycle = {1}; },
           [](rating::Rule& rule) { rule.usage_counter = 1; },
           [](rating::Rule& rule) { rule.money_counter = 1; },
           [](rating::Rule& rule) { rule.functions = 1; },
           [](rating::Rule& rule) { rule.step_count = 2; },
           [](rating::Rule& rule) { rule.verdict = rating::Verdict::free; }}) {
    rating::Rule rule = rule_of(10'000, 1, Meter::events);
    ASSERT_TRUE(find_multiplier(rule, multiplier));
    change(rule);
    EXPECT_FALSE(find_multiplier(rule, multiplier));
  }
}

TEST(QuotaPool, a_stored_answer_keeps_its_multiplier) {
  for (const Multiplier multiplier :
       {Multiplier{1, 0}, Multiplier{(i64{1} << 43) - 1, -16}, Multiplier{27648, 15}}) {
    ledger::ServiceAnswer answer;
    put_multiplier(multiplier, answer);
    EXPECT_EQ(multiplier_of(answer), multiplier);
  }
}

// 4 MB of 5 are reported: one stays in the pool, and the new grant is what is missing.
TEST(QuotaPool, what_a_group_has_not_used_stays_in_the_pool) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 100.00EUR
    initial S1 A data rg 100 ask any      -> 2001 grant 5000000octets pool 978 times 28311552e0
    balance A EUR                         -> free 94.999998 held 5.000002 used 0.00
    update S1 rg 1 ask any                -> 2001 grant 3000s pool 978 times 4718592e4
    balance A EUR                         -> free 89.799996 held 10.200004 used 0.00
    update S1 rg 100 used 4MB ask any     -> 2001 grant 4000000octets pool 978 times 28311552e0
    again S1 update 2                     -> same
    balance A EUR                         -> free 85.799996 held 10.200004 used 4.00
    update S1 rg 100 used 1MB             -> 2001
    balance A EUR                         -> free 85.799996 held 9.200004 used 5.00
    terminate S1 rg 1 used 60s            -> 2001
    balance A EUR                         -> free 94.90 held 0.00 used 5.10
  )"),
            "");
}

// All of the pool is used by one of its groups: the other's hold pays, and the balance is spent to
// the last cent, not beyond it.
TEST(QuotaPool, one_group_may_use_what_was_granted_to_another) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 10.50EUR
    initial S1 A data rg 100 ask any rg 1 ask any \
        -> 2001 rg 100 grant 5000000octets pool 978 times 28311552e0 \
                rg 1 grant 3000s pool 978 times 4718592e4
    balance A EUR                         -> free 0.299996 held 10.200004 used 0.00
    update S1 rg 100 used 10MB            -> 2001
    balance A EUR                         -> free 0.299996 held 0.200004 used 10.00
    update S1 rg 1 used 0s                -> 2001
    balance A EUR                         -> free 0.50 held 0.00 used 10.00
    terminate S1                          -> 2001
    balance A EUR                         -> free 0.50 held 0.00 used 10.00
  )"),
            "");
}

TEST(QuotaPool, a_denied_group_leaves_the_rest_to_the_others) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 1.50EUR
    initial S1 A data rg 2 ask 1000KiB rg 100 ask 1MB \
        -> 2001 rg 2 grant 1000KiB pool 978 times 27648e2 \
                rg 100 grant 1000000octets pool 978 times 28311552e0
    adjust A -0.379996EUR                 -> ok balance 0.00EUR
    update S1 rg 2 used 500KiB ask any    -> 2001 4012
    balance A EUR                         -> free 0.00 held 1.070004 used 0.05
    update S1 rg 100 used 1050000octets ask any \
        -> 2001 grant 20004octets final terminate
    balance A EUR                         -> free 0.00 held 0.020004 used 1.10
    terminate S1                          -> 2001
  )"),
            "");
}

TEST(QuotaPool, what_cannot_be_told_has_a_grant_of_its_own) {
  EXPECT_EQ(told(R"(
    show holding threshold
    account A plan pooled balance 100.00EUR balance 3MB
    initial S1 A data rg 7 ask any rg 8 ask any rg 9 ask any rg 10 ask any rg 11 ask 1MB \
        -> 2001 rg 7 grant 5000000octets rg 8 grant 5000000octets rg 9 grant 5000000octets \
                rg 10 grant 5000000octets rg 11 grant 1000000octets
    balance A octets                      -> free 2000000 held 1000000 used 0
    update S1 rg 100 ask any rg 1 ask any \
        -> 2001 rg 100 grant 5000000octets pool 978 times 28311552e0 \
                rg 1 grant 3000s pool 978 times 4718592e4
    terminate S1                          -> 2001
    initial S2 A data ask any             -> 2001 grant 5000000octets
    terminate S2                          -> 2001
    profile default
    initial S3 A data rg 100 ask any rg 1 ask any \
        -> 2001 rg 100 grant 5000000octets threshold 1000000octets rg 1 grant 3000s holding 60s
  )"),
            "");
}

// The last units are a grant of their own: they have an end that can be told.
TEST(QuotaPool, the_last_units_are_not_pooled) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 1.00EUR
    initial S1 A data rg 3 ask 5events    -> 2001 grant 5events pool 978 times 28311552e5
    balance A EUR                         -> free 0.299998 held 0.700002 used 0.00
    update S1 rg 3 used 5events ask any   -> 2001 grant 5events final terminate
    balance A EUR                         -> free 0.00 held 0.50 used 0.50
    terminate S1 rg 3 used 5events        -> 2001
    balance A EUR                         -> free 0.00 held 0.00 used 1.00
  )"),
            "");
}

// Leaves S1 in a pool, and its client knows pools no more (its profile was changed).
TEST(QuotaPool, a_client_that_knows_pools_no_more_goes_on_without) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 100.00EUR
    initial S1 A data rg 100 ask any rg 3 ask 1event \
        -> 2001 rg 100 grant 5000000octets pool 978 times 28311552e0 \
                rg 3 grant 1event pool 978 times 28311552e5
    profile default
    update S1 rg 100 used 6MB ask any     -> 2001 grant 5000000octets
    balance A EUR                         -> free 88.699998 held 5.300002 used 6.00
    terminate S1 rg 3 used 1event         -> 2001
    balance A EUR                         -> free 93.90 held 0.00 used 6.10
  )"),
            "");
}

// Who leaves the pool with its last units, while another joins it in the same answer, leaves what
// it has not used to that one.
TEST(QuotaPool, what_is_left_passes_to_who_joins) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 2.50EUR
    initial S1 A data rg 100 ask 2MB      -> 2001 grant 2000000octets pool 978 times 28311552e0
    update S1 rg 100 used 1MB ask 5MB rg 3 ask 1event \
        -> 2001 rg 100 grant 199996octets final terminate \
                rg 3 grant 1event pool 978 times 28311552e5
    balance A EUR                         -> free 0.00 held 1.50 used 1.00
    update S1 rg 3 used 11events          -> 2001
    terminate S1 rg 100 used 199996octets -> 2001
    balance A EUR                         -> free 0.200004 held 0.00 used 2.299996
  )"),
            "");
}

// A restart finds the pool in the journal: an entry holds what it did to all quotas.
TEST(QuotaPool, a_pool_outlives_a_restart) {
  EXPECT_EQ(told(R"(
    account A plan pooled balance 3.00EUR balance 20.00EUR priority 5
    initial S1 A data rg 100 ask any rg 1 ask any rg 3 ask any \
        -> 2001 rg 100 grant 5000000octets pool 978 times 28311552e0 \
                rg 1 grant 3000s pool 978 times 4718592e4 \
                rg 3 grant 5events pool 978 times 28311552e5
    restart
    update S1 rg 1 used 3600s ask any     -> 2001 grant 3000s pool 978 times 4718592e4
    restart
    buckets A                             -> 0.00/2.200002/0.799998EUR 7.099994/7.700004/5.200002EUR
    wait 3h
    buckets A                             -> 2.200002/0.00/0.799998EUR 14.799998/0.00/5.200002EUR
  )"),
            "");
}

// The largest entry that a report makes: its own quota is empty, and all others give of theirs.
TEST(QuotaPool, one_report_may_take_of_all_quotas_of_a_session) {
  ChargeTable table;
  table.rig().load_tariff_text(R"(
plan pooled {
  currency EUR
  service data { rule "any" default { price 1.00EUR per 1MB; round exact } }
}
)");
  std::string groups;
  for (u32 i = 1; i <= ledger::quotas_per_session_max; ++i) {
    groups += " rg " + std::to_string(i) + " ask 1MB";
  }
  ASSERT_EQ(table.run("profile quota_pools=true\naccount A plan pooled balance 100.00EUR\n"), "");
  EXPECT_NE(table.tell("initial S1 A data" + groups).find("rg 64 grant 1000000octets pool 978"),
            std::string::npos);
  EXPECT_EQ(table.run(R"(
    balance A EUR                         -> free 35.999872 held 64.000128 used 0.00
    update S1 rg 1 used 64MB              -> 2001
    balance A EUR                         -> free 35.999872 held 0.000128 used 64.00
    restart
    terminate S1                          -> 2001
    balance A EUR                         -> free 36.00 held 0.00 used 64.00
  )"),
            "");
}

TEST(QuotaPool, a_new_grant_is_what_is_missing) {
  const rating::Rule rule = rule_of(10, 1, rating::Meter::volume);
  const i64 reserve = rounding_reserve(rule).count;
  const auto size = [&](i64 left) {
    return pool_grant_size(rule, {800}, {left + reserve}, {1}).count;
  };
  EXPECT_EQ(size(-5), 800);
  EXPECT_EQ(size(0), 800);
  EXPECT_EQ(size(1000), 700);
  EXPECT_EQ(size(6999), 101);
  EXPECT_EQ(size(7990), 100);
  EXPECT_EQ(size(15'999), 100);
  EXPECT_EQ(size(16'000), 1);
}

}  // namespace
}  // namespace tollgate::app
