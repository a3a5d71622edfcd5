// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What operators need of a balance, by table (charge_table.hh): states and their dates, credit,
// validity, refunds, transfers between shards with a crash after each step, thresholds.

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

TEST(AccountState, inactive_until_first_use) {
  expect(R"(
    account A plan prepaid balance 1.00EUR state inactive
    event E1 A sms check ask 1event              -> 2001 enough              # asking is no use
    event E2 A sms price ask 1event              -> 2001 cost 0.10EUR
    set A state inactive                         -> ok
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    restart
    set A state suspended                        -> ok
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 4010
    account B plan prepaid balance 1.00EUR state inactive
    event E3 B sms debit                         -> 2001 grant 1event cost 0.10EUR
    account C plan prepaid balance 1.00EUR state inactive
    set C valid 10min                            -> ok
    wait 11min
    event E4 C sms debit                         -> 4010                     # expired unused
  )");
}

TEST(AccountState, an_account_ends_at_its_date_and_a_top_up_moves_it) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    set A valid 10min                            -> ok
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    wait 11min
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 4010                # used, so it is paid
    balance A EUR                                -> free 0.89 held 0.00 used 0.11
    event E1 A sms debit                         -> 4010
    top-up A 1.00EUR                             -> ok balance 1.89EUR       # no word of validity
    event E2 A sms debit                         -> 4010
    top-up A 1.00EUR expires 1d extend           -> ok balance 2.89EUR
    event E3 A sms debit                         -> 2001 grant 1event cost 0.10EUR
    restart
    event E4 A sms debit                         -> 2001 grant 1event cost 0.10EUR
    wait 25h
    event E5 A sms debit                         -> 4010
    set A state suspended                        -> ok
    event E6 A sms debit                         -> 4010
  )");
}

TEST(AccountState, one_way_gets_what_costs_nothing) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    event E1 A sms debit ask 2events             -> 2001 grant 2events cost 0.20EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    set A state one_way                          -> ok
    update S1 rg 10 used 1MiB ask 1MiB rg 20 ask any -> 2001 rg 10 4010 rg 20 grant 100MiB
    balance A EUR                                -> free 0.69 held 0.00 used 0.31
    event E2 A sms debit                         -> 4010
    event E3 A sms check ask 1event              -> 4010
    event E4 A sms refund ask 1event             -> 2001 cost 0.10EUR
    terminate S1 rg 10 used 1KiB                 -> 2001                     # the 11th block
    balance A EUR                                -> free 0.79 held 0.00 used 0.21
  )");
}

// The refusals in the order of their precedence, each with all that come after it true as well.
TEST(AccountState, refusals_by_precedence) {
  expect(R"(
    account A plan nonesuch balance 0.00EUR state suspended
    account B plan nonesuch balance 0.00EUR
    set A valid 1s                               -> ok
    set B valid 1s                               -> ok
    wait 2s
    initial S1 Nobody 32999@3gpp.org ask 1MiB    -> 5030                     # account_unknown
    initial S1 A 32999@3gpp.org ask 1MiB         -> 4010                     # suspended
    initial S1 B 32999@3gpp.org ask 1MiB         -> 4010                     # expired
    account C plan prepaid balance 0.00EUR
    initial S1 C data rg 30 ask 60s              -> 2001 4010                # barred
    initial S2 C data rg 99 ask 1MiB             -> 2001 5031                # no price
    initial S3 C data rg 10 ask 60s              -> 2001 5031                # not counted so
    initial S4 C data rg 10 ask 1MiB             -> 2001 4012                # nothing left
  )");
}

TEST(Validity, a_top_up_extends_what_is_still_valid) {
  expect(R"(
    account A plan prepaid balance 1.00EUR expires 1h balance 2.00EUR expires 2h priority 1
    top-up A 1.00EUR expires 30min extend        -> ok balance 2.00EUR       # not made shorter
    buckets A                                    -> 2.00/0.00/0.00EUR 2.00/0.00/0.00EUR
    top-up A 0.50EUR expires 3h priority 1 extend -> ok balance 2.50EUR
    wait 90min
    audit EUR -> in 4.50 free 2.50 held 0.00 used 0.00 expired 2.00
    top-up A 1.00EUR expires 1d extend           -> ok balance 1.00EUR       # what is over stays so
    audit EUR -> in 5.50 free 3.50 held 0.00 used 0.00 expired 2.00
    restart
    wait 2h
    audit EUR -> in 5.50 free 1.00 held 0.00 used 0.00 expired 4.50
  )");
}

