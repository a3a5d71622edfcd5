// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollload_responder: a credit-control server that charges nobody. Each request is decoded whole
// and granted as asked, over memif or kernel sockets, until a signal ends it.
//
// It is what the load is tried against when no appliance shall be in the way, and the bare peer
// that measurements stand beside: what remains is i/o, TCP and the codec.
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <vector>

#include "dataplane/eal.hh"
#include "dataplane/kernel_transport.hh"
#include "dataplane/tcp_transport.hh"
#include "diameter/credit_control.hh"
#include "diameter/dispatch.hh"
#include "diameter/peer.hh"

namespace tollgate::tollload {
namespace {

constexpr u32 stream_count_max = 4096;
constexpr Duration yield_interval = Duration::microseconds(20);

volatile sig_atomic_t stop_requests = 0;

struct ResponderOptions {
  std::string transport = "kernel";
  std::string listen = "127.0.0.1:3868";
  std::string memif_socket = "/run/tollgate/memif.sock";
  std::string huge_directory;
  std::string file_prefix = "tollresponder";
  bool no_huge = false;
  bool no_yield = false;
  u32 core = 0;
};

struct Client {
  explicit Client(const diameter::LocalNode& node, Instant now, u64 seed)
      : peer(node, {.now = now, .seed = seed}), buffer(16_KiB), framer(buffer) {}
  diameter::PeerConnection peer;
  std::vector<u8> buffer;
  diameter::Framer framer;
};

class Responder final : public dataplane::StreamHandler {
 public:
  Responder() : clients_(stream_count_max) {
    node_.origin = {"ocs.tollgate.example", "tollgate.example"};
    address_.octets = {127, 0, 0, 1};
    node_.host_addresses = {&address_, 1};
  }
  void attach(dataplane::Transport& transport) { transport_ = &transport; }
  void turn(Instant now) {
    now_ = now;
    transport_->poll(now);
  }

  void opened(dataplane::StreamId id, const dataplane::Endpoint&, dataplane::Direction) override {
    clients_[id.index] = std::make_unique<Client>(node_, now_, ++seed_);
  }
  // What finds no room stays unread until there is some.
  [[nodiscard]] std::size_t received(dataplane::StreamId id, Bytes chunk) override {
    Client& client = *clients_[id.index];
    const diameter::FrameProgress progress =
        client.framer.feed(chunk, [&](Bytes message) { return take(id, client, message); });
    if (progress.error != diameter::FrameError::none) {
      transport_->abort(id);
      return chunk.size();
    }
    return progress.consumed_bytes;
  }
  void closed(dataplane::StreamId id, dataplane::CloseReason) override {
    clients_[id.index].reset();
  }

 private:
  diameter::Take take(dataplane::StreamId id, Client& client, Bytes message) {
    using diameter::Take;
    const MutableBytes out = transport_->reserve(id, diameter::peer_answer_bytes_max);
    if (out.empty()) return Take::stop_before;
    const diameter::Classified classified = diameter::classify(message);
    if (classified.kind == diameter::MessageKind::credit_control) {
      transport_->commit(id, answer(message, out));
      return Take::next;
    }
    const diameter::Reaction reaction = client.peer.on_message(message, now_, out);
    transport_->commit(id, reaction.send_bytes);
    if (!reaction.close) return Take::next;
    transport_->close(id);
    return Take::stop_after;
  }

  std::size_t answer(Bytes message, MutableBytes out) {
    diameter::Refusal refusal;
    if (!diameter::decode_credit_control_request(message, *request_, refusal))
      return diameter::encode_refusal(message, refusal, node_.origin, out);
    std::array<diameter::AnswerMscc, diameter::mscc_count_max> answers;
    for (u32 i = 0; i < request_->mscc_count; ++i) {
      const diameter::RequestMscc& asked = request_->mscc_pool[i];
      diameter::AnswerMscc& mscc = answers[i];
      if (asked.requested == diameter::Requested::units) mscc.granted = asked.requested_units;
      mscc.service_identifiers = request_->service_identifiers_of(asked);
      mscc.rating_group = asked.rating_group;
      mscc.validity_time_s = 600;
      mscc.result_code = diameter::ResultCode::success;
    }
    return diameter::encode_answer({.hop_by_hop = request_->header.hop_by_hop,
                                    .end_to_end = request_->header.end_to_end,
                                    .is_proxiable = request_->header.is_proxiable(),
                                    .session_id = request_->session_id,
                                    .origin = &node_.origin,
                                    .type = request_->type,
                                    .number = request_->number,
                                    .mscc = {answers.data(), request_->mscc_count}},
                                   out);
  }

