// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/server.hh"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace tollgate::control {
namespace {

// True if somebody listens on that socket.
bool is_answering(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const bool connected = ::connect(fd, generic, sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace

Server::~Server() {
  for (auto& [number, client] : clients_) ::close(client.fd);
  if (listen_fd_ < 0) return;
  ::close(listen_fd_);
  ::unlink(path_.c_str());
}

std::string Server::listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fmt::format(
        "the control socket's path '{}' must have 1 to {} octets: choose a shorter "
        "one in the configuration",
        path, sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (is_answering(address)) {
    return fmt::format("another control answers on {}: stop it first", path);
  }
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  ::unlink(path.c_str());
  listen_fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const mode_t before = ::umask(0077);  // who may write to it may move money
  const bool is_bound = listen_fd_ >= 0 && ::bind(listen_fd_, generic, sizeof address) == 0;
  ::umask(before);
  if (!is_bound || ::listen(listen_fd_, 16) != 0) {
    return fmt::format("cannot listen on {}: {}", path, std::strerror(errno));
  }
  path_ = path;
  return {};
}

void Server::poll(int wait_ms) {
  std::vector<pollfd> waits = {{.fd = listen_fd_, .events = POLLIN, .revents = 0}};
  std::vector<u64> numbers = {0};
  for (const auto& [number, client] : clients_) {
    const bool has_output = client.sent < client.output.size();
    const short events = static_cast<short>(has_output ? POLLIN | POLLOUT : POLLIN);
    waits.push_back({.fd = client.fd, .events = events, .revents = 0});
    numbers.push_back(number);
  }
  if (::poll(waits.data(), waits.size(), wait_ms) > 0) {
    if (waits[0].revents != 0) accept_all();
    for (std::size_t i = 1; i < waits.size(); ++i) {
      Client& client = clients_[numbers[i]];
      if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_from(numbers[i], client);
      if ((waits[i].revents & POLLOUT) != 0) write_to(client);
    }
  }
  drop_broken();
}

void Server::accept_all() {
  for (;;) {
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (clients_.size() >= clients_max) {
      ::close(fd);
      continue;
    }
    clients_[next_client_++].fd = fd;
  }
}

void Server::read_from(u64 number, Client& client) {
  char octets[16 * 1024];
  const ssize_t got = ::recv(client.fd, octets, sizeof octets, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    client.is_broken = true;
    return;
  }
  client.input.append({octets, static_cast<std::size_t>(got)});
  std::string line;
  while (!client.is_broken && client.input.next(line)) {
    if (!line.empty()) answer_line(number, line);
  }
  if (!client.input.is_overflowing()) return;
  Reply(0, [&](const Json& told) { client.output += to_line(told) + "\n"; })
      .refuse(refusal::bad_request,
              fmt::format("a request has at most {} octets", request_bytes_max));
  write_to(client);
  client.is_broken = true;
}

void Server::answer_line(u64 number, const std::string& line) {
  Request request;
  const std::string why = parse_request(line, request);
  // The client may be gone when the answer comes: it is looked up by number then.
  const auto is_waiting = [this, number] {
    const auto waiting = clients_.find(number);
    return waiting != clients_.end() && !waiting->second.is_broken;
  };
  const auto send = [this, number, is_waiting](const Json& told) {
    if (!is_waiting()) return;
    Client& waiting = clients_[number];
    waiting.output += to_line(told) + "\n";
    write_to(waiting);
  };
  const Reply reply(request.id, send, is_waiting);
  if (!why.empty()) return reply.refuse(refusal::bad_request, why);
  handle_(request, reply);
}

void Server::write_to(Client& client) {
  while (client.sent < client.output.size()) {
    const ssize_t done = ::send(client.fd, client.output.data() + client.sent,
                                client.output.size() - client.sent, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno != EAGAIN) client.is_broken = true;
    if (done < 0) break;
    client.sent += static_cast<std::size_t>(done);
  }
  if (client.sent == client.output.size()) {
    client.output.clear();
    client.sent = 0;
  }
  if (client.output.size() > output_bytes_max) client.is_broken = true;
}

void Server::drop_broken() {
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (at->second.is_broken) {
      ::close(at->second.fd);
      at = clients_.erase(at);
    } else {
      ++at;
    }
  }
}

}  // namespace tollgate::control
