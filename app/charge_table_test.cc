// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Charging by table (charge_table.hh). The demonstration's prices, for reckoning along:
//
//   prepaid    data 10   0.01 EUR a block of 100 KiB begun; grant 10 MiB, at most 100 MiB
//              data 20   free, grant 100 MiB        data 30   barred
//              voice     the first 60 s 0.10 EUR, then 0.01 EUR each 6 s begun; at most 10 min
//              sms       0.10 EUR a message
//   data-pack  data 10   a GiB and then 0.02 EUR a MiB begun; grant 20 MiB, at most 200 MiB
//              voice     100 min, then 0.05 EUR once and 0.002 EUR a second, up to whole cents

#include "app/charge_table.hh"

#include <gtest/gtest.h>

namespace tollgate::app {
namespace {

// EXPECT_EQ with the empty text prints the lines that differ.
void expect(ChargeTable& table, std::string_view lines) {
  EXPECT_EQ(table.run("tariff config/tariffs\n" + std::string(lines)), "");
}
void expect(std::string_view lines) {
  ChargeTable table;
  expect(table, lines);
}

TEST(ChargeTable, a_data_session_pays_for_blocks_begun) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 10MiB            -> 2001 grant 10MiB           # 103 blocks
    balance A EUR                                -> free 8.97 held 1.03 used 0.00
    update  S1   rg 10 used 3MiB ask 10MiB       -> 2001 grant 10MiB           # 31 of 133.12
    balance A EUR                                -> free 8.66 held 1.03 used 0.31
    terminate S1 rg 10 used 1MiB                 -> 2001                       # 40.96, so 41
    balance A EUR                                -> free 9.59 held 0.00 used 0.41
    cdr S1                                       -> normal rg 10 used 4MiB cost 0.41EUR
  )");
}

TEST(ChargeTable, each_rating_group_has_its_own_answer) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB rg 20 ask any rg 30 ask any rg 99 ask any \
        -> 2001 rg 10 grant 1MiB rg 20 grant 100MiB rg 30 4010 rg 99 5031
    balance A EUR                                -> free 9.89 held 0.11 used 0.00
    update S1 rg 20 used 50MiB ask any rg 10 used 1MiB -> 2001 rg 20 grant 100MiB rg 10
    balance A EUR                                -> free 9.89 held 0.00 used 0.11
    terminate S1 rg 10 rg 20 used 1MiB           -> 2001 rg 10 rg 20
    balance A EUR                                -> free 9.89 held 0.00 used 0.11
  )");
}

TEST(ChargeTable, groups_and_identifiers_are_told_apart) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB rg 10 si 7 ask 1MiB \
        -> 2001 rg 10 grant 1MiB rg 10 si 7 grant 1MiB
    balance A EUR                                -> free 9.78 held 0.22 used 0.00
    update S1 rg 10 si 7 used 1KiB               -> 2001
    balance A EUR                                -> free 9.88 held 0.11 used 0.01
    terminate S1                                 -> 2001
    balance A EUR                                -> free 9.99 held 0.00 used 0.01
  )");
}

TEST(ChargeTable, reports_add_up_and_totals_win_over_their_parts) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask any              -> 2001 grant 10MiB
    update S1 rg 10 used 1MiB used 2MiB ask any  -> 2001 grant 10MiB
    balance A EUR                                -> free 8.66 held 1.03 used 0.31
    update S1 rg 10 in 1MiB out 1MiB             -> 2001                # 51.2, so 52
    balance A EUR                                -> free 9.48 held 0.00 used 0.52
    update S1 rg 10 in 1MiB out 1MiB used 1MiB   -> 2001                # 61.44, so 62
    balance A EUR                                -> free 9.38 held 0.00 used 0.62
    update S1 rg 10 used 60s out 1MiB            -> 2001                # time is not paid for
    balance A EUR                                -> free 9.28 held 0.00 used 0.72
    update S1 rg 10 used 60s                     -> 2001 5031
    balance A EUR                                -> free 9.28 held 0.00 used 0.72
  )");
}