  dataplane::Transport* transport_ = nullptr;
  diameter::LocalNode node_;
  diameter::HostAddress address_;
  std::unique_ptr<diameter::CreditControlRequest> request_ =
      std::make_unique<diameter::CreditControlRequest>();
  std::vector<std::unique_ptr<Client>> clients_;
  Instant now_;
  u64 seed_ = 0;
};

std::unique_ptr<dataplane::Transport> make_transport(const ResponderOptions& options,
                                                     const dataplane::Endpoint& local,
                                                     dataplane::Port& port,
                                                     dataplane::StreamHandler& handler,
                                                     std::string& error) {
  if (options.transport == "kernel")
    return dataplane::KernelTransport::create(
        {.stream_count_max = stream_count_max, .wait_max = Duration::milliseconds(1)}, handler,
        error);
  error = dataplane::start_eal({.program = "tollload_responder",
                                .file_prefix = options.file_prefix,
                                .cpus = {options.core},
                                .huge_pages = !options.no_huge,
                                .huge_directory = options.huge_directory,
                                .memory_mib = 256});
  if (error.empty())
    error = port.open({.kind = dataplane::PortKind::memif_server, .address = options.memif_socket});
  if (!error.empty()) return nullptr;
  return dataplane::TcpTransport::create(
      port, {.address4 = {local.address, 24}, .stream_count_max = stream_count_max}, handler,
      error);
}

int run(const ResponderOptions& options) {
  dataplane::Endpoint local;
  if (!dataplane::parse(options.listen, 3868, local)) {
    fmt::print(stderr, "tollload_responder: --listen {}: no address\n", options.listen);
    return 2;
  }
  Responder responder;
  dataplane::Port port;
  std::string error;
  auto transport = make_transport(options, local, port, responder, error);
  if (transport) error = transport->listen(local);
  if (!error.empty()) {
    fmt::print(stderr, "tollload_responder: {}\n", error);
    return 1;
  }
  responder.attach(*transport);
  fmt::print("listening {}\n", to_text(local));
  std::fflush(stdout);
  const Clock clock;
  Instant yielded = clock.now();
  while (stop_requests == 0) {
    const Instant now = clock.now();
    responder.turn(now);
    if (options.no_yield || now - yielded < yield_interval) continue;
    sched_yield();
    yielded = clock.now();
  }
  transport.reset();
  port.close();
  dataplane::stop_eal();
  return 0;
}

}  // namespace
}  // namespace tollgate::tollload

int main(int argument_count, char** arguments) {
  tollgate::tollload::ResponderOptions options;
  CLI::App app("Answers credit-control requests and charges nobody.", "tollload_responder");
  app.add_option("--transport", options.transport)->check(CLI::IsMember({"memif", "kernel"}));
  app.add_option("--listen", options.listen, "ADDRESS[:PORT]; on memif our own address, in a /24");
  app.add_option("--memif-socket", options.memif_socket);
  app.add_option("--huge-dir", options.huge_directory);
  app.add_option("--file-prefix", options.file_prefix);
  app.add_flag("--no-huge", options.no_huge);
  app.add_flag("--no-yield", options.no_yield);
  app.add_option("--core", options.core);
  CLI11_PARSE(app, argument_count, arguments);
  struct sigaction action {};
  action.sa_handler = [](int) { tollgate::tollload::stop_requests = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return tollgate::tollload::run(options);
}