TEST(Validity, extended_buckets_pay_in_their_new_order) {
  expect(R"(
    account A plan data-pack balance 1MiB priority 5 expires 1h balance 3MiB priority 5 expires 2h \
           balance 1.00EUR priority 9
    buckets A -> 1048576/0/0octets 3145728/0/0octets 1.00/0.00/0.00EUR
    top-up A 1MiB priority 5 expires 1d extend   -> ok balance 2097152octets
    buckets A -> 3145728/0/0octets 2097152/0/0octets 1.00/0.00/0.00EUR
    initial S1 A data rg 10 ask 4MiB             -> 2001 grant 4MiB
    buckets A -> 0/3145728/0octets 1048576/1048576/0octets 1.00/0.00/0.00EUR
    top-up A 1MiB priority 5 expires 7d extend   -> ok balance 1048576octets # of the one held
    buckets A -> 1048576/1048576/0octets 1048576/3145728/0octets 1.00/0.00/0.00EUR
    terminate S1 rg 10 used 4MiB                 -> 2001
    restart
    buckets A -> 0/0/2097152octets 2097152/0/2097152octets 1.00/0.00/0.00EUR
  )");
}

// Held units may be used up to the session's end; what comes back after the bucket's end has
// expired.
TEST(Validity, a_bucket_ends_while_it_is_held) {
  expect(R"(
    account A plan data-pack balance 10MiB priority 5 expires 10min
    initial S1 A data rg 10 ask 5MiB             -> 2001 grant 5MiB
    initial S2 A data rg 10 ask 5MiB -> 2001 grant 5MiB final redirect http://top-up.example/
    wait 11min
    audit octets -> in 10485760 free 0 held 10485760 used 0 expired 0
    terminate S1 rg 10 used 4MiB                 -> 2001
    audit octets -> in 10485760 free 0 held 5242880 used 4194304 expired 1048576
    update S2 rg 10 used 2MiB ask 1MiB           -> 2001 4012
    restart
    audit octets -> in 10485760 free 0 held 0 used 6291456 expired 4194304
    adjust A -1MiB                               -> bucket_unknown           # it is over
    refund A 1MiB                                -> bucket_unknown
  )");
}

TEST(Refund, what_was_charged_comes_back) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    refund A 0.10EUR                             -> refund_too_large
    event E1 A sms debit ask 3events             -> 2001 grant 3events cost 0.30EUR
    refund A 0.10EUR                             -> ok balance 0.80EUR
    refund A 0.21EUR                             -> refund_too_large
    refund A 0.20EUR                             -> ok balance 1.00EUR
    refund A 0.00EUR                             -> amount_invalid
    refund A -0.10EUR                            -> amount_invalid
    refund A 0.10USD                             -> bucket_unknown
    audit EUR -> in 1.00 free 1.00 held 0.00 used 0.00 expired 0.00
  )");
}

constexpr const char* two_shards = R"(
    account A plan prepaid balance 1.00EUR
    account C plan prepaid balance 0.25EUR shard 5
)";

TEST(Transfer, between_shards_in_four_steps) {
  expect(std::string(two_shards) + R"(
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00
    transfer A C 0.50EUR id 7     -> ok in transit balance 0.50EUR
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00 moving 0.50
    receive C 0.50EUR id 7        -> ok balance 0.75EUR
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00
    settle A id 7                 -> ok
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00
    forget C id 7                 -> ok
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00
    buckets A                     -> 0.50/0.00/0.00EUR
    buckets C                     -> 0.75/0.00/0.00EUR
  )");
}

