// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/kernel_transport.hh"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.hh"
#include "dataplane/output_ring.hh"

namespace tollgate::dataplane {

namespace {

constexpr u32 event_max = 256;
constexpr u32 accept_max = 64;  // of one listener in one poll
constexpr u64 listener_mark = u64{1} << 63;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size_bytes = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_kernel(const Endpoint& endpoint) {
  SocketAddress result;
  if (endpoint.address.version == IpVersion::v6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint.port);
    std::memcpy(&in6->sin6_addr, endpoint.address.octets.data(), 16);
    result.size_bytes = sizeof *in6;
  } else {
    auto* in4 = reinterpret_cast<sockaddr_in*>(&result.storage);
    in4->sin_family = AF_INET;
    in4->sin_port = htons(endpoint.port);
    std::memcpy(&in4->sin_addr, endpoint.address.octets.data(), 4);
    result.size_bytes = sizeof *in4;
  }
  return result;
}

Endpoint from_kernel(const sockaddr_storage& storage) {
  Endpoint result;
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    result.port = ntohs(in6.sin6_port);
    result.address.version = IpVersion::v6;
    std::memcpy(result.address.octets.data(), &in6.sin6_addr, 16);
  } else {
    const auto& in4 = reinterpret_cast<const sockaddr_in&>(storage);
    result.port = ntohs(in4.sin_port);
    result.address.version = IpVersion::v4;
    std::memcpy(result.address.octets.data(), &in4.sin_addr, 4);
  }
  return result;
}

CloseReason reason_of(int error, bool is_connecting) {
  switch (error) {
    case ECONNREFUSED:
      return CloseReason::refused;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
      return CloseReason::unreachable;
    case ETIMEDOUT:
      return is_connecting ? CloseReason::unreachable : CloseReason::timeout;
    case ENOBUFS:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return CloseReason::out_of_memory;
    default:
      return is_connecting ? CloseReason::refused : CloseReason::reset;
  }
}

enum class SocketState : u8 { free, connecting, open, lingering };

struct Socket {
  StreamId id;
  int fd = -1;
  SocketState state = SocketState::free;
  bool is_touched = false;
  bool is_pending = false;
  bool is_in_handler = false;
  bool remote_closed = false;
  bool close_wanted = false;
  bool abort_wanted = false;
  bool has_failed = false;
  CloseReason reason = CloseReason::local;
  u32 interest = 0;  // the events that epoll watches
  u32 unread_first = 0;
  u32 unread_end = 0;
  u32 wanted_bytes = 0;
  std::vector<u8> input;
  std::vector<u8> output_memory;
  OutputRing output;
  Instant linger_until;
  Endpoint remote;

  bool wants_input() const {
    return state == SocketState::open && !close_wanted && !abort_wanted && !has_failed;
  }
};

}  // namespace

struct KernelTransport::Sockets {
  Sockets(const KernelOptions& its_options, StreamHandler& its_handler)
      : options(its_options), handler(its_handler), sockets(its_options.stream_count_max) {
    for (u32 i = options.stream_count_max; i-- > 0;) {
      sockets[i].id.index = i;
      free_sockets.push_back(i);
    }
  }

  ~Sockets() {
    for (Socket& socket : sockets) {
      if (socket.fd >= 0) ::close(socket.fd);
    }
    for (int fd : listeners) ::close(fd);
    if (epoll_fd >= 0) ::close(epoll_fd);
  }

  Socket* find(StreamId id) {
    if (!id.is_set() || id.index >= sockets.size()) return nullptr;
    Socket& socket = sockets[id.index];
    if (socket.id.generation != id.generation) return nullptr;
    const bool is_live =
        socket.state == SocketState::open || socket.state == SocketState::connecting;
    return is_live ? &socket : nullptr;
  }

  Socket* allocate();
  void release(Socket& socket);
  void watch(Socket& socket);
  void touch(Socket& socket);
  void pend(Socket& socket);
  void fail(Socket& socket, int error);
  void accept_from(u32 listener);
  void begin_connect(Socket& socket);
  void handle(Socket& socket, u32 events);
  void finish_connect(Socket& socket);
  void read_from(Socket& socket);
  void offer(Socket& socket);
  void settle();
  void settle(Socket& socket);
  void end(Socket& socket, CloseReason reason);
  void finish_lingering(Socket& socket);
  void flush();
  std::size_t poll(Instant at);

  KernelOptions options;
  StreamHandler& handler;
  TransportCounters counters{};
  int epoll_fd = -1;
  std::vector<int> listeners;
  std::vector<Socket> sockets;
  std::vector<u32> free_sockets;
  std::vector<u32> touched;
  std::vector<u32> flushing;
  std::vector<u32> pending;
  std::vector<u32> settling;
  Instant now;
};

