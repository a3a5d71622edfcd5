// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Vouchers from the command line to a control with a fake charge tile: files with mistakes, each
// refusal, and that a voucher is worth its amount once whatever is interrupted.

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "control/voucher_code.hh"
#include "control/voucher_misses.hh"
#include "tools/tollctl/control_fixture.hh"

namespace tollgate::tollctl {
namespace {

using control::Refused;

TEST(VoucherCode, IsKnownHoweverItIsWritten) {
  const std::string hash = control::hash_of_code("ABCD12345678");
  // printf ABCD12345678 | sha256sum
  EXPECT_EQ(hash, "b69d7c350e7c853c51895e92202433e49e7ee66687e1cef89b58049952e47938");
  EXPECT_EQ(control::hash_of_code("abcd-1234 5678"), hash);
  EXPECT_TRUE(control::is_code_hash(hash));
  for (const char* text : {"", "ABCD123", "ABCD-123", "ABCD.12345678",
                           "\xc3\x84"
                           "BCD12345678"}) {
    EXPECT_EQ(control::hash_of_code(text), "") << text;
  }
  EXPECT_EQ(control::hash_of_code(std::string(65, '1')), "");
  EXPECT_FALSE(control::is_code_hash(hash.substr(1)));
  EXPECT_FALSE(control::is_code_hash("G" + hash.substr(1)));
}

class VoucherTest : public ControlTest {
 protected:
  VoucherTest() {
    start_impatient();
    call({"account", "add", "anna", "--identity", "msisdn:4670", "--plan", "prepaid", "--balance",
          "10.00EUR"});
  }

  // "ok again": what was done before.
  std::string outcome_of(const std::vector<std::string>& words) {
    bool is_repeated = false;
    const std::string outcome = ControlTest::outcome_of(
        words, [&](const Json& told) { is_repeated = told.value("repeated", false); });
    return is_repeated ? outcome + " again" : outcome;
  }
  // The number of vouchers, or the mistakes.
  std::string import(const std::string& text, const std::string& batch = "spring") {
    const std::string path = appliance_.folder() + "/vouchers.csv";
    std::ofstream(path) << text;
    Client client(appliance_.options().socket_path);
    try {
      const Json told = client.call("voucher.import", Json{{"path", path}, {"batch", batch}});
      return control::to_line(told["imported"]);
    } catch (const Refused& refused) {
      std::string why = refused.outcome;
      if (!refused.extra.contains("mistakes")) return why;
      for (const Json& one : refused.extra["mistakes"]) {
        why += ";" + control::to_line(one["line"]) + ":" + control::to_line(one["column"]) + " " +
               one["message"].get<std::string>();
      }
      return why;
    }
  }
  std::string balance() {
    const Json shown = call({"account", "show", "anna"});
    return shown["buckets"][0]["balance"].get<std::string>();
  }
  std::string state(const std::string& code) {
    return call({"voucher", "show", code})["state"].get<std::string>();
  }
};

TEST_F(VoucherTest, MistakesOfAFileHavePlacesAndImportNothing) {
  EXPECT_EQ(import(""), "bad_file;1:1 the file is empty");
  EXPECT_EQ(import("code,amount,price\n"),
            "bad_file;1:13 expected sha256 or code, amount, validity or ends");
  EXPECT_EQ(import("code,code,amount\n"), "bad_file;1:6 this column comes twice");
  EXPECT_EQ(import("code\n"), "bad_file;1:1 expected a header like sha256,amount,validity,ends");
  const std::string header = "code,amount,validity,ends\n";
  const std::string good = "AAAABBBB0001,5.00EUR,,\n";
  EXPECT_EQ(import(header + good + "short,5.00EUR,,\nAAAABBBB0002,-1.00EUR,,\n"),
            "bad_file;3:1 expected a code of 8 to 64 letters and digits"
            ";4:14 a voucher is worth more than nothing");
  EXPECT_NE(import(header + "AAAABBBB0002,5.00EUR,soon,\n").find("bad_file;2:22"),
            std::string::npos);
  EXPECT_EQ(import(header + "AAAABBBB0002,5.00EUR,30d,tomorrow\n"),
            "bad_file;2:26 expected a time like 2027-12-31T23:59:59Z");
  EXPECT_EQ(import(header + good + good), "bad_file;3:1 there is a voucher with this code");
  EXPECT_EQ(outcome_of({"voucher", "show", "AAAABBBB0001"}), "voucher_unknown");
  EXPECT_EQ(import(header + good), "1");
  EXPECT_EQ(import(header + good, "other"), "bad_file;2:1 there is a voucher with this code");
}

TEST_F(VoucherTest, EachRefusalHasItsName) {
  const std::string hash = control::hash_of_code("AAAABBBB0003");
  EXPECT_EQ(import("sha256,amount,ends\n" + hash + ",5.00EUR,\n" +
                   control::hash_of_code("AAAABBBB0004") + ",5.00EUR,2020-01-01T00:00:00Z\n" +
                   control::hash_of_code("AAAABBBB0005") + ",5.00SEK,\n"),
            "3");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0003", "nobody"}), "account_unknown");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB9999", "anna"}), "voucher_unknown");
  EXPECT_EQ(outcome_of({"voucher", "redeem", hash, "anna"}), "voucher_unknown");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0004", "anna"}), "voucher_expired");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0005", "anna"}), "voucher_wrong_unit");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0003", "anna", "--unit", "octets"}),
            "voucher_wrong_unit");
  EXPECT_EQ(balance(), "10.00");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "aaaa bbbb-0003", "anna", "--unit", "EUR"}), "ok");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0003", "anna"}), "voucher_used");
  EXPECT_EQ(balance(), "15.00");
  const Json batches = call({"voucher", "list"})["batches"];
  EXPECT_EQ(control::to_line(batches), R"([{"batch":"spring","vouchers":3,"redeemed":1}])");
}

