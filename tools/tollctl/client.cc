// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/client.hh"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tollgate::tollctl {

Client::Client(const std::string& socket_path) : socket_path_(socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    throw NoAppliance(fmt::format("the socket's path is too long: {}", socket_path));
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (fd_ < 0 || ::connect(fd_, generic, sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    if (fd_ >= 0) ::close(fd_);
    throw NoAppliance(
        fmt::format("no appliance answers on {} ({}): is tollgate running?", socket_path, why));
  }
}

Client::~Client() {
  ::close(fd_);
}

Json Client::call(const std::string& verb, const Json& args, const Progress& progress) {
  const u64 id = next_id_++;
  std::string request = control::to_line(Json{{"id", id}, {"verb", verb}, {"args", args}}) + "\n";
  std::string_view left = request;
  while (!left.empty()) {
    const ssize_t sent = ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) throw NoAppliance("the appliance closed the connection");
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  for (;;) {
    const auto line = control::parse_json(read_line());
    if (!line || line->value("id", u64{0}) != id) continue;
    if (line->contains("progress")) {
      if (progress) progress((*line)["progress"]);
      continue;
    }
    if (line->value("ok", false)) return (*line)["result"];
    throw control::Refused(line->value("outcome", "unknown"), line->value("message", ""), *line);
  }
}

std::string Client::read_line() {
  std::string line;
  while (!input_.next(line)) {
    char octets[64 * 1024];
    const ssize_t got = ::recv(fd_, octets, sizeof octets, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw NoAppliance("the appliance closed the connection before it answered");
    input_.append({octets, static_cast<std::size_t>(got)});
  }
  return line;
}

}  // namespace tollgate::tollctl
