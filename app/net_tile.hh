// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// NetTile: streams of octets in, requests to the charge tiles, answers back onto the streams.
//
//   in   its transport; journal<J>_net<this>; charge<C>_net<this>
//   out  its transport; net<this>_charge<C>; net<this>_control (ledger/trace.hh)
//
// A turn is: take a burst from the transport; every whole message is decoded where it lies and
// staged (decoding touches no memory but the message); then the accounts of all staged requests are
// looked up together and each request goes to the tile that owns its shard. Answers that have come
// are encoded straight into the streams' output. Nothing it holds moves money: it reads the index
// and the sessions, and writes links.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "app/connection.hh"
#include "app/net_counters.hh"
#include "app/normalise_request.hh"
#include "app/order_table.hh"
#include "app/overload.hh"
#include "app/peer_book.hh"
#include "app/pending.hh"
#include "app/tariff_reader.hh"
#include "app/trace_tap.hh"
#include "app/translate.hh"
#include "base/histogram.hh"
#include "base/link.hh"
#include "base/status_table.hh"
#include "base/tile.hh"
#include "base/versioned_blob.hh"
#include "ledger/identity_index.hh"
#include "ledger/shard.hh"

namespace tollgate::app {

struct NetTileOptions {
  u32 tile = 0;
  u32 charge_tile_count = 1;
  u32 connections_max = 256;
  u32 pending_max = 65536;
  u32 message_bytes_max = 65536;
  u32 first_generation = 0;  // of the pending table
  // Peers by address, whatever their names; with no rules and none of these everyone may come.
  std::vector<dataplane::IpPrefix> allowed_peers;
  PeerRules peer_rules;                    // tried before them
  u32 unauthenticated_max = 64;            // connections without CER and CEA yet
  std::vector<LinkMemory*> charge_links;   // by number of charge tile
  std::vector<LinkMemory*> journal_links;  // by number of journal tile
  std::vector<LinkMemory*> order_links;    // by number of charge tile; may be none
  const VersionedBlob* tariff = nullptr;
  rating::Program::Mapping tariff_mapping = rating::Program::Mapping::data;
  ProfileTable profiles;
  std::optional<StatusTable> peers;           // rows by index of stream; none: not published
  ledger::TraceTable* trace_table = nullptr;  // who is watched; none: nobody
  LinkMemory* trace_link = nullptr;
  u16 listen_port = 3868;
  diameter::LocalNode node;  // what it points to outlives the tile
};

class NetTile final : public dataplane::StreamHandler {
 public:
  NetTile(const NetTileOptions& options, const ledger::LedgerMemory& memory,
          const ledger::IdentityIndex& index, std::span<u64> counters, Histogram& latency);
  ~NetTile() override;

  // The transport calls this tile as its handler, so it is made after it. It outlives the tile.
  void set_transport(dataplane::Transport& transport) { transport_ = &transport; }

  u32 poll(const Turn& turn);
  void housekeep(const Turn& turn);

  // A clean stop: every peer gets a DPR and no further request is taken.
  void begin_stop(Instant now);
  // True when all peers are gone.
  bool is_stopped() const { return open_count_ == 0; }

  void opened(dataplane::StreamId id, const dataplane::Endpoint& remote,
              dataplane::Direction direction) override;
  std::size_t received(dataplane::StreamId id, Bytes chunk) override;
  void closed(dataplane::StreamId id, dataplane::CloseReason reason) override;
  void connect_failed(dataplane::StreamId id, dataplane::CloseReason reason) override;

 private:
  static constexpr u32 staged_max = 64;
  static constexpr u64 staging_bytes = 1_MiB;

  // A request that was decoded and has not been routed.
  struct Staged {
    u64 at = 0;  // in the staging buffer
    u64 bytes = 0;
    u32 key_count = 0;
    Pending* pending = nullptr;
    std::array<ledger::IdentityKey, identity_keys_max> keys;
  };

