// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Table: a conformance table, run against the real net, charge and journal tiles over a network of
// vectors. One row is what happens, and behind the arrow all that goes out because of it.
//
//   include FILE                        the lines of another table, from the same folder
//   tariff FILE                         of the same folder, instead of the demonstration's
//   rules FILE                          normalising rules of the same folder, instead of none
//   message NAME = MESSAGE ...          names a message for later rows
//   account 46701234567 prepaid 10.00EUR
//   section TITLE                       a new appliance; the rows above the first section, which
//                                       name messages and accounts, are carried out again
//   peer host=H realm=R from=NET connections=N call=ADDRESS     a rule, in front of other rows
//   limit unauthenticated=N pending=N                           likewise
//   profile KEY=VALUE KEY=VALUE,VALUE     likewise: the habits of all clients (docs/profiles.md)
//   calls                            -> the addresses that the appliance is connecting to
//   P is called                         the first of these is there; P refuses its call
//   P connects [ADDRESS]                a transport connection
//   P opens [ADDRESS] [CHANGES]         the same, and sends CER (a message of the table), gets 2001
//   P sends MESSAGE                  -> EXPECTED ; EXPECTED
//   P sends octets 0x0102
//   P dribbles MESSAGE                  one octet at a time
//   P queues MESSAGE                    the charge tile does not come to it before the next row
//   P closes
//   wait 30s    stop    restart      -> EXPECTED     (stop: the appliance is told to end)
//   lag 20ms                            input waits for so long before it is looked at
//   top-up 46701234567 1.00EUR
//   reauth SESSION [rg 10 | pool 978]   abort SESSION    an operator's; what came of it is told
//                                       if not ok
//   balance 46701234567              -> free 9.00 held 1.00
//   sessions                         -> 1            (open sessions of all accounts)
//   counter NAME                     -> 3
//   watch PEER                          a trace of a peer, by its name or address
//   traced                           -> received DWR sent DWA    (since the last such row)
//
// EXPECTED, for the connection of the row or for `Q:` of that name:
//
//   CCA 2001 WORDS    an answer with this Result-Code; its header must be right in all bits and
//                     its grammar that of its command, or of 3xxx errors
//   DWR WORDS         a request of ours
//   same              the octets of the answer before, but for the Hop-by-Hop Identifier
//   close   reset     the connection ends, in good order or not
//   nothing
//
// WORDS: Name=VALUE is there exactly so, and no other of its name; -Name is not there; Name is
// there; Name~{Member=VALUE -Member} is a group (the next of that name) that holds the members.
// What is sent without @hbh gets new identifiers; answers of a client get those of our last
// request.
#pragma once

#include <map>
#include <string>

#include "app/net_rig.hh"
#include "tests/conformance/message_notation.hh"

namespace tollgate::conformance {

class Table {
 public:
  // Runs a table from a file. Returns what differs, row by row with its line; empty: nothing.
  std::string run(const std::string& file);
  u32 row_count() const { return row_count_; }

 private:
  struct Client {
    dataplane::StreamId stream;
    bool is_open = false;
    std::vector<diameter::Header> requests;  // sent, without an answer
    diameter::Header last_request;           // of the appliance's own
    Octets last_answer;
  };
  struct Seen {
    std::string client;
    Octets message;  // empty: the end of the connection
    bool was_aborted = false;
  };

  void begin();
  void include(const std::string& file);
  std::string run_row(const Words& words);
  // Carries out the left side; returns what else is told behind the arrow, if it is no message.
  std::string act(const Words& words);
  bool act_on_ledger(const Words& words);
  std::string order(const Words& words);
  void act_as_client(const Words& words);
  void watch(const std::string& peer);
  std::string traced();
  void add_peer(const Words& words);
  void set_limits(const Words& words);
  void set_profile(const Words& words);
  dataplane::StreamId first_call() const;
  std::string calls() const;
  void open(Client& client, std::span<const std::string> words);
  enum class Pace : u8 { at_once, octet_by_octet, queued };
  void send(Client& client, std::span<const std::string> words, Pace pace);
  void deliver(Client& client, Bytes octets, Pace pace);
  std::string balance_of(const std::string& msisdn) const;
  u32 session_count() const;

  std::vector<Seen> collect();
  std::string compare(const std::string& client, const Words& expected);
  std::string compare_one(const Seen& seen, const Words& expected);
  std::string check_answer(Client& client, const Octets& message);

  app::NetRig::Options options_;
  std::unique_ptr<app::NetRig> rig_;
  std::map<std::string, Client> clients_;
  std::map<std::string, ledger::AccountRef> accounts_;
  Drafts drafts_;
  std::vector<Words> prologue_;
  bool is_in_prologue_ = false;
  std::string folder_;
  std::string tariff_;  // text; empty: the demonstration's
  std::string rules_;   // text; empty: none
  u32 next_id_ = 0x1000;
  u32 row_count_ = 0;
};

}  // namespace tollgate::conformance
