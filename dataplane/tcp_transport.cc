// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/tcp_transport.hh"

#include <fmt/format.h>
#include <rte_lcore.h>

#include <algorithm>

#include "dataplane/tcp_address.hh"
#include "dataplane/tcp_stack.hh"
#include "lwip/timeouts.h"

namespace tollgate::dataplane {

namespace {

bool is_in_use_ = false;  // lwIP's state is global

std::string check_options(const Port& port, const TcpOptions& options) {
  if (is_in_use_) return "there is a TCP transport in this process already";
  if (!port.is_open()) return "the port of the TCP transport is not open";
  if (options.queue_count == 0 || options.queue_first + options.queue_count > port.queue_count()) {
    return fmt::format("queues {} to {} are not among the {} of the port", options.queue_first,
                       options.queue_first + options.queue_count - 1, port.queue_count());
  }
  if (!options.address4.address.is_set() && !options.address6.address.is_set())
    return "the TCP transport needs an IPv4 or an IPv6 address";
  if (options.address4.address.version == IpVersion::v6 ||
      options.address6.address.version == IpVersion::v4)
    return "the IPv4 and the IPv6 address of the TCP transport are mixed up";
  if (options.stream_count_max == 0 || options.stream_count_max > 16384)
    return fmt::format("{} streams are not within 1 to 16384", options.stream_count_max);
  if (!is_power_of_two(options.output_bytes_per_stream) || options.output_bytes_per_stream < 4096 ||
      options.output_bytes_per_stream > TCP_SND_BUF) {
    return fmt::format("{} octets of output of a stream: must be a power of two from 4096 to {}",
                       options.output_bytes_per_stream, TCP_SND_BUF);
  }
  return {};
}

}  // namespace

TcpTransport::TcpTransport(std::unique_ptr<Stack> stack) : stack_(std::move(stack)) {
  is_in_use_ = true;
}

TcpTransport::~TcpTransport() {
  is_in_use_ = false;
}

std::unique_ptr<TcpTransport> TcpTransport::create(const Port& port, const TcpOptions& options,
                                                   StreamHandler& handler, std::string& error) {
  error = check_options(port, options);
  if (!error.empty()) return nullptr;
  auto stack = std::make_unique<Stack>(*port.internals(), options, handler);
  error = stack->start();
  if (!error.empty()) return nullptr;
  return std::unique_ptr<TcpTransport>(new TcpTransport(std::move(stack)));
}

std::string TcpTransport::listen(const Endpoint& local) {
  tcp_pcb* pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
  if (pcb == nullptr) return "lwIP has no memory for another listener";
  const bool is_any = !local.address.is_set() || local.address.is_any();
  const ip_addr_t address = is_any ? *IP_ANY_TYPE : to_lwip(local.address);
  if (tcp_bind(pcb, &address, local.port) != ERR_OK) {
    tcp_close(pcb);
    return fmt::format("there is a listener on {} already", to_text(local));
  }
  tcp_pcb* listener = tcp_listen_with_backlog(pcb, TCP_DEFAULT_LISTEN_BACKLOG);
  if (listener == nullptr) {
    tcp_close(pcb);
    return "lwIP has no memory for another listener";
  }
  tcp_arg(listener, stack_.get());
  tcp_accept(listener, Stack::on_accept);
  stack_->listeners.push_back(listener);
  return {};
}

StreamId TcpTransport::connect(const Endpoint& remote) {
  if (!remote.address.is_set()) return {};
  TcpStream* stream = stack_->allocate();
  if (stream == nullptr) return {};
  stream->state = StreamState::connecting;
  stream->remote = remote;
  stack_->pend(*stream);
  return stream->id;
}

MutableBytes TcpTransport::reserve(StreamId id, std::size_t size_bytes) {
  TcpStream* stream = stack_->find(id);
  if (stream == nullptr || stream->state != StreamState::open) return {};
  if (stream->close_wanted || stream->abort_wanted) return {};
  if (stream->has_failed) return {};
  const MutableBytes room = stream->output.reserve(size_bytes);
  if (room.empty() && size_bytes != 0) {
    check(size_bytes <= stack_->options.output_bytes_per_stream,
          "a message fits into the output of a stream");
    ++stack_->counters.refused_output_full;
    stream->wanted_bytes = static_cast<u32>(size_bytes);
  }
  return room;
}

void TcpTransport::commit(StreamId id, std::size_t size_bytes) {
  TcpStream* stream = stack_->find(id);
  if (stream == nullptr) return;
  stream->output.commit(size_bytes);
  stack_->counters.stream_octets_out += size_bytes;
  stack_->touch(*stream);
}

void TcpTransport::flush() {
  stack_->flush();
}

void TcpTransport::resume(StreamId id) {
  TcpStream* stream = stack_->find(id);
  if (stream != nullptr && !stream->is_in_handler) stack_->offer_unread(*stream);
}

void TcpTransport::close(StreamId id) {
  TcpStream* stream = stack_->find(id);
  if (stream == nullptr) return;
  stream->close_wanted = true;
  stack_->pend(*stream);
}

void TcpTransport::abort(StreamId id) {
  TcpStream* stream = stack_->find(id);
  if (stream == nullptr) return;
  stream->abort_wanted = true;
  stack_->pend(*stream);
}

std::size_t TcpTransport::poll(Instant now) {
  Stack& stack = *stack_;
  stack.now = std::max(stack.now, now);  // timers know no way back
  set_lwip_time(stack.now);
  stack.follow_link();
  if (!stack.stalled.empty()) stack.offer_stalled();
  const std::size_t handled = stack.receive_bursts();
  sys_check_timeouts();
  if (stack.now >= stack.housekeeping_at) {
    stack.housekeeping_at = stack.now + Duration::milliseconds(10);
    stack.check_lingering();
    stack.read_counters();
  }
  stack.settle();
  stack.flush();
  return handled;
}

Duration TcpTransport::lag() const {
  return stack_->lag();
}

std::size_t TcpTransport::stream_count() const {
  return stack_->streams.size() - stack_->free_streams.size();
}

const TransportCounters& TcpTransport::counters() const {
  return stack_->counters;
}

}  // namespace tollgate::dataplane
