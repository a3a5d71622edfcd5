// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Commands that move a balance, against a control with a fake charge tile: keys, and transfers
// between shards that are interrupted after each of their steps.

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tools/tollctl/control_fixture.hh"

namespace tollgate::tollctl {
namespace {

using ledger::CommandKind;

class BalanceTest : public ControlTest {
 protected:
  BalanceTest() { start_impatient(); }

  void add(const std::string& name, const std::string& number) {
    call({"account", "add", name, "--identity", "msisdn:" + number, "--plan", "prepaid",
          "--balance", "10.00EUR"});
  }
  // The one bucket in EUR that pays, and how many others there are.
  std::string balance(const std::string& name) {
    std::string text;
    const Json shown = call({"account", "show", name});
    for (const Json& bucket : shown["buckets"]) {
      if (!text.empty()) text += " ";
      if (bucket.contains("kind")) text += bucket["kind"].get<std::string>() + " ";
      text += bucket["balance"].get<std::string>();
    }
    return text;
  }
  bool comes_to(const std::string& name, const std::string& wanted) {
    return comes([&] { return balance(name) == wanted; });
  }
  std::string put_in() {
    const Json units = call({"audit"})["units"];
    return units.empty() ? "" : units[0]["put_in"].get<std::string>();
  }
};

TEST_F(BalanceTest, ARepeatedKeyGetsTheFirstOutcome) {
  add("anna", "4670");
  const std::vector<std::vector<std::string>> commands = {
      {"topup", "anna", "5.00EUR", "--key", "k1"},
      {"refund", "anna", "1.00EUR", "--reason", "dropped call", "--key", "k2"},
      {"adjust", "anna", "1.00EUR", "--reason", "sorry", "--key", "k3"},
      {"account", "limit", "anna", "3.00EUR", "--key", "k4"},
      {"account", "set", "anna", "--state", "suspended", "--key", "k5"},
      {"account", "set", "anna", "--add-identity", "msisdn:4671", "--key", "k6"}};
  for (const auto& command : commands) EXPECT_EQ(outcome_of(command), "ok") << command.back();
  appliance_.outcome.store(ledger::Outcome::credit_limit_reached);
  const std::vector<std::string> refused = {"adjust", "anna",  "-99.00EUR", "--reason",
                                            "x",      "--key", "k7"};
  EXPECT_EQ(outcome_of(refused), "credit_limit_reached");
  const u64 taken = appliance_.taken_count;
  for (int round = 0; round < 2; ++round) {
    for (const auto& command : commands) EXPECT_EQ(outcome_of(command), "ok") << command.back();
    appliance_.outcome.store(ledger::Outcome::ok);
    EXPECT_EQ(outcome_of(refused), "credit_limit_reached");
    EXPECT_EQ(appliance_.taken_count, taken);
    control_.reset();
    start_impatient();
  }
  EXPECT_EQ(balance("anna"), "15.00");
  EXPECT_EQ(outcome_of({"topup", "anna", "6.00EUR", "--key", "k1"}), "bad_request");
}

// Accounts get their numbers in order, and with them their shards: these two lie apart.
TEST_F(BalanceTest, ATransferBetweenShardsArrives) {
  add("anna", "4670");
  add("berta", "4671");
  ASSERT_NE(call({"account", "show", "anna"})["shard"],
            call({"account", "show", "berta"})["shard"]);
  EXPECT_EQ(call({"transfer", "anna", "berta", "2.00EUR"})["balance"], "8.00");
  EXPECT_TRUE(comes_to("anna", "8.00"));
  EXPECT_EQ(balance("berta"), "12.00");
  EXPECT_EQ(put_in(), "20.00");
  appliance_.refuses_transfers = true;
  EXPECT_EQ(outcome_of({"transfer", "anna", "berta", "2.00EUR", "--key", "k"}), "amount_overflow");
  EXPECT_TRUE(comes_to("anna", "8.00"));
  appliance_.refuses_transfers = false;
  EXPECT_EQ(outcome_of({"transfer", "anna", "berta", "2.00EUR", "--key", "k"}), "amount_overflow");
  EXPECT_EQ(balance("berta"), "12.00");
  EXPECT_EQ(put_in(), "20.00");
}

class InterruptedTransfer : public BalanceTest, public testing::WithParamInterface<CommandKind> {};

// Control dies when the shard is about to carry out a step; the shard does so afterwards.
TEST_P(InterruptedTransfer, IsNeverHalfDone) {
  add("anna", "4670");
  add("berta", "4671");
  const bool is_refused = GetParam() == CommandKind::transfer_return;
  appliance_.refuses_transfers = is_refused;
  appliance_.stops_before = GetParam();
  std::thread client([this] {
    outcome_of({"transfer", "anna", "berta", "2.00EUR", "--key", "k"});
  });
  for (int i = 0; i < 500 && appliance_.taken_count < 2; ++i) ::usleep(10'000);
  ::usleep(100'000);
  control_.reset();
  client.join();
  start_impatient();
  EXPECT_EQ(put_in(), "20.00");
  appliance_.stops_before = CommandKind::none;
  const std::string rest = is_refused ? "10.00" : "8.00";
  EXPECT_TRUE(comes_to("anna", rest)) << balance("anna");
  EXPECT_TRUE(comes_to("berta", is_refused ? "10.00" : "12.00")) << balance("berta");
  EXPECT_EQ(put_in(), "20.00");
  std::string outcome = "busy";
  for (int i = 0; i < 3000 && outcome == "busy"; ++i) {
    outcome = outcome_of({"transfer", "anna", "berta", "2.00EUR", "--key", "k"});
    ::usleep(1'000);
  }
  EXPECT_EQ(outcome, is_refused ? "amount_overflow" : "ok");
  EXPECT_EQ(balance("anna"), rest);
}

INSTANTIATE_TEST_SUITE_P(EachStep, InterruptedTransfer,
                         testing::Values(CommandKind::transfer, CommandKind::transfer_receive,
                                         CommandKind::transfer_settle, CommandKind::transfer_return,
                                         CommandKind::transfer_forget));

}  // namespace
}  // namespace tollgate::tollctl
