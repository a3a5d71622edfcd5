// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FakeTransport: a network of vectors, for tests. What a test delivers is received in the next
// poll, in the pieces that it came in; what the tile sends is kept until it is taken.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dataplane/stream.hh"

namespace tollgate::app {

class FakeTransport final : public dataplane::Transport {
 public:
  using Octets = std::vector<u8>;
  struct Stream {
    dataplane::StreamId id;
    dataplane::Endpoint remote;
    Octets output;
    Octets room;
    u64 output_max = 1 << 20;
    bool is_open = true;
    bool is_connecting = false;
    bool is_ending = false;
    bool was_aborted = false;
  };

  explicit FakeTransport(dataplane::StreamHandler& handler) : handler_(handler) {}

  // Somebody connects from there ("198.18.0.9:5000").
  dataplane::StreamId accept(std::string_view address);
  // What the tile began with `connect` is there, or is not.
  void establish(dataplane::StreamId id);
  void fail(dataplane::StreamId id, dataplane::CloseReason reason);
  // Octets that come with the next poll.
  void deliver(dataplane::StreamId id, Bytes octets);
  // The other side closes.
  void end(dataplane::StreamId id) { streams_[id.index].is_ending = true; }
  Stream& stream(dataplane::StreamId id) { return streams_[id.index]; }
  std::vector<Stream>& streams() { return streams_; }
  Octets take_output(dataplane::StreamId id) { return std::exchange(stream(id).output, {}); }

  std::string listen(const dataplane::Endpoint&) override { return {}; }
  dataplane::StreamId connect(const dataplane::Endpoint& remote) override;
  MutableBytes reserve(dataplane::StreamId id, std::size_t size_bytes) override;
  void commit(dataplane::StreamId id, std::size_t size_bytes) override;
  void flush() override {}
  void resume(dataplane::StreamId) override {}
  void close(dataplane::StreamId id) override { streams_[id.index].is_ending = true; }
  void abort(dataplane::StreamId id) override;
  std::size_t poll(Instant now) override;
  std::size_t stream_count() const override { return streams_.size(); }
  Duration lag() const override { return lag_; }
  // As if input waited for so long.
  void set_lag(Duration lag) { lag_ = lag; }
  const dataplane::TransportCounters& counters() const override { return counters_; }

 private:
  struct Input {
    dataplane::StreamId id;
    Octets octets;
  };
  dataplane::StreamId add(const dataplane::Endpoint& remote);

  dataplane::StreamHandler& handler_;
  std::vector<Stream> streams_;
  std::vector<Input> input_;
  u32 generation_ = 1;
  Duration lag_;
  dataplane::TransportCounters counters_;
};

}  // namespace tollgate::app
