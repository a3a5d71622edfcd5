// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include <algorithm>
#include <cstring>

#include "dataplane/tcp_address.hh"
#include "dataplane/tcp_stack.hh"

namespace tollgate::dataplane {

namespace {

using Stack = TcpTransport::Stack;

// lwIP counts the octets of one call in 16 bits.
constexpr u32 call_bytes_max = 0x8000;

// Until the round trip is known: 300 ms, in ticks of lwIP's slow timer.
constexpr i16 first_timeout_ticks = 300 / (2 * TCP_TMR_INTERVAL);

// lwIP's argument is the stream; the one transport of the process is known here.
Stack* the_stack = nullptr;

void take_place(Stack& stack, TcpStream& stream) {
  const tcp_pcb& pcb = *stream.pcb;
  const IpAddress& remote = stream.remote.address;
  const std::size_t octets = remote.version == IpVersion::v4 ? 4 : 16;
  stream.flow_hash = flow_hash({remote.octets.data(), octets},
                               {.remote = pcb.remote_port, .local = pcb.local_port});
  stack.flows.insert({.hash = stream.flow_hash, .stream_index = stream.id.index});
  stream.is_in_flows = true;
  stream.queue_index = pcb.local_port % stack.io.queue_count();
  ++stack.queue_streams[stream.queue_index];
}

void leave_place(Stack& stack, TcpStream& stream) {
  if (!stream.is_in_flows) return;
  stack.flows.remove({.hash = stream.flow_hash, .stream_index = stream.id.index});
  stream.is_in_flows = false;
  --stack.queue_streams[stream.queue_index];
}

// Our port number decides on the queue: takes one that leads to the queue with the fewest streams.
bool bind_to_quiet_queue(Stack& stack, tcp_pcb* pcb) {
  constexpr u32 port_first = 49152;
  constexpr u32 port_count = 65536 - port_first;
  const auto& queues = stack.queue_streams;
  const auto quiet = std::ranges::min_element(queues) - queues.begin();
  for (u32 i = 0; i < port_count; ++i) {
    const u32 port = port_first + stack.port_offset++ % port_count;
    if (port % stack.io.queue_count() != static_cast<u32>(quiet)) continue;
    if (tcp_bind(pcb, IP_ANY_TYPE, static_cast<u16>(port)) == ERR_OK) return true;
  }
  return false;
}

}  // namespace

void Stack::touch(TcpStream& stream) {
  if (stream.is_touched) return;
  stream.is_touched = true;
  touched.push_back(stream.id.index);
}

void Stack::pend(TcpStream& stream) {
  if (stream.is_pending) return;
  stream.is_pending = true;
  pending.push_back(stream.id.index);
}

TcpStream* Stack::find(StreamId id) {
  if (!id.is_set() || id.index >= streams.size()) return nullptr;
  TcpStream& stream = streams[id.index];
  if (stream.id.generation != id.generation) return nullptr;
  const bool is_live = stream.state == StreamState::open || stream.state == StreamState::connecting;
  return is_live ? &stream : nullptr;
}

TcpStream* Stack::allocate() {
  the_stack = this;
  if (free_streams.empty()) {
    ++counters.refused_streams_full;
    return nullptr;
  }
  TcpStream& stream = streams[free_streams.back()];
  free_streams.pop_back();
  check(stream.state == StreamState::free, "a free stream is free");
  const bool was_touched = stream.is_touched;  // it may still stand on these lists
  const bool was_pending = stream.is_pending;
  const bool was_stalled = stream.is_stalled;
  const StreamId id{.index = stream.id.index, .generation = stream.id.generation + 1};
  stream = TcpStream{};
  stream.id = id;
  if (stream.id.generation == 0) stream.id.generation = 1;
  stream.is_touched = was_touched;
  stream.is_pending = was_pending;
  stream.is_stalled = was_stalled;
  stream.output.attach({output_memory + std::size_t{id.index} * options.output_bytes_per_stream,
                        options.output_bytes_per_stream});
  return &stream;
}

void Stack::release(TcpStream& stream) {
  check(stream.pcb == nullptr, "a stream is released without its connection");
  check(!stream.is_in_flows, "a stream is released without its place");
  drop_unread(stream);
  stream.state = StreamState::free;
  free_streams.push_back(stream.id.index);
}

void Stack::adopt(TcpStream& stream, tcp_pcb* pcb) {
  stream.pcb = pcb;
  tcp_arg(pcb, &stream);
  tcp_recv(pcb, on_received);
  tcp_sent(pcb, on_sent);
  tcp_err(pcb, on_error);
  tcp_nagle_disable(pcb);
  // lwIP begins with three seconds, made for the world of RFC 1122; ours is a local net.
  pcb->rto = pcb->sv = first_timeout_ticks;
}

err_t Stack::on_accept(void* argument, tcp_pcb* pcb, err_t error) {
  Stack& stack = *static_cast<Stack*>(argument);
  if (error != ERR_OK || pcb == nullptr) return ERR_VAL;
  TcpStream* stream = stack.allocate();
  if (stream == nullptr) {
    tcp_abort(pcb);
    return ERR_ABRT;
  }
  stream->state = StreamState::open;
  stream->remote = {.address = from_lwip(pcb->remote_ip), .port = pcb->remote_port};
  stack.adopt(*stream, pcb);
  take_place(stack, *stream);
  ++stack.counters.streams_opened;
  stack.handler.opened(stream->id, stream->remote, Direction::incoming);
  return ERR_OK;
}

void Stack::begin_connect(TcpStream& stream) {
  tcp_pcb* pcb = tcp_new_ip_type(stream.remote.address.version == IpVersion::v6 ? IPADDR_TYPE_V6
                                                                                : IPADDR_TYPE_V4);
  CloseReason reason = CloseReason::out_of_memory;
  if (pcb != nullptr) {
    adopt(stream, pcb);
    const ip_addr_t remote = to_lwip(stream.remote.address);
    err_t error = ERR_OK;
    if (io.queue_count() > 1 && !bind_to_quiet_queue(*this, pcb)) error = ERR_BUF;
    if (error == ERR_OK) error = tcp_connect(pcb, &remote, stream.remote.port, on_connected);
    if (error == ERR_OK) {
      take_place(*this, stream);
      return;
    }
    reason = error == ERR_RTE ? CloseReason::unreachable : CloseReason::out_of_memory;
    tcp_arg(pcb, nullptr);
    tcp_err(pcb, nullptr);
    tcp_abort(pcb);
    stream.pcb = nullptr;
  }
  const StreamId id = stream.id;
  release(stream);
  handler.connect_failed(id, reason);
}

err_t Stack::on_connected(void* argument, tcp_pcb*, err_t) {
  TcpStream& stream = *static_cast<TcpStream*>(argument);
  if (stream.abort_wanted || stream.close_wanted) return ERR_OK;
  stream.state = StreamState::open;
  ++the_stack->counters.streams_opened;
  the_stack->handler.opened(stream.id, stream.remote, Direction::outgoing);
  return ERR_OK;
}

err_t Stack::on_received(void* argument, tcp_pcb* pcb, pbuf* data, err_t) {
  Stack& stack = *the_stack;
  if (argument == nullptr) {  // closed in all but name
    if (data != nullptr) {
      tcp_recved(pcb, data->tot_len);
      pbuf_free(data);
    }
    return ERR_OK;
  }
  TcpStream& stream = *static_cast<TcpStream*>(argument);
  if (data == nullptr) {
    stream.remote_closed = true;
    stack.pend(stream);
    return ERR_OK;
  }
  ++stream.segments_unacknowledged;
  if (stream.unread_first != nullptr) {
    if (stack.unread_buffers >= stack.unread_buffers_max) {
      ++stack.counters.drop_unread_limit;
      return ERR_MEM;
    }
    stack.keep_unread(stream, data);
    return ERR_OK;
  }
  stack.deliver(stream, data);
  return ERR_OK;
}

err_t Stack::on_sent(void* argument, tcp_pcb*, u16_t length) {
  if (argument == nullptr) return ERR_OK;
  TcpStream& stream = *static_cast<TcpStream*>(argument);
  stream.output.acknowledge(length);
  if (stream.output.unsent_bytes() > 0) the_stack->touch(stream);
  const bool has_room = stream.wanted_bytes != 0 && stream.output.has_room(stream.wanted_bytes);
  if (has_room || stream.state == StreamState::lingering) the_stack->pend(stream);
  return ERR_OK;
}

void Stack::on_error(void* argument, err_t error) {
  if (argument == nullptr) return;
  TcpStream& stream = *static_cast<TcpStream*>(argument);
  leave_place(*the_stack, stream);
  stream.pcb = nullptr;  // lwIP has freed it
  stream.has_failed = true;
  const bool was_connecting = stream.state == StreamState::connecting;
  if (error == ERR_RST) {
    stream.reason = was_connecting ? CloseReason::refused : CloseReason::reset;
  } else if (error == ERR_CLSD) {
    stream.reason = CloseReason::remote;
  } else {
    stream.reason = was_connecting ? CloseReason::unreachable : CloseReason::timeout;
  }
  the_stack->pend(stream);
}

// Hands a chain to the handler piece by piece; what is not consumed is kept.
void Stack::deliver(TcpStream& stream, pbuf* chain) {
  pbuf* piece = chain;
  while (piece != nullptr) {
    const bool is_wanted =
        stream.state == StreamState::open && !stream.close_wanted && !stream.abort_wanted;
    std::size_t count = piece->len;
    if (is_wanted && piece->len > 0) {
      stream.is_in_handler = true;
      count = handler.received(stream.id, {static_cast<const u8*>(piece->payload), piece->len});
      stream.is_in_handler = false;
      check(count <= piece->len, "no more is consumed than was offered");
      counters.stream_octets_in += count;
    }
    stream.consumed_bytes += static_cast<u32>(count);
    if (count < piece->len) {
      piece->payload = static_cast<u8*>(piece->payload) + count;
      piece->len = static_cast<u16>(piece->len - count);
      keep_unread(stream, piece);
      break;
    }
    pbuf* const next = piece->next;
    piece->next = nullptr;
    pbuf_free(piece);
    piece = next;
  }
  touch(stream);
}

void Stack::keep_unread(TcpStream& stream, pbuf* chain) {
  if (stream.unread_first == nullptr) {
    stream.unread_first = chain;
  } else {
    stream.unread_last->next = chain;
  }
  for (pbuf* piece = chain; piece != nullptr; piece = piece->next) {
    stream.unread_last = piece;
    ++stream.unread_count;
    ++unread_buffers;
  }
  if (stream.is_stalled) return;
  stream.is_stalled = true;
  stalled.push_back(stream.id.index);
}

void Stack::offer_unread(TcpStream& stream) {
  pbuf* const chain = stream.unread_first;
  if (chain == nullptr) return;
  unread_buffers -= stream.unread_count;
  stream.unread_first = stream.unread_last = nullptr;
  stream.unread_count = 0;
  deliver(stream, chain);
  if (stream.unread_first == nullptr && stream.remote_closed) pend(stream);
}

void Stack::drop_unread(TcpStream& stream) {
  unread_buffers -= stream.unread_count;
  stream.unread_count = 0;
  while (stream.unread_first != nullptr) {
    pbuf* const piece = stream.unread_first;
    stream.unread_first = piece->next;
    piece->next = nullptr;
    stream.consumed_bytes += piece->len;
    pbuf_free(piece);
  }
  stream.unread_last = nullptr;
}

void Stack::offer_stalled() {
  // A stream that stays unread puts itself on the list again, behind those that were there.
  const std::size_t count = stalled.size();
  for (std::size_t i = 0; i < count; ++i) {
    TcpStream& stream = streams[stalled[i]];
    stream.is_stalled = false;
    offer_unread(stream);
  }
  stalled.erase(stalled.begin(), stalled.begin() + static_cast<std::ptrdiff_t>(count));
}

void Stack::settle() {
  // What handlers add meanwhile is for the next turn: no loop between them and us.
  settling.swap(pending);
  for (u32 index : settling) {
    TcpStream& stream = streams[index];
    stream.is_pending = false;
    settle(stream);
  }
  settling.clear();
}

void Stack::settle(TcpStream& stream) {
  switch (stream.state) {
    case StreamState::free:
      return;
    case StreamState::connecting:
      if (stream.has_failed || stream.close_wanted || stream.abort_wanted) {
        return end_stream(stream, stream.has_failed ? stream.reason : CloseReason::local);
      }
      if (stream.pcb == nullptr) begin_connect(stream);
      return;
    case StreamState::lingering:
      return finish_lingering(stream);
    case StreamState::open:
      break;
  }
  if (stream.abort_wanted || stream.close_wanted) return end_stream(stream, CloseReason::local);
  if (stream.has_failed) return end_stream(stream, stream.reason);
  if (stream.wanted_bytes != 0 && stream.output.has_room(stream.wanted_bytes)) {
    stream.wanted_bytes = 0;
    handler.writable(stream.id);
  }
  if (stream.remote_closed && stream.unread_first == nullptr)
    end_stream(stream, CloseReason::remote);
}

// The one place where a handler is told of an end.
void Stack::end_stream(TcpStream& stream, CloseReason reason) {
  const bool was_open = stream.state == StreamState::open;
  const StreamId id = stream.id;
  const bool may_linger = was_open && stream.pcb != nullptr && !stream.abort_wanted;
  drop_unread(stream);
  if (may_linger) {
    stream.state = StreamState::lingering;
    stream.linger_until = now + options.close_linger;
    lingering.push_back(id.index);
    touch(stream);
    pend(stream);
  } else {
    if (stream.pcb != nullptr) {
      tcp_arg(stream.pcb, nullptr);
      tcp_err(stream.pcb, nullptr);
      leave_place(*this, stream);
      tcp_abort(stream.pcb);
      stream.pcb = nullptr;
    }
    release(stream);
  }
  if (was_open) {
    ++counters.streams_closed;
    handler.closed(id, reason);
  } else {
    handler.connect_failed(id, reason);
  }
}

// Gives the connection to lwIP's own ending once all output is acknowledged.
void Stack::finish_lingering(TcpStream& stream) {
  const bool is_due = stream.has_failed || now >= stream.linger_until;
  if (!is_due && stream.output.held_bytes() > 0) return;
  if (stream.pcb != nullptr) {
    flush_stream(stream);
    tcp_pcb* const pcb = stream.pcb;
    stream.pcb = nullptr;
    leave_place(*this, stream);
    tcp_arg(pcb, nullptr);
    tcp_err(pcb, nullptr);
    if (stream.output.held_bytes() > 0 || tcp_close(pcb) != ERR_OK) tcp_abort(pcb);
  }
  std::erase(lingering, stream.id.index);
  release(stream);
}

void Stack::check_lingering() {
  for (u32 index : lingering) {
    if (now >= streams[index].linger_until) pend(streams[index]);
  }
}

// Refers lwIP to what was committed. Returns whether some is left over.
bool Stack::push_output(TcpStream& stream) {
  while (stream.output.unsent_bytes() > 0) {
    const Bytes piece = stream.output.unsent();
    const u32 room = tcp_sndbuf(stream.pcb);
    const u32 count = std::min({static_cast<u32>(piece.size()), room, call_bytes_max});
    if (count == 0) return true;
    const bool more = count < stream.output.unsent_bytes();
    if (tcp_write(stream.pcb, piece.data(), static_cast<u16>(count),
                  more ? TCP_WRITE_FLAG_MORE : 0) != ERR_OK)
      return true;
    stream.output.mark_sent(count);
  }
  return false;
}

void Stack::flush_stream(TcpStream& stream) {
  if (stream.pcb == nullptr || stream.state == StreamState::connecting) return;
  bool is_left_over = push_output(stream);
  for (u32 left = stream.consumed_bytes; left > 0;) {
    const u32 count = std::min(left, call_bytes_max);
    tcp_recved(stream.pcb, static_cast<u16>(count));
    left -= count;
  }
  stream.consumed_bytes = 0;
  // A frame that the port had no room for stays with lwIP: tried again in the next turn.
  if (tcp_output(stream.pcb) != ERR_OK) is_left_over = true;
  // A lone segment may wait for its answer to carry the acknowledgement (or for the timer).
  if ((stream.pcb->flags & TF_ACK_DELAY) != 0 && stream.segments_unacknowledged >= 2) {
    tcp_set_flags(stream.pcb, TF_ACK_NOW);
    tcp_output(stream.pcb);
  }
  if ((stream.pcb->flags & TF_ACK_DELAY) == 0) stream.segments_unacknowledged = 0;
  if (is_left_over) touch(stream);
}

void Stack::flush() {
  flushing.swap(touched);
  for (u32 index : flushing) {
    TcpStream& stream = streams[index];
    stream.is_touched = false;
    flush_stream(stream);
  }
  flushing.clear();
  io.flush();
}

}  // namespace tollgate::dataplane
