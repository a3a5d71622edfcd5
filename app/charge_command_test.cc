// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Commands of provisioning and operators, and one-time events.

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

TEST(ChargeCommand, money_comes_and_goes) {
  expect(R"(
    account A plan prepaid balance 10.00EUR
    top-up A 5.00EUR                             -> ok balance 15.00EUR
    top-up A 1GiB priority 5 expires 30d         -> ok balance 1073741824octets
    top-up A 2.00EUR priority 1                  -> ok balance 2.00EUR
    buckets A -> 15.00/0.00/0.00EUR 2.00/0.00/0.00EUR 1073741824/0/0octets
    top-up A 0.00EUR                             -> amount_invalid
    top-up A -1.00EUR                            -> amount_invalid
    top-up A 9000000000000EUR                    -> ok balance 9000000000015.00EUR
    top-up A 9000000000000EUR                    -> amount_overflow
    adjust A -9000000000000EUR                   -> ok balance 15.00EUR
    adjust A -15.01EUR                           -> credit_limit_reached
    adjust A -15.00EUR                           -> ok balance 0.00EUR
    adjust A 0.00EUR                             -> amount_invalid
    adjust A -1.00USD                            -> bucket_unknown
    adjust A 1.00USD                             -> ok balance 1.00USD
  )");
}

TEST(ChargeCommand, what_is_held_cannot_be_taken) {
  expect(R"(
    account A plan prepaid balance 1.03EUR
    account B plan prepaid balance 0.00EUR
    initial S1 A data rg 10 ask any              -> 2001 grant 10MiB
    adjust A -0.01EUR                            -> credit_limit_reached
    transfer A B 0.01EUR                         -> credit_limit_reached
    update S1 rg 10 used 1MiB                    -> 2001
    transfer A B 0.90EUR                         -> ok balance 0.02EUR
    transfer A B 0.02EUR                         -> ok balance 0.00EUR
    balance A EUR                                -> free 0.00 held 0.00 used 0.11
    balance B EUR                                -> free 0.92 held 0.00 used 0.00
  )");
}

TEST(ChargeCommand, transfers_stay_in_their_shard) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    account B plan prepaid
    account C plan prepaid balance 1.00EUR shard 5
    transfer A C 0.50EUR                         -> other_shard    # has no number to be found by
    transfer A A 0.50EUR                         -> ok
    transfer A B 0.50EUR                         -> ok balance 0.50EUR
    transfer A B 0.50USD                         -> bucket_unknown
    transfer A B -0.50EUR                        -> amount_invalid
    remove B                                     -> ok
    transfer A B 0.50EUR                         -> account_unknown
    transfer B A 0.50EUR                         -> account_unknown
    top-up B 0.50EUR                             -> account_unknown
    balance A EUR                                -> free 0.50 held 0.00 used 0.00
  )");
}

TEST(ChargeCommand, plans_states_and_limits_change) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB         # 0.11
    set A plan data-pack                         -> ok
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 grant 1MiB         # 0.02 from now on
    balance A EUR                                -> free 0.96 held 0.02 used 0.02
    set A plan nonesuch                          -> ok
    update S1 rg 10 used 1MiB ask 1MiB           -> 2001 5031               # nobody knows its price
    balance A EUR                                -> free 0.98 held 0.00 used 0.02
    terminate S1                                 -> 2001
    cdr S1                                       -> normal rg 10 used 1MiB cost 0.02EUR
  )");
}

TEST(ChargeCommand, the_least_amount_of_all_is_refused) {
  ChargeTable table;
  table.rig().load_tariff(SOURCE_ROOT "/config/tariffs");
  ASSERT_EQ(table.tell("account A plan prepaid balance 1.00EUR"), "");
  for (const auto kind :
       {ledger::CommandKind::adjust, ledger::CommandKind::top_up, ledger::CommandKind::transfer}) {
    ledger::Command command{.kind = kind, .bucket_count = 1};
    command.account = ledger::AccountRef::make(0, 1);
    command.other_account = command.account;
    command.buckets[0] = {.amount = Amount{INT64_MIN}, .unit = Unit::eur};
    EXPECT_NE(table.rig().command(command).outcome, ledger::Outcome::ok);
    EXPECT_EQ(table.rig().fault(), "");
  }
  EXPECT_EQ(table.tell("balance A EUR"), "free 1.00 held 0.00 used 0.00");
}

