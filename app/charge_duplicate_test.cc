// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What is sent twice, late, or in another order; and what ends without its client.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

void expect(ChargeTable& table, std::string_view lines) {
  EXPECT_EQ(table.run("tariff config/tariffs\n" + std::string(lines)), "");
}
void expect(std::string_view lines) {
  ChargeTable table;
  expect(table, lines);
}

TEST(ChargeDuplicate, the_last_two_answers_are_kept) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    again S1 initial 0                           -> same
    update S1 rg 10 used 1MiB ask 2MiB           -> 2001 grant 2MiB
    again S1 initial 0                           -> same
    again S1 update 1                            -> same
    update S1 rg 10 used 1MiB ask 3MiB           -> 2001 grant 3MiB
    again S1 update 1                            -> same
    again S1 update 2                            -> same
    again S1 initial 0                           -> 5012
    balance A EUR                                -> free 9.48 held 0.31 used 0.21
  )");
}

TEST(ChargeDuplicate, the_type_is_part_of_the_key) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data #1 rg 10 ask 1MiB          -> 2001 grant 1MiB
    update S1 #1 rg 10 used 1MiB ask 2MiB        -> 2001 grant 2MiB
    terminate S1 #1 rg 10 used 1MiB              -> 2001
    again S1 update 1                            -> same
    again S1 terminate 1                         -> same
    balance A EUR                                -> free 9.79 held 0.00 used 0.21
    update S1 #2 rg 10 used 1MiB ask 2MiB        -> 5002
    terminate S1 #2 rg 10 used 1MiB              -> 5002
    again S1 initial 1                           -> 5012
    balance A EUR                                -> free 9.79 held 0.00 used 0.21
    cdr S1                                       -> normal rg 10 used 2MiB cost 0.21EUR
  )");
}

TEST(ChargeDuplicate, overtaken_updates_are_carried_out_once) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    update S1 #3 rg 10 used 100KiB ask 1MiB      -> 2001 grant 1MiB
    update S1 #2 rg 10 used 200KiB ask 2MiB      -> 2001 grant 2MiB
    update S1 #1 rg 10 used 300KiB ask 3MiB      -> 2001 grant 3MiB
    balance A EUR                                -> free 9.63 held 0.31 used 0.06
    again S1 update 2                            -> same
    again S1 update 1                            -> same
    again S1 update 3                            -> 5012
    update S1 #90 rg 10 used 100KiB              -> 2001
    update S1 #89 rg 10 used 100KiB              -> 2001
    again S1 update 2                            -> 5012
    update S1 #4 rg 10 used 100KiB               -> 5012           # too old to tell
    terminate S1 #5                              -> 2001
    balance A EUR                                -> free 9.92 held 0.00 used 0.08
  )");
}

TEST(ChargeDuplicate, an_initial_in_an_open_session_is_refused) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    initial S1 A data #7 rg 10 ask 5MiB          -> 5012
    event S1 A sms debit #9 ask 1event           -> 5012
    balance A EUR                                -> free 9.89 held 0.11 used 0.00
  )");
}

TEST(ChargeDuplicate, events_are_debited_once) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    event E1 A sms debit ask 2events             -> 2001 grant 2events cost 0.20EUR
    again E1 event 0                             -> same
    balance A EUR                                -> free 0.80 held 0.00 used 0.20
    event E1 A sms debit #1 ask 2events          -> 5012
    event E2 A sms refund ask 1event             -> 2001 cost 0.10EUR
    again E2 event 0                             -> same
    balance A EUR                                -> free 0.90 held 0.00 used 0.10
    restart
    again E1 event 0                             -> same
    again E2 event 0                             -> same
    wait 23h
    again E1 event 0                             -> same           # replayed from a client's disk
    wait 2h
    again E1 event 0                             -> same moved
    cdr E2                                       -> normal
  )");
}