// A crash after each step, and each step once more before and after it.
TEST(Transfer, nothing_is_done_twice_over_a_crash) {
  expect(std::string(two_shards) + R"(
    transfer A C 0.50EUR id 7     -> ok in transit balance 0.50EUR
    transfer A C 0.50EUR id 7     -> ok again in transit
    restart
    buckets A                     -> 0.50/0.00/0.00EUR 0.50/0.00/0.00EUR(sent)
    transfer A C 0.50EUR id 7     -> ok again in transit
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00 moving 0.50
    receive C 0.50EUR id 7        -> ok balance 0.75EUR
    receive C 0.50EUR id 7        -> ok again
    restart
    receive C 0.50EUR id 7        -> ok again
    buckets C                     -> 0.75/0.00/0.00EUR 0.00/0.00/0.00EUR(received)
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00
    settle A id 7                 -> ok
    settle A id 7                 -> ok again
    restart
    settle A id 7                 -> ok again
    audit EUR                     -> in 1.25 free 1.25 held 0.00 used 0.00 expired 0.00
    forget C id 7                 -> ok
    restart
    forget C id 7                 -> ok again
    buckets A                     -> 0.50/0.00/0.00EUR
    buckets C                     -> 0.75/0.00/0.00EUR
  )");
}

TEST(Transfer, a_refused_one_comes_back) {
  expect(std::string(two_shards) + R"(
    top-up C 9223372036854EUR     -> ok balance 9223372036854.25EUR
    transfer A C 1.00EUR id 7     -> ok in transit balance 0.00EUR
    receive C 1.00EUR id 7        -> amount_overflow
    restart
    return A id 7                 -> ok balance 1.00EUR
    restart
    return A id 7                 -> ok again
    buckets A                     -> 1.00/0.00/0.00EUR
    adjust C -9223372036854EUR    -> ok balance 0.25EUR
    transfer A C 1.00EUR id 8     -> ok in transit balance 0.00EUR
    top-up A 9223372036854EUR     -> ok balance 9223372036854.00EUR
    return A id 8                 -> ok balance 1.00EUR              # in a bucket of its own
    buckets A                     -> 9223372036854.00/0.00/0.00EUR 1.00/0.00/0.00EUR
    adjust A -9223372036854EUR    -> ok balance 0.00EUR
    event E1 A sms debit          -> 2001 grant 1event cost 0.10EUR  # and that pays
  )");
}

TEST(Transfer, what_is_on_its_way_pays_for_nothing_and_holds_its_accounts) {
  expect(std::string(two_shards) + R"(
    transfer A C 1.00EUR id 7     -> ok in transit balance 0.00EUR
    event E1 A sms debit          -> 4012
    adjust A -0.10EUR             -> credit_limit_reached
    transfer A C 0.10EUR id 8     -> credit_limit_reached
    remove A                      -> transfer_pending
    receive C 1.00EUR id 7        -> ok balance 1.25EUR
    remove C                      -> transfer_pending
    settle A id 7                 -> ok
    remove A                      -> ok
    forget C id 7                 -> ok
    remove C                      -> ok
    receive C 1.00EUR id 9        -> account_unknown
  )");
}

TEST(Transfer, units_that_the_target_has_not) {
  expect(R"(
    account A plan data-pack balance 2GiB expires 30d
    account C plan data-pack shard 63
    transfer A C 1GiB id 1        -> ok in transit balance 1073741824octets
    receive C 1GiB id 1           -> ok balance 1073741824octets
    settle A id 1                 -> ok
    forget C id 1                 -> ok
    audit octets                  -> in 2147483648 free 2147483648 held 0 used 0 expired 0
    transfer A C 0octets id 2     -> amount_invalid
    transfer A C -1GiB id 3       -> amount_invalid
    transfer A C 2GiB id 4        -> credit_limit_reached
    transfer A C 1.00EUR id 5     -> bucket_unknown
  )");
}