TEST(ChargeCommand, a_malformed_command_is_refused) {
  ChargeTable table;
  table.rig().load_tariff(SOURCE_ROOT "/config/tariffs");
  ledger::Command command{.kind = ledger::CommandKind::drop_session};
  command.session_id_bytes = 255;  // longer than the command's own room
  EXPECT_EQ(table.rig().command(command).outcome, ledger::Outcome::session_unknown);
  command = {.kind = ledger::CommandKind::create_account, .identity_count = 5};
  EXPECT_EQ(table.rig().command(command).outcome, ledger::Outcome::too_many_identities);
  command = {.kind = ledger::CommandKind::create_account, .bucket_count = 9};
  EXPECT_EQ(table.rig().command(command).outcome, ledger::Outcome::amount_invalid);
  command = {.kind = ledger::CommandKind::none};
  EXPECT_NE(table.rig().command(command).outcome, ledger::Outcome::ok);
  EXPECT_EQ(table.rig().fault(), "");
}

TEST(ChargeEvent, debits_all_or_nothing) {
  expect(R"(
    account A plan prepaid balance 0.25EUR
    event E1 A sms debit                         -> 2001 grant 1event cost 0.10EUR
    event E2 A sms debit ask 2events             -> 4012
    again E2 event 0                             -> same
    event E3 A sms debit used 1event             -> 2001 grant 1event cost 0.10EUR
    event E4 A sms debit                         -> 4012
    top-up A 0.05EUR                             -> ok balance 0.10EUR
    again E4 event 0                             -> 2001 grant 1event cost 0.10EUR moved
    balance A EUR                                -> free 0.00 held 0.00 used 0.30
    event E5 A sms debit ask 0events             -> 2001 grant 0events cost 0.00EUR
  )");
}

TEST(ChargeEvent, several_services_are_told_apart) {
  expect(R"(
    account A plan prepaid balance 0.25EUR
    event E1 A sms debit rg 1 ask 2events rg 2 ask 1event \
        -> 2001 rg 1 grant 2events rg 2 4012 cost 0.20EUR
    again E1 event 0                             -> same
    balance A EUR                                -> free 0.05 held 0.00 used 0.20
    event E2 A data debit rg 10 ask 1MiB rg 30 ask 1MiB -> 2001 rg 10 4012 rg 30 4010
    event E3 A data debit rg 10 ask 500KiB rg 20 ask 1MiB rg 99 ask 1MiB \
        -> 2001 rg 10 grant 500KiB rg 20 grant 1MiB rg 99 5031 cost 0.05EUR
    cdr E3 -> normal rg 10 used 500KiB cost 0.05EUR rg 20 used 1MiB
    balance A EUR                                -> free 0.00 held 0.00 used 0.25
  )");
}

TEST(ChargeEvent, credit_and_allowances_pay_as_well) {
  expect(R"(
    account A plan prepaid balance 0.00EUR limit 0.15EUR
    event E1 A sms debit                         -> 2001 grant 1event cost 0.10EUR
    event E2 A sms debit                         -> 4012
    balance A EUR                                -> free -0.10 held 0.00 used 0.10
    account B plan data-pack balance 2MiB priority 1 balance 1.00EUR priority 2
    event E3 B data debit rg 10 ask 3MiB         -> 2001 grant 3MiB cost 0.02EUR
    buckets B                                    -> 0/0/2097152octets 0.98/0.00/0.02EUR
    event E4 B data price rg 10 ask 3MiB         -> 2001 cost 0.06EUR
  )");
}