Socket* KernelTransport::Sockets::allocate() {
  if (free_sockets.empty()) {
    ++counters.refused_streams_full;
    return nullptr;
  }
  Socket& socket = sockets[free_sockets.back()];
  free_sockets.pop_back();
  check(socket.state == SocketState::free, "a free socket is free");
  Socket fresh;
  fresh.id = {.index = socket.id.index, .generation = std::max(socket.id.generation + 1, 1u)};
  fresh.is_touched = socket.is_touched;
  fresh.is_pending = socket.is_pending;
  fresh.input = std::move(socket.input);
  fresh.output_memory = std::move(socket.output_memory);
  fresh.input.resize(options.input_bytes_per_stream);
  fresh.output_memory.resize(options.output_bytes_per_stream);
  socket = std::move(fresh);
  socket.output.attach(socket.output_memory);
  return &socket;
}

void KernelTransport::Sockets::release(Socket& socket) {
  if (socket.fd >= 0) ::close(socket.fd);
  socket.fd = -1;
  socket.state = SocketState::free;
  free_sockets.push_back(socket.id.index);
}

// Tells epoll what the socket waits for, if that has changed.
void KernelTransport::Sockets::watch(Socket& socket) {
  if (socket.fd < 0) return;
  u32 interest = 0;
  const bool has_room = socket.unread_end - socket.unread_first < socket.input.size();
  if (socket.state == SocketState::open && has_room && !socket.remote_closed) interest |= EPOLLIN;
  if (socket.state == SocketState::connecting) interest |= EPOLLOUT;
  if (socket.output.unsent_bytes() > 0) interest |= EPOLLOUT;
  if (interest == socket.interest) return;
  epoll_event event{};
  event.events = interest;
  event.data.u64 = socket.id.index;
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, socket.fd, &event);
  socket.interest = interest;
}

void KernelTransport::Sockets::touch(Socket& socket) {
  if (socket.is_touched) return;
  socket.is_touched = true;
  touched.push_back(socket.id.index);
}

void KernelTransport::Sockets::pend(Socket& socket) {
  if (socket.is_pending) return;
  socket.is_pending = true;
  pending.push_back(socket.id.index);
}

void KernelTransport::Sockets::fail(Socket& socket, int error) {
  if (socket.has_failed) return;
  socket.has_failed = true;
  socket.reason = reason_of(error, socket.state == SocketState::connecting);
  pend(socket);
}

