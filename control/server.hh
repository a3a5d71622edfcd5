// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Server: the unix socket that clients of control connect to; several at a time, none waits for
// another. It cuts what arrives into requests and sends answers back; what they mean is the
// caller's.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "control/protocol.hh"

namespace tollgate::control {

class Server {
 public:
  using Handle = std::function<void(const Request& request, const Reply& reply)>;

  explicit Server(Handle handle) : handle_(std::move(handle)) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // A socket that a dead control left behind is replaced; one that answers is not. Returns an empty
  // text, or why not.
  [[nodiscard]] std::string listen(const std::string& path);

  // Waits at most `wait_ms` for anything to happen, and deals with it.
  void poll(int wait_ms);

  std::size_t client_count() const { return clients_.size(); }

 private:
  struct Client {
    int fd = -1;
    LineBuffer input;
    std::string output;
    std::size_t sent = 0;
    bool is_broken = false;
  };
  void accept_all();
  void read_from(u64 number, Client& client);
  void answer_line(u64 number, const std::string& line);
  void write_to(Client& client);
  void drop_broken();

  static constexpr std::size_t clients_max = 64;
  static constexpr std::size_t output_bytes_max = 64_MiB;  // a client that reads nothing is dropped

  Handle handle_;
  std::string path_;
  int listen_fd_ = -1;
  u64 next_client_ = 1;
  std::map<u64, Client> clients_;
};

}  // namespace tollgate::control
