// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SimTransport: the streams of one net tile. Octets arrive in pieces of any size and late; a stream
// may break with half a message in it. What is on its way when the tile dies is lost.
#pragma once

#include <vector>

#include "dataplane/stream.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

class SimTransport final : public dataplane::Transport {
 public:
  // `first_generation` differs from one life of the tile to the next, so that no client takes a
  // new stream for its old one.
  SimTransport(dataplane::StreamHandler& handler, u32 first_generation)
      : handler_(handler), generation_(first_generation) {}

  // ---- the client's end
  dataplane::StreamId open();
  bool is_open(dataplane::StreamId id) const;
  void send(dataplane::StreamId id, Bytes octets);
  std::vector<u8> receive(dataplane::StreamId id);
  void cut(dataplane::StreamId id);
  // Lets some octets arrive, at both ends. `all`: everything.
  void move(Random& random, bool all);

  // ---- the tile's end
  [[nodiscard]] std::string listen(const dataplane::Endpoint&) override { return {}; }
  [[nodiscard]] dataplane::StreamId connect(const dataplane::Endpoint&) override { return {}; }
  [[nodiscard]] MutableBytes reserve(dataplane::StreamId id, std::size_t size_bytes) override;
  void commit(dataplane::StreamId id, std::size_t size_bytes) override;
  void flush() override {}
  void resume(dataplane::StreamId) override {}
  void close(dataplane::StreamId id) override;
  void abort(dataplane::StreamId id) override;
  std::size_t poll(Instant now) override;
  std::size_t stream_count() const override { return streams_.size(); }
  const dataplane::TransportCounters& counters() const override { return counters_; }

 private:
  using Octets = std::vector<u8>;
  struct Stream {
    dataplane::StreamId id;
    bool is_open = false;
    bool is_told = false;    // the tile knows that it was opened
    bool is_ending = false;  // the tile is told of the end in the next poll
    Octets to_tile;          // on its way
    Octets arrived;          // for the next poll
    Octets to_client;        // on its way
    Octets received;         // for the client
    Octets room;
  };
  Stream* find(dataplane::StreamId id);

  dataplane::StreamHandler& handler_;
  std::vector<Stream> streams_;
  u32 generation_;
  dataplane::TransportCounters counters_;
};

}  // namespace tollgate::sim
