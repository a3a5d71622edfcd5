// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// FakeServer: a transport in memory with a Diameter server at its other end, for tests and benches.
//
// It decodes what the engine sends with diameter/'s own decoder and grants what is asked. A test
// may change or withhold any answer, break connections and look at what came.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/stream.hh"
#include "diameter/credit_control.hh"
#include "diameter/frame.hh"
#include "diameter/peer.hh"

namespace tollgate::tollload {

// What is kept of each request for the test to look at.
struct SeenRequest {
  std::string session_id;
  std::string origin_host;
  diameter::RequestType type{};
  u32 number = 0;
  u32 end_to_end = 0;
  bool is_retransmitted = false;
  u64 used = 0;
  std::string msisdn;
};

class FakeServer final : public dataplane::Transport {
 public:
  FakeServer();

  void attach(dataplane::StreamHandler& handler) { handler_ = &handler; }

  // Called with each answer before it is sent; false withholds it.
  std::function<bool(const diameter::CreditControlRequest&, diameter::CreditControlAnswer&,
                     diameter::AnswerMscc&)>
      alter;
  // Called with the octets of each answer.
  std::function<void(MutableBytes)> alter_octets;
  bool refuses_connections = false;
  bool keeps_requests = false;
  std::vector<SeenRequest> seen;
  u64 request_count = 0;
  u64 undecodable_count = 0;

  // Every connection ends now, with what was on its way.
  void break_connections();
  // The server sends this to each connection.
  void send_all(Bytes octets);

  [[nodiscard]] std::string listen(const dataplane::Endpoint&) override { return "no"; }
  [[nodiscard]] dataplane::StreamId connect(const dataplane::Endpoint& remote) override;
  [[nodiscard]] MutableBytes reserve(dataplane::StreamId id, std::size_t size_bytes) override;
  void commit(dataplane::StreamId id, std::size_t size_bytes) override;
  void flush() override {}
  void resume(dataplane::StreamId) override {}
  void close(dataplane::StreamId id) override;
  void abort(dataplane::StreamId id) override { close(id); }
  std::size_t poll(Instant now) override;
  std::size_t stream_count() const override;
  const dataplane::TransportCounters& counters() const override { return counters_; }

 private:
  struct Stream {
    dataplane::StreamId id;
    bool is_opened = false;
    bool is_closing = false;
    bool was_blocked = false;
    std::vector<u8> to_server;
    std::size_t to_server_bytes = 0;
    std::vector<u8> to_client;
    std::vector<u8> frame_buffer;
    std::optional<diameter::Framer> framer;
    std::optional<diameter::PeerConnection> peer;
  };
  Stream* find(dataplane::StreamId id);
  void serve(Stream& stream, Instant now);
  void take(Stream& stream, Bytes message, Instant now);
  void answer(Stream& stream);
  void keep(const diameter::CreditControlRequest& request);

  dataplane::StreamHandler* handler_ = nullptr;
  dataplane::TransportCounters counters_;
  diameter::LocalNode node_;
  diameter::HostAddress address_;
  std::unique_ptr<diameter::CreditControlRequest> request_;
  std::vector<std::unique_ptr<Stream>> streams_;
  u32 generation_ = 0;
};

}  // namespace tollgate::tollload
