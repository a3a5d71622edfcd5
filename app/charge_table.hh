// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ChargeTable: charging as a table that a tariff analyst can read, one line an event.
//
//   tariff   config/tariffs/demo.tariff
//   account  A plan prepaid balance 10.00EUR balance 1GiB priority 5 expires 30d limit 2.00EUR
//   initial  S1 A data rg 10 ask 10MiB                 -> 2001 grant 10MiB
//   update   S1 rg 10 used 3MiB ask any                -> 2001 grant 10MiB
//   again    S1 update 1                               -> same
//   terminate S1 rg 10 used 1MiB                       -> 2001
//   event    E1 A sms debit ask 1event                 -> 2001 grant 1event cost 0.10EUR
//   balance  A EUR                                     -> free 9.48 held 0.00 used 0.52
//   cdr      S1                                        -> normal rg 10 used 4MiB cost 0.41EUR
//
// A service begins with `rg N` or `si N` or `mscc`, and has then `ask UNITS`, `ask in UNITS` (from
// the user), `ask out UNITS` or `ask any`, `used UNITS`, `in UNITS`, `out UNITS` (one report,
// unless it would hold a kind twice), `before UNITS`, `after UNITS` (a tariff change; `before-in`,
// `after-out` of one direction), `final`.
// `ask` and `used` in front of any service are units at command level. `#N` gives a request its
// number; without it they count up. `as B` sends a request under the name of another account; `to
// N`, `from N`, `in N`, `zone NAME` and `location home` (behind `from`) give it numbers. Other
// lines: top-up, adjust, refund, transfer, remove, set, drop, payer and allow (of members),
// buckets, audit UNIT, crossed (thresholds), wait TIME, clock TIME (a jump, also back), journal
// full|ready, restart, show validity|threshold|none. Of products: turn A NAME prices NAME fee
// AMOUNT brings BUCKET rollover AMOUNT; suspend, resume and end A NAME prices NAME. The steps of a
// transfer between shards: transfer A B 1.00EUR id N, receive, settle, return, forget.
//
// `profile NAME` takes a profile of config/profiles for what follows, `profile KEY=VALUE` one that
// says only that. `aoc` behind the name of a
// session asks for Advice of Charge. show also knows failed, handling and (with threshold) holding.
//
// A line that ends with a backslash goes on in the next.
//
// Requests go through translate.hh both ways, so that what stands behind the arrow is what a client
// reads. After every line the rig is asked for faults.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/charge_rig.hh"
#include "app/translate.hh"

namespace tollgate::app {

class ChargeTable {
 public:
  explicit ChargeTable(const ledger::LedgerSizes& sizes = ChargeRig::small,
                       const ChargePolicy& policy = {});

  // Runs the lines. Returns what differs from the table, line by line; empty: nothing.
  std::string run(std::string_view table);
  // Carries out the left side of one line and returns what belongs behind the arrow.
  std::string tell(const std::string& line);

  ChargeRig& rig() { return rig_; }

 private:
  using Words = std::vector<std::string>;
  struct Client {
    std::string context;
    ledger::AccountRef account;
    u32 next_number = 0;
    ledger::SessionNumbers numbers{};  // of the request at hand
  };
  struct Sent {
    std::vector<u64> frame;
    std::vector<u8> answer;
  };

  std::string tell_request(const Words& words);
  std::string tell_again(const Words& words);
  std::string tell_account(const Words& words);
  std::string tell_command(const Words& words);
  std::string tell_balance(const Words& words);
  std::string tell_buckets(const Words& words);
  std::string tell_cdr(const Words& words);
  std::string tell_audit(const Words& words);
  std::string tell_crossings();
  std::string send(const std::string& key, std::vector<u64> frame);
  std::vector<u8> encode(const std::vector<u64>& frame, const AnswerFrame& answer);
  std::string text_of(Bytes answer) const;
  static std::string text_of_failed(Bytes octets);
  void read_own_profile(const std::string& name);
  std::string text_of(const diameter::ReceivedMscc& mscc, bool with_group) const;
  std::vector<u64> make_frame(const std::string& session, const Client& client);
  void read_used(const std::string& word, const std::string& text, u8& count);
  void read_services(const Words& words, std::size_t at);
  static ledger::SessionNumbers read_numbers(const Words& words, std::size_t& at);
  diameter::RequestMscc& add_mscc();
  void read_product(const Words& words, std::size_t& at, ledger::Command& command) const;
  ledger::NewBucket read_bucket(const Words& words, std::size_t& at) const;

  ChargeRig rig_;
  std::map<std::string, ledger::AccountRef> accounts_;
  std::map<std::string, Client> clients_;
  std::map<std::string, Sent> sent_;
  std::unique_ptr<diameter::CreditControlRequest> request_;
  diameter::OriginBlock origin_;
  std::string show_;
  Profile profile_;
  std::vector<u32> identifiers_;
};

}  // namespace tollgate::app