void KernelTransport::Sockets::accept_from(u32 listener) {
  for (u32 i = 0; i < accept_max; ++i) {
    SocketAddress peer;
    peer.size_bytes = sizeof peer.storage;
    const int fd =
        accept4(listeners[listener], peer.get(), &peer.size_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    Socket* socket = allocate();
    if (socket == nullptr) {
      const linger now_and_hard{.l_onoff = 1, .l_linger = 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_and_hard, sizeof now_and_hard);
      ::close(fd);
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socket->fd = fd;
    socket->state = SocketState::open;
    socket->remote = from_kernel(peer.storage);
    epoll_event event{};
    event.data.u64 = socket->id.index;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    watch(*socket);
    ++counters.streams_opened;
    handler.opened(socket->id, socket->remote, Direction::incoming);
  }
}

void KernelTransport::Sockets::begin_connect(Socket& socket) {
  SocketAddress peer = to_kernel(socket.remote);
  socket.fd = ::socket(peer.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket.fd < 0) return fail(socket, errno);
  const int on = 1;
  setsockopt(socket.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int result = ::connect(socket.fd, peer.get(), peer.size_bytes);
  if (result != 0 && errno != EINPROGRESS) return fail(socket, errno);
  epoll_event event{};
  event.data.u64 = socket.id.index;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, socket.fd, &event);
  watch(socket);
}

void KernelTransport::Sockets::finish_connect(Socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(socket, error);
  socket.state = SocketState::open;
  watch(socket);
  ++counters.streams_opened;
  handler.opened(socket.id, socket.remote, Direction::outgoing);
}

void KernelTransport::Sockets::handle(Socket& socket, u32 events) {
  if (socket.state == SocketState::free || socket.has_failed) return;
  if (socket.state == SocketState::connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connect(socket);
    return;
  }
  if ((events & EPOLLOUT) != 0) touch(socket);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && socket.wants_input()) read_from(socket);
  if ((events & EPOLLERR) != 0 && socket.state == SocketState::lingering) fail(socket, EPIPE);
}

void KernelTransport::Sockets::read_from(Socket& socket) {
  if (socket.remote_closed) return;
  if (socket.unread_first > 0) {
    const u32 count = socket.unread_end - socket.unread_first;
    std::memmove(socket.input.data(), socket.input.data() + socket.unread_first, count);
    socket.unread_first = 0;
    socket.unread_end = count;
  }
  const std::size_t room = socket.input.size() - socket.unread_end;
  if (room == 0) return;
  const ssize_t count = recv(socket.fd, socket.input.data() + socket.unread_end, room, 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(socket, errno);
    return;
  }
  if (count == 0) {
    socket.remote_closed = true;
    watch(socket);
    return pend(socket);
  }
  ++counters.frames_in;
  counters.octets_in += static_cast<u64>(count);
  socket.unread_end += static_cast<u32>(count);
  offer(socket);
}

void KernelTransport::Sockets::offer(Socket& socket) {
  if (!socket.wants_input() || socket.unread_first == socket.unread_end) return;
  const Bytes chunk{socket.input.data() + socket.unread_first,
                    socket.unread_end - socket.unread_first};
  socket.is_in_handler = true;
  const std::size_t count = handler.received(socket.id, chunk);
  socket.is_in_handler = false;
  check(count <= chunk.size(), "no more is consumed than was offered");
  counters.stream_octets_in += count;
  socket.unread_first += static_cast<u32>(count);
  if (socket.unread_first == socket.unread_end) socket.unread_first = socket.unread_end = 0;
  if (socket.unread_end > 0 || socket.remote_closed) pend(socket);
  watch(socket);
}

void KernelTransport::Sockets::settle() {
  settling.swap(pending);
  for (u32 index : settling) {
    sockets[index].is_pending = false;
    settle(sockets[index]);
  }
  settling.clear();
}

void KernelTransport::Sockets::settle(Socket& socket) {
  switch (socket.state) {
    case SocketState::free:
      return;
    case SocketState::connecting:
      if (socket.close_wanted || socket.abort_wanted) return end(socket, CloseReason::local);
      if (!socket.has_failed && socket.fd < 0) begin_connect(socket);
      if (socket.has_failed) end(socket, socket.reason);
      return;
    case SocketState::lingering:
      return finish_lingering(socket);
    case SocketState::open:
      break;
  }
  offer(socket);
  if (socket.close_wanted || socket.abort_wanted) return end(socket, CloseReason::local);
  if (socket.has_failed) return end(socket, socket.reason);
  if (socket.wanted_bytes != 0 && socket.output.has_room(socket.wanted_bytes)) {
    socket.wanted_bytes = 0;
    handler.writable(socket.id);
  }
  if (socket.remote_closed && socket.unread_end == 0) end(socket, CloseReason::remote);
}

void KernelTransport::Sockets::end(Socket& socket, CloseReason reason) {
  const bool was_open = socket.state == SocketState::open;
  const StreamId id = socket.id;
  if (was_open && !socket.has_failed && !socket.abort_wanted) {
    socket.state = SocketState::lingering;
    socket.linger_until = now + options.close_linger;
    touch(socket);
    pend(socket);
  } else {
    if (was_open && socket.abort_wanted) {
      const linger now_and_hard{.l_onoff = 1, .l_linger = 0};
      setsockopt(socket.fd, SOL_SOCKET, SO_LINGER, &now_and_hard, sizeof now_and_hard);
    }
    release(socket);
  }
  if (was_open) {
    ++counters.streams_closed;
    handler.closed(id, reason);
  } else {
    handler.connect_failed(id, reason);
  }
}

void KernelTransport::Sockets::finish_lingering(Socket& socket) {
  const bool is_due = socket.has_failed || now >= socket.linger_until;
  if (!is_due && socket.output.unsent_bytes() > 0) return pend(socket);
  // Closing over unread input would reset the connection, and the peer lose our last octets.
  shutdown(socket.fd, SHUT_WR);
  for (u32 i = 0; i < 16; ++i) {
    if (recv(socket.fd, socket.input.data(), socket.input.size(), MSG_DONTWAIT) <= 0) break;
  }
  release(socket);
}

void KernelTransport::Sockets::flush() {
  flushing.swap(touched);
  for (u32 index : flushing) {
    Socket& socket = sockets[index];
    socket.is_touched = false;
    const bool may_send =
        socket.state == SocketState::open || socket.state == SocketState::lingering;
    if (!may_send || socket.has_failed || socket.fd < 0) continue;
    while (socket.output.unsent_bytes() > 0) {
      const Bytes piece = socket.output.unsent();
      const ssize_t count = send(socket.fd, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) fail(socket, errno);
      if (count <= 0) break;
      socket.output.mark_sent(static_cast<std::size_t>(count));
      socket.output.acknowledge(static_cast<std::size_t>(count));
      ++counters.frames_out;
      counters.octets_out += static_cast<u64>(count);
    }
    if (socket.wanted_bytes != 0 && socket.output.has_room(socket.wanted_bytes)) pend(socket);
    watch(socket);
  }
  flushing.clear();
}

std::size_t KernelTransport::Sockets::poll(Instant at) {
  now = std::max(now, at);
  std::array<epoll_event, event_max> events;
  const bool is_idle = pending.empty() && touched.empty();
  const int wait_ms = is_idle ? static_cast<int>(options.wait_max.whole_milliseconds()) : 0;
  const int count = epoll_wait(epoll_fd, events.data(), event_max, wait_ms);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if ((event.data.u64 & listener_mark) != 0) {
      accept_from(static_cast<u32>(event.data.u64));
    } else {
      handle(sockets[event.data.u64], event.events);
    }
  }
  settle();
  flush();
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

KernelTransport::KernelTransport(std::unique_ptr<Sockets> sockets) : sockets_(std::move(sockets)) {}
KernelTransport::~KernelTransport() = default;

std::unique_ptr<KernelTransport> KernelTransport::create(const KernelOptions& options,
                                                         StreamHandler& handler,
                                                         std::string& error) {
  auto sockets = std::make_unique<Sockets>(options, handler);
  sockets->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (sockets->epoll_fd < 0) {
    error = fmt::format("cannot make an epoll set ({})", std::strerror(errno));
    return nullptr;
  }
  return std::unique_ptr<KernelTransport>(new KernelTransport(std::move(sockets)));
}

std::string KernelTransport::listen(const Endpoint& local) {
  Endpoint endpoint = local;
  if (!endpoint.address.is_set()) endpoint.address.version = IpVersion::v6;
  SocketAddress address = to_kernel(endpoint);
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fmt::format("cannot make a socket ({})", std::strerror(errno));
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!local.address.is_set()) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, address.get(), address.size_bytes) != 0 || ::listen(fd, 1024) != 0) {
    const std::string error =
        fmt::format("cannot listen on {} ({})", to_text(local), std::strerror(errno));
    ::close(fd);
    return error;
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = listener_mark | sockets_->listeners.size();
  epoll_ctl(sockets_->epoll_fd, EPOLL_CTL_ADD, fd, &event);
  sockets_->listeners.push_back(fd);
  return {};
}