TEST(ChargeEvent, refunds) {
  expect(R"(
    account A plan prepaid balance 1.00EUR
    event E1 A sms debit ask 3events             -> 2001 grant 3events cost 0.30EUR
    event E2 A sms refund ask 1event             -> 2001 cost 0.10EUR
    event E3 A sms refund ask 0.05EUR            -> 2001 cost 0.05EUR
    balance A EUR                                -> free 0.85 held 0.00 used 0.15
    event E4 A sms refund ask 1.00USD            -> 4012
    event E5 A sms refund ask -1.00EUR           -> 5031
    balance A EUR                                -> free 0.85 held 0.00 used 0.15
  )");
}

// However much a client says, no more comes back than was charged; and nothing of what a free or
// unpaid service would have cost.
TEST(ChargeEvent, no_more_is_refunded_than_was_charged) {
  expect(R"(
    account A plan prepaid balance 1.00EUR balance 1.00EUR
    event E1 A sms refund ask 1event             -> 5031
    event E2 A sms refund ask 15000.00EUR        -> 5031
    event E3 A sms debit ask 3events             -> 2001 grant 3events cost 0.30EUR
    event E4 A sms refund ask 0.31EUR            -> 5031
    event E5 A sms refund ask 4events            -> 5031
    balance A EUR                                -> free 1.70 held 0.00 used 0.30
    event E6 A sms refund ask 0.30EUR            -> 2001 cost 0.30EUR
    event E7 A sms refund ask 0.01EUR            -> 5031
    balance A EUR                                -> free 2.00 held 0.00 used 0.00
    event E8 A sms debit ask 15events            -> 2001 grant 15events cost 1.50EUR  # of two
    event E9 A sms refund ask 12events           -> 2001 cost 1.20EUR
    balance A EUR                                -> free 1.70 held 0.00 used 0.30
  )");
}

TEST(ChargeEvent, asking_moves_nothing) {
  expect(R"(
    account A plan prepaid balance 0.25EUR
    event E1 A sms check ask 2events             -> 2001 enough
    event E2 A sms check ask 3events             -> 2001 no-credit
    event E3 A data check rg 10 ask 1MiB         -> 2001 enough
    event E4 A data check rg 30 ask 1MiB         -> 4010
    event E5 A 32999@3gpp.org check ask 1event   -> 5031
    event E6 A data check rg 10 ask 1MiB rg 10 ask 1GiB -> 2001 no-credit
    event E7 A sms price ask 3events             -> 2001 cost 0.30EUR
    event E8 A data price rg 10 ask 1GiB         -> 2001 cost 104.86EUR    # 10485.76 blocks
    event E9 A data price ask 60s                -> 5031
    event E10 A data price rg 20 ask 1GiB        -> 2001 cost 0.00EUR
    balance A EUR                                -> free 0.25 held 0.00 used 0.00
    cdr E1                                       -> none
  )");
}

// A service that states its own price.
TEST(ChargeEvent, money_is_asked_for_in_its_own_currency) {
  ChargeTable table;
  table.rig().load_tariff_text(R"(language 1
plan shop {
  currency EUR
  service "shop@example.org" {
    meter money
    rule "item" default { pay with EUR }
  }
}
)");
  EXPECT_EQ(table.run(R"(
    account A plan shop balance 5.00EUR
    event E1 A shop@example.org debit ask 1.50EUR -> 2001 grant 1.50EUR cost 1.50EUR
    event E2 A shop@example.org debit ask 1.50USD -> 5031
    event E3 A shop@example.org debit ask -1.50EUR -> 5031
    initial S1 A shop@example.org rg 1 ask 2.00EUR -> 2001 grant 2.00EUR
    update S1 rg 1 used 1.00EUR                   -> 2001
    update S1 rg 1 used 1.00SEK                   -> 2001 5031
    update S1 rg 1 ask any                        -> 2001 5031
    terminate S1                                  -> 2001
    balance A EUR                                 -> free 2.50 held 0.00 used 2.50
  )"),
            "");
}

}  // namespace
}  // namespace tollgate::app