TEST_F(VoucherTest, ARepeatedKeyGetsTheFirstOutcome) {
  EXPECT_EQ(import("code,amount\nAAAABBBB0001,5.00EUR\nAAAABBBB0002,5.00EUR\n"), "2");
  const std::vector<std::string> first = {"voucher", "redeem", "AAAABBBB0001",
                                          "anna",    "--key",  "k"};
  EXPECT_EQ(outcome_of(first), "ok");
  EXPECT_EQ(outcome_of(first), "ok again");
  control_.reset();
  start_impatient();
  EXPECT_EQ(outcome_of(first), "ok again");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0002", "anna", "--key", "k"}), "bad_request");
  EXPECT_EQ(state("AAAABBBB0002"), "free");
  EXPECT_EQ(balance(), "15.00");
}

TEST_F(VoucherTest, WhoGuessesCodesRedeemsNothingForAnHour) {
  EXPECT_EQ(import("code,amount\nAAAABBBB0001,5.00EUR\nAAAABBBB0002,5.00EUR\n"), "2");
  const std::vector<std::string> right = {"voucher", "redeem", "AAAABBBB0001",
                                          "anna",    "--key",  "k"};
  EXPECT_EQ(outcome_of(right), "ok");
  for (u32 i = 0; i < control::VoucherMisses::misses_max; ++i) {
    EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB123" + std::to_string(i), "anna"}),
              "voucher_unknown");
  }
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0002", "anna"}), "voucher_guessed");
  EXPECT_EQ(outcome_of(right), "ok again");
  EXPECT_EQ(state("AAAABBBB0002"), "free");
  EXPECT_EQ(balance(), "15.00");
}

TEST_F(VoucherTest, WhatTheLedgerRefusesLeavesItFree) {
  EXPECT_EQ(import("code,amount\nAAAABBBB0001,5.00EUR\n"), "1");
  appliance_.outcome.store(ledger::Outcome::amount_overflow);
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0001", "anna"}), "amount_overflow");
  EXPECT_EQ(state("AAAABBBB0001"), "free");
  appliance_.outcome.store(ledger::Outcome::ok);
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0001", "anna"}), "ok");
  EXPECT_EQ(balance(), "15.00");
}

// Control dies when the shard is about to put it in, which it does afterwards.
TEST_F(VoucherTest, IsNeverWorthItsAmountTwice) {
  EXPECT_EQ(import("code,amount\nAAAABBBB0001,5.00EUR\n"), "1");
  appliance_.stops_before = ledger::CommandKind::top_up;
  const u64 taken = appliance_.taken_count;
  std::thread client([this] { outcome_of({"voucher", "redeem", "AAAABBBB0001", "anna"}); });
  while (true) {
    try {
      if (state("AAAABBBB0001") == "used") break;
    } catch (const std::exception&) {
    }
  }
  control_.reset();
  client.join();
  start_impatient();
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0001", "anna"}), "voucher_used");
  appliance_.stops_before = ledger::CommandKind::none;
  for (int i = 0; i < 3000 && balance() != "15.00"; ++i) ::usleep(10'000);
  EXPECT_EQ(balance(), "15.00");
  EXPECT_EQ(state("AAAABBBB0001"), "used");
  EXPECT_EQ(outcome_of({"voucher", "redeem", "AAAABBBB0001", "anna"}), "voucher_used");
  EXPECT_EQ(balance(), "15.00");
  EXPECT_GE(appliance_.taken_count, taken + 1);
}

}  // namespace
}  // namespace tollgate::tollctl