  bool may_open(dataplane::StreamId id, const dataplane::Endpoint& remote,
                dataplane::Direction direction);
  static diameter::Admission admit(void* tile, const diameter::PeerFacts& facts);
  void on_opened(Connection& connection);
  void end(Connection& connection);
  void note_state(u64 host, const std::optional<u32>& state_id);
  diameter::Take on_message(Connection& connection, Bytes message);
  static bool is_late_request(const Connection& connection, Bytes message);
  void on_peer_message(Connection& connection, Bytes message);
  void on_request(Connection& connection, Bytes message);
  bool refuse_early(Connection& connection, Bytes message);
  bool has_looped() const;
  void measure_load();
  Pending* keep(const Connection& connection);
  bool stage(Connection& connection, Bytes message);
  bool normalise(Bytes message, const RequestNormaliser::Written& written);
  void take_rules();
  void watch(const Connection& connection, Bytes message);
  void watch_refused(const Connection& connection, Bytes message);
  void trace_peer_sent(const Connection& connection, Bytes messages);
  void trace_sent(const Connection& connection, u8 traces, Bytes message,
                  ledger::AnswerTag tag = {});
  void apply(Connection& connection, const diameter::Reaction& reaction, Bytes answer);
  void send(Connection& connection, Bytes message);
  void refuse(Connection& connection, Bytes message, const diameter::Refusal& refusal);
  void refuse(Connection& connection, Bytes message, diameter::ResultCode code);
  void on_broken_frame(Connection& connection, diameter::FrameError error);
  void count_result(Connection& connection, diameter::ResultCode code) {
    const u32 place = result_place(static_cast<u32>(code));
    ++results_[place];
    ++connection.results[place];
    ++connection.answers;
  }

  void fetch_identities(const Staged& staged) const;
  void route_staged();
  void route(Staged& staged);
  u32 find_session_shard(std::string_view session_id, u32 hash) const;
  void answer_here(Pending& pending, ledger::Outcome outcome, Bytes failed_avps = {});

  Connection* find_way(const SessionOrder& order, dataplane::StreamId avoided);
  void poll_orders(const Turn& turn);
  void begin_order(const SessionOrder& order, Instant now);
  void send_order(PendingOrder& pending, Connection& connection, Instant now);
  void try_again(PendingOrder& pending, Instant now);
  void on_session_answer(const Connection& connection, Bytes message);
  void report(SessionOrder order, u32 result);

  u32 poll_answers(const Turn& turn);
  void on_answer(Bytes frame, const Turn& turn);
  void send_answer(const Pending& pending, const AnswerFrame& frame, Bytes failed_avps = {});
  void check_connections(const Turn& turn);
  void publish_peers();

  NetTileOptions options_;
  ledger::IdentityIndex index_;
  std::vector<ledger::Shard> shards_;  // read only
  NetCounters& counters_;
  std::span<u64> results_;
  std::span<u64> transport_counters_;
  Histogram& latency_;
  dataplane::Transport* transport_ = nullptr;
  std::vector<std::unique_ptr<Connection>> connections_;  // by index of stream
  PeerBook book_;
  Overload overload_;
  Connection* asking_ = nullptr;  // whose capabilities are being looked at
  u32 open_count_ = 0;
  u32 unauthenticated_count_ = 0;
  bool is_stopping_ = false;
  PendingTable pending_;
  std::vector<LinkProducer> charges_;
  std::vector<LinkConsumer> journals_;
  std::vector<LinkConsumer> orders_;
  OrderTable order_table_;
  std::optional<diameter::EndToEndIds> end_to_end_;  // of requests of ours, from the first on
  TariffReader tariff_;
  RequestNormaliser normaliser_;
  u32 roles_asked_ = 0;  // which numbers the tariff asks for
  TraceTap trace_;
  u8 traces_ = 0;  // who watches the message at hand
  u64 next_publish_tsc_ = 0;
  Turn turn_;
  u32 staged_count_ = 0;
  u64 staged_bytes_ = 0;
  std::array<Staged, staged_max> staged_;
  std::unique_ptr<u8[]> staging_;
  diameter::CreditControlRequest request_;
  diameter::Refusal refusal_;
  AnswerFrame frame_;
  AnswerScratch scratch_;
  std::array<u8, 8192> small_;  // answers of the base protocol and refusals
};

}  // namespace tollgate::app
