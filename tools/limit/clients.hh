// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Clients: a transport without packets. It plays clients inside the appliance's own core: their
// requests are written into memory and handed to the net tile as octets of a stream, its answers
// are looked at where it wrote them.
//
// Each session asks one INITIAL, then UPDATEs without end, one request under way at a time, as many
// sessions at once as the window says. Making the requests is not what is measured: its ticks are
// counted apart.
#pragma once

#include <atomic>
#include <vector>

#include "base/tile.hh"
#include "dataplane/stream.hh"
#include "tools/tollload/request_template.hh"

namespace tollgate::limit {

struct ClientsOptions {
  u32 connection_count = 8;
  u32 window_count = 4096;
  u32 session_count = 250'000;
  u32 subscriber_count = 1'000'000;
  u32 requested_octets = 1'024'000;
  u32 used_octets = 1'000;
  Duration warm_up = Duration::milliseconds(500);
  Duration measured = Duration::seconds(5);
};

// Where things stood at one moment.
struct Mark {
  u64 tsc = 0;
  u64 answered = 0;
  u64 client_ticks = 0;  // in making requests
  Duration processor;    // that this thread had of the processor
  CoreCounters core{};
};

class Clients final : public dataplane::Transport {
 public:
  // Sets `stop` when all has been measured. `core` is what the core counts of itself.
  Clients(const ClientsOptions& options, const CoreCounters& core, std::atomic<bool>& stop);

  void attach(dataplane::StreamHandler& handler) { handler_ = &handler; }

  // After it was over: measures once more, from the next turn on.
  void measure_again(Duration measured) {
    options_.measured = measured;
    options_.warm_up = Duration::milliseconds(100);
    phase_ = Phase::opening;
  }

  const Mark& begin() const { return begin_; }
  const Mark& end() const { return end_; }
  u64 wrong_count() const { return wrong_count_; }
  std::size_t update_bytes() const { return update_.size_bytes(); }

  std::string listen(const dataplane::Endpoint&) override { return {}; }
  dataplane::StreamId connect(const dataplane::Endpoint&) override { return {}; }
  MutableBytes reserve(dataplane::StreamId, std::size_t size_bytes) override;
  void commit(dataplane::StreamId, std::size_t size_bytes) override;
  void flush() override {}
  void resume(dataplane::StreamId) override {}
  void close(dataplane::StreamId) override {}
  void abort(dataplane::StreamId) override;
  std::size_t poll(Instant now) override;
  std::size_t stream_count() const override { return options_.connection_count; }
  const dataplane::TransportCounters& counters() const override { return counters_; }

 private:
  static constexpr u32 burst_max = 16;
  enum class Phase : u8 { connecting, opening, warming, measuring, over };

  struct Slot {
    u32 number = 0;
    bool waits = false;
  };
  void connect_all(Instant now);
  void write_request(u32 slot, Instant now);
  u32 ask(u32 connection, Instant now);
  void step_phase(Instant now);
  Mark mark() const;

  ClientsOptions options_;
  const CoreCounters& core_;
  std::atomic<bool>& stop_;
  dataplane::StreamHandler* handler_ = nullptr;
  tollload::Identities identities_;
  tollload::RequestTemplate initial_;
  tollload::RequestTemplate update_;
  dataplane::TransportCounters counters_;
  Phase phase_ = Phase::connecting;
  Instant phase_end_;
  std::vector<Slot> slots_;
  std::vector<u32> next_;  // of each connection: its slots are those of that remainder
  u32 next_connection_ = 0;
  u32 in_flight_ = 0;
  u32 end_to_end_ = 0;
  u64 opened_count_ = 0;
  u64 answered_count_ = 0;
  u64 wrong_count_ = 0;
  u64 client_ticks_ = 0;
  Mark begin_;
  Mark end_;
  std::size_t request_bytes_ = 0;
  std::vector<u8> requests_;
  std::vector<u8> answer_;
};

}  // namespace tollgate::limit