TEST(ChargeTable, wishes_are_raised_and_cut) {
  expect(R"(
    account A plan prepaid balance 50.00EUR
    show validity threshold
    initial S1 A data rg 10                      -> 2001
    update S1 rg 10 ask any                      -> 2001 grant 10MiB validity 600s threshold 2MiB
    update S1 rg 10 ask 1GiB                     -> 2001 grant 100MiB validity 600s threshold 20MiB
    update S1 rg 10 ask 0octets                  -> 2001 grant 10MiB validity 600s threshold 2MiB
    update S1 rg 10 ask 60s                      -> 2001 5031
    update S1 rg 20 ask any                      -> 2001 grant 100MiB validity 3600s
    show none
    update S1 rg 10 ask 9000000000000000000octets -> 2001 grant 100MiB
    terminate S1                                 -> 2001
  )");
}

TEST(ChargeTable, time_and_events_at_command_level) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    initial C1 A voice ask 60s                   -> 2001 grant 60s
    balance A EUR                                -> free 0.90 held 0.10 used 0.00
    update  C1 used 61s ask 60s                  -> 2001 grant 60s       # 0.11, then to 0.21
    balance A EUR                                -> free 0.79 held 0.10 used 0.11
    update C1 used 60s ask 3600s -> 2001 grant 479s final terminate  # 121 s 0.21, 600 s 1.00
    balance A EUR                                -> free 0.00 held 0.79 used 0.21
    terminate C1 used 5s                         -> 2001                 # 126 s: 0.21
    balance A EUR                                -> free 0.79 held 0.00 used 0.21
    cdr C1                                       -> normal used 126s cost 0.21EUR
    initial M1 A sms ask 2events                 -> 2001 grant 2events
    terminate M1 used 1event                     -> 2001
    balance A EUR                                -> free 0.69 held 0.00 used 0.31
  )");
}

TEST(ChargeTable, a_session_may_begin_without_a_service) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    initial S1 A data                            -> 2001
    update S1 rg 10 ask 1MiB                     -> 2001 grant 1MiB
    update S1                                    -> 2001
    balance A EUR                                -> free 0.89 held 0.11 used 0.00
    terminate S1                                 -> 2001
    balance A EUR                                -> free 1.00 held 0.00 used 0.00
    cdr S1                                       -> normal rg 10 used 0octets
    initial S2 A data mscc ask any -> 2001 grant 10000KiB final terminate  # 100 blocks
  )");
}

TEST(ChargeTable, the_last_grant_is_exact_to_the_block) {
  expect(R"(
    account A plan prepaid balance 0.059EUR
    initial S1 A data rg 10 ask 10MiB            -> 2001 grant 500KiB final terminate
    balance A EUR                                -> free 0.009 held 0.05 used 0.00
    update S1 rg 10 used 450KiB ask any          -> 2001 grant 50KiB final terminate
    update S1 rg 10 used 50KiB ask any           -> 2001 4012
    balance A EUR                                -> free 0.009 held 0.00 used 0.05
    terminate S1 rg 10                           -> 2001
    initial S2 A data rg 10 ask any              -> 2001 4012
    terminate S2 rg 10                           -> 2001
  )");
}

TEST(ChargeTable, what_was_used_beyond_the_grant_is_owed) {
  expect(R"(
    account A plan prepaid balance 0.05EUR
    initial S1 A data rg 10 ask 10MiB            -> 2001 grant 500KiB final terminate
    update S1 rg 10 used 1MiB ask any -> 2001 grant 76KiB final terminate  # of the 11th block
    balance A EUR                                -> free -0.06 held 0.00 used 0.11
    top-up A 0.05EUR                             -> ok balance -0.01EUR
    update S1 rg 10 used 76KiB ask any           -> 2001 4012
    top-up A 0.03EUR                             -> ok balance 0.02EUR
    update S1 rg 10 ask any                      -> 2001 grant 200KiB final terminate
    terminate S1 rg 10 used 200KiB               -> 2001
    balance A EUR                                -> free 0.00 held 0.00 used 0.13
  )");
}