// 1, 2, 4, 7 and 64 services: one lies in the session, three in each extension.
TEST(ChargeDuplicate, answers_of_many_services_are_kept_whole) {
  for (const u32 count : {1u, 2u, 4u, 5u, 7u, 8u, 64u}) {
    std::string services;
    for (u32 i = 0; i < count; ++i) {
      services += fmt::format(" rg 10 si {} ask {}KiB", i, 100 + 100 * (i % 7));
    }
    ChargeTable table;
    table.rig().load_tariff(SOURCE_ROOT "/config/tariffs");
    ASSERT_EQ(table.tell("account A plan prepaid balance 10.00EUR"), "");
    ASSERT_NE(table.tell("initial S1 A data" + services), "");
    ASSERT_EQ(table.rig().fault(), "");
    EXPECT_EQ(table.tell("again S1 initial 0"), "same") << count;
    ASSERT_NE(table.tell("update S1" + services), "");
    ASSERT_EQ(table.rig().fault(), "");
    EXPECT_EQ(table.tell("again S1 initial 0"), "same") << count;
    EXPECT_EQ(table.tell("again S1 update 1"), "same") << count;
    table.rig().restart();
    ASSERT_EQ(table.rig().fault(), "");
    EXPECT_EQ(table.tell("again S1 update 1"), "same") << count;
    ASSERT_NE(table.tell("terminate S1 #1" + services), "");
    EXPECT_EQ(table.tell("again S1 terminate 1"), "same") << count;
    EXPECT_EQ(table.tell("again S1 update 1"), "same") << count;
    EXPECT_EQ(table.tell("balance A EUR"), "free 10.00 held 0.00 used 0.00");
    ASSERT_EQ(table.rig().fault(), "");
  }
}

TEST(ChargeDuplicate, a_session_has_a_limited_number_of_groups) {
  ChargeTable table;
  std::string many;
  for (u32 i = 0; i < 64; ++i) many += fmt::format(" rg 20 si {}", i);
  expect(table, "account A plan prepaid balance 1.00EUR\n");
  ASSERT_NE(table.tell("initial S1 A data" + many), "");
  expect(table, R"(
    update S1 rg 20 si 64 ask any                -> 2001 5006
    update S1 rg 20 si 63 ask any                -> 2001 grant 100MiB
    terminate S1 rg 20 si 64 used 1MiB           -> 2001 5006
  )");
}

TEST(ChargeEnd, a_silent_session_gives_its_holds_back) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 10MiB            -> 2001 grant 10MiB
    update S1 rg 10 used 1MiB ask 10MiB          -> 2001 grant 10MiB
    wait 1199s
    cdr S1                                       -> none
    wait 3s
    cdr S1                                       -> abnormal rg 10 used 1MiB cost 0.11EUR
    balance A EUR                                -> free 9.89 held 0.00 used 0.11
    update S1 rg 10 used 1MiB                    -> 5002
    initial S2 A data                            -> 2001
    wait 7199s
    cdr S2                                       -> none
    wait 3s
    cdr S2                                       -> abnormal
    remove A                                     -> ok
  )");
}

TEST(ChargeEnd, an_operator_drops_a_session) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 10MiB rg 10 si 1 ask 10MiB \
        -> 2001 rg 10 grant 10MiB rg 10 si 1 grant 10MiB
    remove A                                     -> account_has_sessions
    drop S1                                      -> ok
    balance A EUR                                -> free 10.00 held 0.00 used 0.00
    drop S1                                      -> session_closed
    drop S9                                      -> session_unknown
    update S1 rg 10 used 1MiB                    -> 5002
    again S1 initial 0                           -> same
    cdr S1                                       -> management rg 10 used 0octets rg 10 used 0octets
    remove A                                     -> ok
    balance A EUR                                -> free 0.00 held 0.00 used 0.00
    initial S2 A data rg 10 ask any              -> 5030
  )");
}

// A refused CCR-I leaves no reservation, no session, and nothing for a CDR.
TEST(ChargeEnd, a_refused_beginning_leaves_nothing) {
  expect(R"(
    account A plan prepaid balance 0.005EUR
    initial S1 A data ask any                    -> 4012
    again S1 initial 0                           -> same
    cdr S1                                       -> none
    update S1 used 1MiB                          -> 5002
    terminate S1                                 -> 5002
    remove A                                     -> ok
  )");
}

