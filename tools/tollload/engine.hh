// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Engine: plays all clients over one transport, in one loop.
//
//   connecting --all peers open--> opening --all sessions open--> running --time is over-->
//   settling --all answered--> terminating --all sessions ended--> disconnecting --DPA--> done
//
// A turn polls the transport (answers are checked where they lie in its buffers), sends what the
// pace allows straight into the streams' output, and looks after timers a little. Nothing in it
// allocates or waits.
//
// Lost connections: without `reconnect` their requests are lost, and the run fails with the last
// one. With it, each request without an answer is sent again on the new connection, with the T flag
// and the same End-to-End Identifier, Session-Id, type and number, until it is answered.
//
// Deliberate duplicates: half of them follow their request at once, so that the server meets the
// second while it works on the first; the others follow the first answer.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/time.hh"
#include "base/types.hh"
#include "dataplane/stream.hh"
#include "tools/tollload/connection.hh"
#include "tools/tollload/options.hh"
#include "tools/tollload/pace.hh"
#include "tools/tollload/record.hh"
#include "tools/tollload/results.hh"
#include "tools/tollload/script.hh"

namespace tollgate::tollload {

enum class Phase : u8 {
  connecting,
  opening,
  running,
  settling,
  terminating,
  disconnecting,
  done,
};
std::string_view to_text(Phase phase);

class Engine final : public dataplane::StreamHandler {
 public:
  // `clock` tells the moment of an answer within a turn; without it, it is that of the turn (for
  // tests). `record` may be nullptr. All outlive the engine.
  Engine(const Options& options, const Clock* clock, RecordFile* record);
  ~Engine() override;

  // Begins to connect. Before the first turn.
  void start(dataplane::Transport& transport, Instant now);

  // Returns false once all is done; more turns do nothing.
  bool turn(Instant now);

  // Ends the load early, in good order.
  void stop() { is_stopping_ = true; }

  Phase phase() const { return phase_; }
  u64 in_flight_count() const { return in_flight_count_; }
  Results& results() { return *results_; }
  const RequestTemplate& request_template(Service service, RequestType type) const;

  void opened(dataplane::StreamId id, const dataplane::Endpoint& remote,
              dataplane::Direction direction) override;
  [[nodiscard]] std::size_t received(dataplane::StreamId id, Bytes chunk) override;
  void writable(dataplane::StreamId id) override;
  void closed(dataplane::StreamId id, dataplane::CloseReason reason) override;
  void connect_failed(dataplane::StreamId id, dataplane::CloseReason reason) override;

 private:
  // Connections: engine_connections.cc
  Connection* find(dataplane::StreamId id);
  void connect(Connection& connection);
  void keep_connections();
  void connection_lost(Connection& connection, std::string_view why);
  void give_up(Connection& connection, std::string_view why);
  void send_again_what_waits(Connection& connection);
  void react(Connection& connection, const diameter::Reaction& reaction, Bytes octets);
  bool send_octets(Connection& connection, Bytes octets);
  void disconnect_all();
  void fail(std::string why);

  // Phases and sending: engine.cc
  void advance();
  void enter(Phase phase);
  void begin_running();
  void end_running();
  template <class Wanted>
  void queue_slots(Wanted&& wanted);
  bool nothing_is_left() const;
  void send_new();
  u32 send_burst(Connection& connection, u64 allowed_count);
  bool send_request(Connection& connection, u32 slot);
  void send_again(Connection& connection);
  enum class Copy : u8 { first, again, duplicate };
  bool put_request(Connection& connection, u32 slot, Copy copy);
  static bool must_be_repeated(const Session& session);
  void plan_duplicate(Connection& connection, u32 slot);
  void sweep();

  // Answers: engine_answers.cc
  diameter::Take message(Connection& connection, Bytes message);
  void answer(Connection& connection, Bytes message);
  void judge(const Connection& connection, u32 slot, Bytes message);
  void compare(Session& session, const AnswerFacts& facts, AnswerFault& fault) const;
  void finish(Connection& connection, u32 slot);
  void stray_answer(Connection& connection, Bytes message);
  void session_request(Connection& connection, Bytes message);
  void lose(Connection& connection, u32 slot);
  void record(const Connection& connection, u32 slot, const AnswerFacts* facts);
  void explain(const Connection& connection, u32 slot, AnswerFault fault, const AnswerFacts& facts);

  Connection& connection_of(u32 slot) { return *connections_[slot % connections_.size()]; }

  const Options options_;
  const Clock* clock_;
  RecordFile* record_;
  dataplane::Transport* transport_ = nullptr;
  Script script_;
  Pace pace_;
  std::unique_ptr<Results> results_;
  std::vector<Session> sessions_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> by_stream_;  // indexed by StreamId::index
  std::array<std::array<RequestTemplate, 5>, service_count> templates_;

  Phase phase_ = Phase::connecting;
  bool is_stopping_ = false;
  Instant now_;
  Instant phase_since_;
  Instant kept_at_;
  u32 event_time_ = 0;
  u32 slot_bits_;
  u32 slot_step_;  // added to a Hop-by-Hop Identifier, it names the next request of the slot
  u32 end_to_end_;
  u64 in_flight_count_ = 0;
  std::size_t connection_turn_ = 0;
  u32 sweep_slot_ = 0;
  u32 msisdn_low_;
  u32 imsi_low_;
};

}  // namespace tollgate::tollload