TEST(ChargeTable, credit_reaches_as_far_as_its_limit) {
  expect(R"(
    account A plan prepaid balance 0.00EUR limit 0.05EUR
    initial S1 A data rg 10 ask any              -> 2001 grant 500KiB final terminate
    balance A EUR                                -> free -0.05 held 0.05 used 0.00
    initial S2 A data rg 10 ask any              -> 2001 4012
    update S1 rg 10 used 300KiB                  -> 2001
    balance A EUR                                -> free -0.03 held 0.00 used 0.03
    update S2 rg 10 ask any                      -> 2001 grant 200KiB final terminate
    set A limit 1.00EUR                          -> ok
    update S2 rg 10 ask 1MiB                     -> 2001 grant 1MiB
    set A limit 0.00EUR                          -> ok
    update S2 rg 10 used 1MiB ask 1MiB           -> 2001 grant 76KiB final terminate
    update S2 rg 10 used 76KiB ask 1MiB          -> 2001 4012
    balance A EUR                                -> free -0.14 held 0.00 used 0.14
  )");
}

TEST(ChargeTable, a_suspended_account_pays_for_what_it_used) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    set A state suspended                        -> ok
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 4010
    balance A EUR                                -> free 0.89 held 0.00 used 0.11
    initial S2 A data rg 10 ask 1MiB             -> 4010
    event E1 A sms debit ask 1event              -> 4010
    set A state active                           -> ok
    update S1 rg 10 ask 1MiB                     -> 2001 grant 1MiB
    set A state expired                          -> ok
    terminate S1 rg 10 used 1KiB                 -> 2001                    # 1025 KiB: 11 blocks
    balance A EUR                                -> free 0.89 held 0.00 used 0.11
    account B plan prepaid balance 1.00EUR state inactive
    initial S3 B data rg 10 ask 1MiB             -> 2001 grant 1MiB        # its first use
    initial S4 Nobody data rg 10 ask 1MiB        -> 5030
  )");
}

TEST(ChargeTable, what_the_tariff_does_not_sell_is_5031) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    account B plan nonesuch balance 1.00EUR
    initial S1 A 32999@3gpp.org rg 10 ask any    -> 2001 5031
    initial S2 A 32999@3gpp.org ask 1MiB         -> 5031
    initial S3 B data rg 10 ask any              -> 2001 5031
    event E1 A 32999@3gpp.org debit ask 1event   -> 5031
    event E2 A sms debit ask 1MiB                -> 5031
    balance A EUR                                -> free 1.00 held 0.00 used 0.00
  )");
}

TEST(ChargeTable, free_units_first_and_money_afterwards) {
  expect(R"(
    account A plan data-pack balance 10MiB priority 10 balance 1.00EUR
    initial S1 A data rg 10 ask any              -> 2001 grant 20MiB        # 10 MiB, then 10 x 0.02
    buckets A                                    -> 0.80/0.20/0.00EUR 0/10485760/0octets
    update S1 rg 10 used 4MiB ask 10MiB          -> 2001 grant 10MiB        # 6 MiB, then 4 x 0.02
    buckets A                                    -> 0.92/0.08/0.00EUR 0/6291456/4194304octets
    update S1 rg 10 used 7MiB ask 1MiB           -> 2001 grant 1MiB         # 1 MiB for money
    buckets A                                    -> 0.96/0.02/0.02EUR 0/0/10485760octets
    terminate S1 rg 10 used 1octet               -> 2001                    # a block begun
    buckets A                                    -> 0.96/0.00/0.04EUR 0/0/10485760octets
    cdr S1                                       -> normal rg 10 used 11534337octets cost 0.04EUR
  )");
}

