// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// EchoServer, EchoClient: the smallest conversation that looks like charging: requests of 750
// octets, answers of 230. For the tests of several processes and for the bench, over any transport.
//
// Each request carries a number and a pattern made from it; its answer carries the same number, a
// pattern, and which process gave it. The client checks every answer.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/check.hh"
#include "base/hash.hh"
#include "dataplane/stream.hh"

namespace tollgate::dataplane {

inline constexpr std::size_t request_bytes = 750;
inline constexpr std::size_t answer_bytes = 230;

struct MessageHead {
  u64 number = 0;
  u32 server_index = 0;
  u32 zero = 0;
};

// The pattern is a sliding window over fixed octets: cheap to write, and no two neighbours alike.
class EchoPattern {
 public:
  static Bytes octets(u64 number, std::size_t count) {
    static const std::vector<u8> source = [] {
      std::vector<u8> made(8192);
      for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<u8>(mix64(i) >> 24);
      return made;
    }();
    return {source.data() + number % 4093, count};
  }
  static void write(MutableBytes message, const MessageHead& head) {
    std::memcpy(message.data(), &head, sizeof head);
    const Bytes pattern = octets(head.number, message.size() - sizeof head);
    std::memcpy(message.data() + sizeof head, pattern.data(), pattern.size());
  }
  static bool is_right(Bytes message) {
    MessageHead head;
    std::memcpy(&head, message.data(), sizeof head);
    const Bytes pattern = octets(head.number, message.size() - sizeof head);
    return std::memcmp(message.data() + sizeof head, pattern.data(), pattern.size()) == 0;
  }
};

// Cuts a stream into messages of one size. `handle(message)` returns false to stop: that message
// and what follows count as not consumed.
class MessageCutter {
 public:
  template <class Handle>
  std::size_t cut(Bytes chunk, std::size_t message_bytes, Handle&& handle) {
    std::size_t consumed = 0;
    if (!begun_.empty()) {
      const std::size_t missing = message_bytes - begun_.size();
      const std::size_t taken = std::min(missing, chunk.size());
      begun_.insert(begun_.end(), chunk.begin(),
                    chunk.begin() + static_cast<std::ptrdiff_t>(taken));
      if (begun_.size() < message_bytes) return chunk.size();
      if (!handle(Bytes{begun_})) {
        begun_.resize(begun_.size() - taken);
        return 0;
      }
      begun_.clear();
      consumed = taken;
    }
    while (chunk.size() - consumed >= message_bytes) {
      if (!handle(chunk.subspan(consumed, message_bytes))) return consumed;
      consumed += message_bytes;
    }
    const Bytes rest = chunk.subspan(consumed);
    begun_.assign(rest.begin(), rest.end());
    return chunk.size();
  }
  void reset() {
    begun_.clear();
    begun_.reserve(1024);
  }

 private:
  std::vector<u8> begun_;
};

class EchoServer : public StreamHandler {
 public:
  struct Options {
    u32 stream_count_max = 1024;
    u32 server_index = 0;
    bool checks_content = true;
  };
  explicit EchoServer(const Options& options)
      : options_(options), cutters_(options.stream_count_max) {}

  void attach(Transport& transport) { transport_ = &transport; }

  void opened(StreamId id, const Endpoint&, Direction) override {
    cutters_[id.index].reset();
    ++open_count;
  }
  std::size_t received(StreamId id, Bytes chunk) override {
    return cutters_[id.index].cut(chunk, request_bytes, [&](Bytes request) {
      const MutableBytes answer = transport_->reserve(id, answer_bytes);
      if (answer.empty()) return false;
      if (options_.checks_content && !EchoPattern::is_right(request)) ++wrong_count;
      MessageHead head;
      std::memcpy(&head, request.data(), sizeof head);
      head.server_index = options_.server_index;
      EchoPattern::write(answer, head);
      transport_->commit(id, answer_bytes);
      ++answered_count;
      return true;
    });
  }
  void closed(StreamId, CloseReason) override { --open_count; }

  u64 answered_count = 0;
  u64 wrong_count = 0;
  u32 open_count = 0;

 private:
  Options options_;
  Transport* transport_ = nullptr;
  std::vector<MessageCutter> cutters_;
};

class EchoClient : public StreamHandler {
 public:
  struct Options {
    u32 stream_count_max = 1024;
    u32 window_count = 64;  // requests without answer, of each stream
    bool checks_content = true;
  };
  explicit EchoClient(const Options& options)
      : options_(options), talks_(options.stream_count_max) {}

  void attach(Transport& transport) { transport_ = &transport; }
  // No new requests from now on.
  void stop() { is_stopped_ = true; }

  void opened(StreamId id, const Endpoint&, Direction) override {
    talks_[id.index] = {};
    talks_[id.index].cutter.reset();
    ++open_count;
    send(id);
  }
  std::size_t received(StreamId id, Bytes chunk) override {
    Talk& talk = talks_[id.index];
    const std::size_t consumed = talk.cutter.cut(chunk, answer_bytes, [&](Bytes answer) {
      MessageHead head;
      std::memcpy(&head, answer.data(), sizeof head);
      const bool is_right = head.number == talk.answered &&
                            (!options_.checks_content || EchoPattern::is_right(answer));
      if (!is_right) ++wrong_count;
      if (head.server_index < answered_by.size()) ++answered_by[head.server_index];
      ++talk.answered;
      ++answered_count;
      return true;
    });
    send(id);
    return consumed;
  }
  void writable(StreamId id) override { send(id); }
  void closed(StreamId id, CloseReason reason) override {
    --open_count;
    ++closed_count;
    last_reason = reason;
    lost_count += talks_[id.index].sent - talks_[id.index].answered;
    talks_[id.index] = {};
  }
  void connect_failed(StreamId, CloseReason) override { ++failed_count; }

  u64 in_flight_count() const {
    u64 count = 0;
    for (const Talk& talk : talks_) count += talk.sent - talk.answered;
    return count;
  }

  u64 answered_count = 0;
  u64 wrong_count = 0;
  u64 lost_count = 0;
  u32 open_count = 0;
  u32 closed_count = 0;
  u32 failed_count = 0;
  CloseReason last_reason{};
  std::array<u64, 8> answered_by{};

 private:
  struct Talk {
    u64 sent = 0;
    u64 answered = 0;
    MessageCutter cutter;
  };

  void send(StreamId id) {
    Talk& talk = talks_[id.index];
    while (!is_stopped_ && talk.sent - talk.answered < options_.window_count) {
      const MutableBytes request = transport_->reserve(id, request_bytes);
      if (request.empty()) return;
      EchoPattern::write(request, {.number = talk.sent});
      transport_->commit(id, request_bytes);
      ++talk.sent;
    }
  }

  Options options_;
  bool is_stopped_ = false;
  Transport* transport_ = nullptr;
  std::vector<Talk> talks_;
};

}  // namespace tollgate::dataplane