StreamId KernelTransport::connect(const Endpoint& remote) {
  Socket* socket = sockets_->allocate();
  if (socket == nullptr) return {};
  socket->state = SocketState::connecting;
  socket->remote = remote;
  sockets_->pend(*socket);
  return socket->id;
}

MutableBytes KernelTransport::reserve(StreamId id, std::size_t size_bytes) {
  Socket* socket = sockets_->find(id);
  if (socket == nullptr || !socket->wants_input()) return {};
  const MutableBytes room = socket->output.reserve(size_bytes);
  if (room.empty() && size_bytes != 0) {
    check(size_bytes <= sockets_->options.output_bytes_per_stream,
          "a message fits into the output of a stream");
    ++sockets_->counters.refused_output_full;
    socket->wanted_bytes = static_cast<u32>(size_bytes);
  }
  return room;
}

void KernelTransport::commit(StreamId id, std::size_t size_bytes) {
  Socket* socket = sockets_->find(id);
  if (socket == nullptr) return;
  socket->output.commit(size_bytes);
  sockets_->counters.stream_octets_out += size_bytes;
  sockets_->touch(*socket);
}

void KernelTransport::flush() {
  sockets_->flush();
}

void KernelTransport::resume(StreamId id) {
  Socket* socket = sockets_->find(id);
  if (socket != nullptr && !socket->is_in_handler) sockets_->offer(*socket);
}

void KernelTransport::close(StreamId id) {
  Socket* socket = sockets_->find(id);
  if (socket == nullptr) return;
  socket->close_wanted = true;
  sockets_->pend(*socket);
}

void KernelTransport::abort(StreamId id) {
  Socket* socket = sockets_->find(id);
  if (socket == nullptr) return;
  socket->abort_wanted = true;
  sockets_->pend(*socket);
}

std::size_t KernelTransport::poll(Instant now) {
  return sockets_->poll(now);
}

std::size_t KernelTransport::stream_count() const {
  return sockets_->sockets.size() - sockets_->free_sockets.size();
}

const TransportCounters& KernelTransport::counters() const {
  return sockets_->counters;
}

}  // namespace tollgate::dataplane