TEST(ChargeTable, buckets_pay_by_priority_and_then_what_ends_sooner) {
  expect(R"(
    account A plan data-pack balance 3MiB priority 5 expires 30d balance 2MiB priority 5 \
           expires 1d balance 1MiB priority 9 balance 0.04EUR priority 1 ->
    buckets A -> 0.04/0.00/0.00EUR 2097152/0/0octets 3145728/0/0octets 1048576/0/0octets
    initial S1 A data rg 10 ask 4MiB             -> 2001 grant 4MiB
    buckets A -> 0.04/0.00/0.00EUR 0/2097152/0octets 1048576/2097152/0octets 1048576/0/0octets
    update S1 rg 10 used 3MiB ask 20MiB -> 2001 grant 5MiB final redirect http://top-up.example/
    buckets A -> 0.00/0.04/0.00EUR 0/0/2097152octets 0/2097152/1048576octets 0/1048576/0octets
    wait 2d
    terminate S1                                 -> 5002
    cdr S1                                       -> abnormal rg 10 used 3MiB
    buckets A -> 0.04/0.00/0.00EUR 0/0/2097152octets 2097152/0/1048576octets 1048576/0/0octets
  )");
}

TEST(ChargeTable, a_bucket_that_ends_while_it_is_held_still_pays) {
  expect(R"(
    account A plan data-pack balance 10MiB priority 5 expires 10min balance 1.00EUR priority 9
    initial S1 A data rg 10 ask 5MiB             -> 2001 grant 5MiB
    wait 15min
    update S1 rg 10 used 5MiB ask 1MiB           -> 2001 grant 1MiB         # the new one from money
    buckets A                                    -> 5242880/0/5242880octets 0.98/0.02/0.00EUR
    terminate S1 rg 10 used 1MiB                 -> 2001
    buckets A                                    -> 5242880/0/5242880octets 0.98/0.00/0.02EUR
  )");
}

TEST(ChargeTable, a_session_ends_at_twice_its_validity_time) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    wait 19min
    balance A EUR                                -> free 9.89 held 0.11 used 0.00
    wait 2min
    balance A EUR                                -> free 10.00 held 0.00 used 0.00
    terminate S1                                 -> 5002
  )");
}

// A grant leans on four buckets at most; it is the last one only if no fifth could pay.
TEST(ChargeTable, many_small_buckets) {
  ChargeTable table;
  expect(table, "account A plan prepaid balance 0.01EUR\n");
  for (u32 i = 1; i < 64; ++i) {
    ASSERT_EQ(table.tell("top-up A 0.01EUR priority " + std::to_string(i)), "ok balance 0.01EUR");
  }
  expect(table, R"(
    top-up A 0.01EUR priority 200                -> too_busy
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 400KiB
    update S1 rg 10 used 400KiB ask 1MiB         -> 2001 grant 400KiB
    update S1 rg 10 used 5700KiB ask 1MiB        -> 2001 grant 300KiB final terminate
    terminate S1 rg 10 used 400KiB               -> 2001
    balance A EUR                                -> free -0.01 held 0.00 used 0.65
    account B plan prepaid balance 0.01EUR balance 0.01EUR priority 1 balance 0.01EUR priority 2 \
        balance 0.01EUR priority 3 limit 0.01EUR
    initial S2 B data rg 10 ask 1MiB             -> 2001 grant 400KiB
    update S2 rg 10 used 400KiB ask 1MiB         -> 2001 grant 100KiB final terminate
  )");
}

TEST(ChargeTable, a_call_with_minutes_and_then_money) {
  expect(R"(
    account A plan data-pack balance 30s priority 5 balance 1.00EUR priority 9
    initial C1 A voice rg 1 ask any              -> 2001 grant 60s    # 30 s, then 0.05 + 0.06
    buckets A                                    -> 0/30/0seconds 0.89/0.11/0.00EUR
    update C1 rg 1 used 60s ask 600s             -> 2001 grant 445s final terminate # 475 s: 1.00
    terminate C1 rg 1 used 1s                    -> 2001              # 0.05 + 31 x 0.002 = 0.112
    buckets A                                    -> 0/0/30seconds 0.88/0.00/0.12EUR
  )");
}

}  // namespace
}  // namespace tollgate::app