TEST(Threshold, told_once_when_crossed) {
  ChargePolicy policy;
  policy.thresholds.all[0] = {.unit = Unit::eur, .below = Amount{500'000}};
  policy.thresholds.all[1] = {.unit = Unit::eur, .below = Amount{800'000}};
  policy.thresholds.all[2] = {.unit = Unit::octets, .below = Amount{1 << 20}};
  policy.thresholds.count = 3;
  ChargeTable table(ChargeRig::small, policy);
  expect(table, R"(
    account A plan prepaid balance 1.00EUR
    event E1 A sms debit ask 2events -> 2001 grant 2events cost 0.20EUR
    crossed                          -> none                             # 0.80 is not below
    initial S1 A data rg 10 ask 10MiB -> 2001 grant 8000KiB final terminate
    crossed                          -> none                             # held is not used
    update S1 rg 10 used 100KiB      -> 2001
    crossed                          -> account 1 below 0.80EUR: 0.80 to 0.79
    update S1 rg 10 used 100KiB      -> 2001
    crossed                          -> none
    top-up A 1.00EUR                 -> ok balance 1.78EUR
    crossed                          -> none
    adjust A -1.50EUR                -> ok balance 0.28EUR
    crossed -> account 1 below 0.50EUR: 1.78 to 0.28 and account 1 below 0.80EUR: 1.78 to 0.28
    again E1 event 0                 -> same
    crossed                          -> none
    restart
    crossed -> account 1 below 0.80EUR: 0.80 to 0.79 and account 1 below 0.50EUR: 1.78 to 0.28 \
        and account 1 below 0.80EUR: 1.78 to 0.28                        # the journal, read again
  )");
}

TEST(Family, the_payer_pays_what_the_member_cannot) {
  expect(R"(
    account P plan prepaid balance 5.00EUR
    account M plan prepaid balance 0.15EUR
    event E1 M sms debit ask 2events             -> 4012
    payer M P                                    -> ok
    event E1 M sms debit ask 2events             -> 2001 grant 2events cost 0.20EUR
    balance M EUR                                -> free 0.00 held 0.00 used 0.15
    balance P EUR                                -> free 4.95 held 0.00 used 0.05
    initial S1 M data rg 10 ask 1MiB             -> 2001 grant 1MiB
    balance P EUR                                -> free 4.84 held 0.11 used 0.05
    remove P                                     -> account_has_sessions
    payer M none                                 -> account_has_sessions
    restart
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 grant 1MiB
    balance P EUR                                -> free 4.74 held 0.10 used 0.16
    set P state suspended                        -> ok                       # then it pays no more
    update S1 rg 10 used 1KiB ask 1MiB -> 2001 grant 75KiB final terminate  # of a block begun
    set P state active                           -> ok
    terminate S1                                 -> 2001
    event E2 M sms refund ask 1event             -> 2001 cost 0.10EUR        # to its own
    payer M none                                 -> ok
    event E3 M sms debit                         -> 2001 grant 1event cost 0.10EUR
    event E4 M sms debit                         -> 4012
    audit EUR -> in 5.15 free 4.84 held 0.00 used 0.31 expired 0.00
  )");
}

TEST(Family, each_member_has_its_limit) {
  expect(R"(
    account P plan data-pack balance 100MiB priority 5 balance 1.00EUR priority 9
    account M plan data-pack
    account N plan data-pack
    payer M P                                    -> ok
    payer N P                                    -> ok
    allow M 10MiB                                -> ok balance 10485760octets
    allow M 0.00EUR                              -> ok balance 0.00EUR
    initial S1 M data rg 10 ask 20MiB -> 2001 grant 10MiB final redirect http://top-up.example/
    buckets M -> 0/10485760/0octets(limit) 0.00/0.00/0.00EUR(limit)
    balance P octets                             -> free 94371840 held 10485760 used 0
    initial S2 N data rg 10 ask 20MiB            -> 2001 grant 20MiB         # without a limit
    terminate S1 rg 10 used 11MiB                -> 2001                     # used, so it is paid
    buckets M -> 0/0/10485760octets(limit) -0.02/0.00/0.02EUR(limit)
    balance P octets                             -> free 73400320 held 20971520 used 10485760
    restart
    initial S3 M data rg 10 ask 1MiB             -> 2001 4012
    allow M 1MiB                                 -> ok balance 1048576octets
    terminate S3                                 -> 2001
    initial S4 M data rg 10 ask 4MiB -> 2001 grant 1MiB final redirect http://top-up.example/
    allow M -1MiB                                -> account_has_sessions
    terminate S4                                 -> 2001
    allow M -1MiB                                -> ok                       # no limit any more
    initial S5 M data rg 10 ask 4MiB             -> 2001 grant 4MiB
    allow M 1MiB                                 -> account_has_sessions     # it holds already
    terminate S5                                 -> 2001
    terminate S2                                 -> 2001
    audit octets -> in 104857600 free 94371840 held 0 used 10485760 expired 0
  )");
}

// The place of an account that is gone is given to the next one: nobody may lean on it still.
TEST(Family, a_payer_stays_while_it_has_members) {
  expect(R"(
    account P plan prepaid balance 5.00EUR
    account Q plan prepaid balance 5.00EUR
    account M plan prepaid
    payer M P                                    -> ok
    payer M P                                    -> ok
    restart
    remove P                                     -> account_has_members
    payer M Q                                    -> ok
    remove Q                                     -> account_has_members
    remove P                                     -> ok
    account S plan prepaid balance 7.00EUR
    event E1 M sms debit                         -> 2001 grant 1event cost 0.10EUR
    balance S EUR                                -> free 7.00 held 0.00 used 0.00
    payer M none                                 -> ok
    remove Q                                     -> ok
  )");
}

TEST(Family, a_payer_has_255_members_at_most) {
  std::string lines = "account P plan prepaid balance 5.00EUR\n";
  for (u32 i = 0; i <= ledger::members_per_account_max; ++i) {
    const bool fits = i < ledger::members_per_account_max;
    lines += fmt::format("account M{} plan prepaid\n", i);
    lines += fmt::format("payer M{} P -> {}\n", i, fits ? "ok" : "too_many_members");
  }
  ChargeTable table({.accounts = 300, .buckets = 16, .sessions = 8, .extensions = 8});
  expect(table, lines + R"(
    payer M7 P                                   -> ok
    remove M7                                    -> ok
    payer M255 P                                 -> ok
    restart
    remove P                                     -> account_has_members
  )");
}

TEST(Family, refusals) {
  expect(R"(
    account P plan prepaid balance 5.00EUR
    account M plan prepaid
    account O plan prepaid shard 5
    payer M O                                    -> other_shard
    payer M M                                    -> account_has_members
    payer M P                                    -> ok
    set P limit 1.00EUR                          -> ok
    adjust P -5.00EUR                            -> ok balance 0.00EUR
    event E1 M sms debit ask 10events            -> 2001 grant 10events cost 1.00EUR
    event E2 M sms debit                         -> 4012
    balance P EUR                                -> free -1.00 held 0.00 used 1.00
    allow M 0.00EUR                              -> ok balance 0.00EUR
    allow M -1.00USD                             -> bucket_unknown
    top-up P 5.00EUR                             -> ok balance 4.00EUR
    event E3 M sms debit                         -> 4012
    remove P                                     -> account_has_members
    remove M                                     -> ok
    remove P                                     -> ok
  )");
}

TEST(Clock, a_jump_back_or_ahead_loses_nothing) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 10MiB            -> 2001 grant 10MiB
    clock -1d
    balance A EUR                                -> free 8.97 held 1.03 used 0.00
    update S1 rg 10 used 3MiB ask 10MiB          -> 2001 grant 10MiB
    again S1 update 1                            -> same
    initial S2 A data rg 20 ask any              -> 2001 grant 100MiB
    wait 5min
    clock 1d
    restart
    audit EUR -> in 10.00 free 9.69 held 0.00 used 0.31 expired 0.00 # silent for a day: given back
    again S1 update 1                            -> same
    clock -30d
    initial S3 A data rg 10 ask 10MiB            -> 2001 grant 10MiB
    terminate S3 rg 10 used 1MiB                 -> 2001
    again S3 terminate 1                         -> same
    audit EUR -> in 10.00 free 9.58 held 0.00 used 0.42 expired 0.00
  )");
}

}  // namespace
}  // namespace tollgate::app