TEST(ChargeEnd, a_full_pool_of_sessions_forgets_closed_ones_first) {
  ChargeTable table({.accounts = 4, .buckets = 8, .sessions = 3, .extensions = 64});
  expect(table, R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    initial S2 A data rg 10 ask 1MiB rg 20 ask any -> 2001 rg 10 grant 1MiB rg 20 grant 100MiB
    initial S3 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    initial S4 A data rg 10 ask 1MiB             -> 3004
    event E1 A sms debit ask 1event              -> 3004
    event E1 A sms price ask 1event              -> 2001 cost 0.10EUR
    balance A EUR                                -> free 9.67 held 0.33 used 0.00
    terminate S2                                 -> 2001
    again S2 terminate 1                         -> same
    initial S4 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    again S2 terminate 1                         -> 5002
    balance A EUR                                -> free 9.67 held 0.33 used 0.00
  )");
}

TEST(ChargeEnd, without_room_in_the_journal_nothing_moves) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    journal full
    again S1 initial 0                           -> same
    update S1 #1 rg 10 used 1MiB                 -> 3004
    terminate S1 #2                              -> 3004
    initial S2 A data rg 10 ask 1MiB             -> 3004
    event E1 A sms debit ask 1event              -> 3004
    top-up A 1.00EUR                             -> too_busy
    drop S1                                      -> too_busy
    wait 2h
    cdr S1                                       -> none
    balance A EUR                                -> free 9.89 held 0.11 used 0.00
    journal ready
    update S1 #1 rg 10 used 1MiB                 -> 2001
    balance A EUR                                -> free 9.89 held 0.00 used 0.11
  )");
}

TEST(ChargeEnd, without_extensions_nothing_is_granted_by_halves) {
  ChargeTable table({.accounts = 4, .buckets = 8, .sessions = 8, .extensions = 5});
  expect(table, R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 1MiB rg 20 ask any rg 30 \
        -> 2001 rg 10 grant 1MiB rg 20 grant 100MiB rg 30
    initial S2 A data rg 10 ask 1MiB rg 20 ask any rg 30 -> 3004     # 3 of 5 are taken, it needs 3
    update S1 rg 40 ask any rg 41 ask any        -> 3004             # two quotas and an answer
    update S1 #2 rg 10 used 1MiB ask 1MiB rg 20 ask 1MiB -> 2001 rg 10 grant 1MiB rg 20 grant 1MiB
    again S1 initial 0                           -> same
    again S1 update 2                            -> same
    initial S2 A data rg 10 ask 1MiB rg 20 ask any -> 3004           # one is left, it needs 2
    initial S3 A data rg 10 ask 1MiB             -> 2001 grant 1MiB  # none needed
    update S1 #3 rg 10 used 1MiB ask 1MiB rg 20 rg 30 rg 10 \
        -> 2001 rg 10 grant 1MiB rg 20 rg 30 rg 10
    again S1 update 3                            -> same
    update S3 rg 20 ask any                      -> 2001 grant 100MiB
    update S3 rg 30                              -> 3004
    terminate S3 rg 10 used 100KiB               -> 2001
    terminate S1 #9 rg 10 used 100KiB rg 20      -> 2001 rg 10 rg 20
    again S1 terminate 9                         -> same
    wait 61s
    initial S2 A data rg 10 ask 1MiB rg 20 ask any rg 30 \
        -> 2001 rg 10 grant 1MiB rg 20 grant 100MiB rg 30
  )");
}

// Forgetting a closed session is not journaled; its extensions go to others, who are journaled.
TEST(ChargeEnd, what_a_forgotten_session_had_belongs_to_others_after_a_restart) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 si 1 ask 1MiB rg 10 si 2 ask 1MiB rg 10 si 3 ask 1MiB \
        -> 2001 rg 10 si 1 grant 1MiB rg 10 si 2 grant 1MiB rg 10 si 3 grant 1MiB
    initial S2 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    terminate S1                                 -> 2001
    terminate S2                                 -> 2001
    wait 25h
    initial S3 A data rg 10 si 1 ask 1MiB rg 10 si 2 ask 1MiB rg 10 si 3 ask 1MiB \
        -> 2001 rg 10 si 1 grant 1MiB rg 10 si 2 grant 1MiB rg 10 si 3 grant 1MiB
    balance A EUR                                -> free 9.67 held 0.33 used 0.00
    restart
    wait 61s
    update S3 rg 10 si 2 used 1MiB rg 10 si 3 used 1MiB -> 2001 rg 10 si 2 rg 10 si 3
    terminate S3 rg 10 si 1 used 1MiB            -> 2001
    balance A EUR                                -> free 9.67 held 0.00 used 0.33
  )");
}

}  // namespace
}  // namespace tollgate::app
