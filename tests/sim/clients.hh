// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Clients: gateways with two connections each, which ask as gateways do.
//
// Sessions begin, report, ask again and end; messages are sent one by one and, now and then, before
// the last was answered. What is not answered is sent again with the T flag, on the same connection
// or, after a failover, on the other; what was answered is now and then asked again all the same.
// Every answer is decoded and has to be the one that the judge expects.
#pragma once

#include <map>
#include <set>

#include "diameter/credit_control.hh"
#include "tests/sim/judge.hh"

namespace tollgate::sim {

class Clients {
 public:
  Clients(Appliance& appliance, Judge& judge, Random& random);

  // One of the gateways does something.
  void act();
  // Many new sessions at once: the journal's groups become large, and several are written at a
  // time.
  void storm();
  // Takes what has arrived.
  void receive();
  // A connection breaks, with whatever was on its way.
  void cut_one();
  // What is not answered is sent again. True if nothing is waiting any more.
  bool send_waiting_again();
  std::string waiting_text() const;  // one of those, for people

  // The account is known to the appliance by its identity from now on, or no more.
  void set_known(u32 subscriber, bool is_known);

  u64 answer_count() const { return answer_count_; }

 private:
  enum class LinkState : u8 { down, opening, open };
  struct Link {
    u32 net = 0;
    dataplane::StreamId stream;
    LinkState state = LinkState::down;
    std::vector<u8> input;
    std::map<u32, u32> waiting;  // hop-by-hop to request
  };
  struct Request {
    u32 question = 0;
    u32 gateway = 0;
    u32 session = 0;
    u64 known_since = 0;  // the state of its subscriber when it was sent last
    bool is_waiting = true;
    bool was_sent = false;
  };
  struct Session {
    std::string id;
    u32 gateway = 0;
    u32 subscriber = 0;
    Context context = Context::data;
    u32 next_number = 0;
    u32 waiting = 0;
    bool has_begun = false;
    bool is_over = false;
  };
  struct Known {
    bool is_known = false;
    u64 changes = 0;
  };

  void begin_session();
  void go_on(Session& session, u32 number);
  void send_event();
  void repeat();
  AskedService ask(Context context, RequestKind kind);
  void send_new(u32 gateway, u32 session, Question question);
  bool send(Request& request);
  Link* usable_link(u32 gateway);
  void connect(Link& link);
  void on_message(Link& link, Bytes message);
  void on_answer(Link& link, Bytes message);
  void on_refused(Request& request, const Question& question);
  bool may_be_refused_by_net(const Request& request, const Question& question) const;
  std::vector<u8> encode(const Question& question, u32 hop_by_hop, u32 end_to_end, bool is_again);

  Appliance& appliance_;
  Judge& judge_;
  Random& random_;
  diameter::HostAddress host_{.octets = {198, 18, 0, 9}};
  diameter::LocalNode node_;
  std::vector<std::array<Link, 2>> gateways_;
  std::vector<Session> sessions_;
  std::vector<Request> requests_;
  std::map<u32, Known> known_;
  u32 next_hop_ = 1;
  u64 answer_count_ = 0;
  diameter::CreditControlRequest message_;
  diameter::ReceivedAnswer answer_;
};

}  // namespace tollgate::sim
