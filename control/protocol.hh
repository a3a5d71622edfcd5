// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The protocol between control and its clients: JSON lines over a unix socket.
//
//   client:   {"id":7,"verb":"account.show","args":{"who":"msisdn:46701234567"}}
//   control:  {"id":7,"progress":{...}}                      any number, for long work
//             {"id":7,"ok":true,"result":{...}}              or
//             {"id":7,"ok":false,"outcome":"account_unknown","message":"..."}
//
// Each request gets exactly one final line; lines of several requests may cross. `outcome` is a
// name of ledger/outcome.hh, or one of the names below for what control refuses itself.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "control/json.hh"

namespace tollgate::control {

inline constexpr std::size_t request_bytes_max = 1_MiB;

namespace refusal {
inline constexpr std::string_view bad_request = "bad_request";  // the line or an argument is wrong
inline constexpr std::string_view unknown_verb = "unknown_verb";
inline constexpr std::string_view not_there = "not_there";  // this appliance has no such thing
inline constexpr std::string_view bad_file = "bad_file";    // mistakes in a file: see `mistakes`
inline constexpr std::string_view no_answer = "no_answer";  // the core did not answer in time
inline constexpr std::string_view busy = "busy";            // work of this kind is going on
inline constexpr std::string_view internal = "internal";    // the database failed: see the log
}  // namespace refusal

// Thrown by a handler that refuses; becomes the final line.
struct Refused : std::runtime_error {
  Refused(std::string_view outcome_name, const std::string& message, Json more = {})
      : std::runtime_error(message), outcome(outcome_name), extra(std::move(more)) {}
  std::string outcome;
  Json extra;  // further members of the final line
};

struct Request {
  u64 id = 0;
  std::string verb;
  Json args;
};

// Reads one line. On failure returns what is wrong with it; on success an empty text. `id` is set
// as soon as it could be read. Any octets may be given.
[[nodiscard]] std::string parse_request(std::string_view line, Request& request);

// Cuts what arrives on a socket into lines.
class LineBuffer {
 public:
  void append(std::string_view octets) { pending_.append(octets); }
  // The next whole line without its newline; false if there is none yet.
  bool next(std::string& line);
  // More has arrived without a newline than a request may have.
  bool is_overflowing() const { return pending_.size() - begin_ > request_bytes_max; }

 private:
  std::string pending_;
  std::size_t begin_ = 0;     // of the line that is being read
  std::size_t searched_ = 0;  // no newline before it
};

// The way back to the client that asked; may be copied and kept until the work is done.
class Reply {
 public:
  using Send = std::function<void(const Json& line)>;
  using IsWaiting = std::function<bool()>;
  Reply(u64 id, Send send, IsWaiting is_waiting = nullptr)
      : id_(id), send_(std::move(send)), is_waiting_(std::move(is_waiting)) {}

  // False once the client has gone: nobody will read what is told.
  bool is_waiting() const { return !is_waiting_ || is_waiting_(); }
  void ok(Json result) const;
  void refuse(std::string_view outcome, std::string_view message, const Json& extra = {}) const;
  void refuse(const Refused& refused) const {
    refuse(refused.outcome, refused.what(), refused.extra);
  }
  void progress(Json state) const;

 private:
  u64 id_;
  Send send_;
  IsWaiting is_waiting_;
};

// Arguments of a request, read with their mistakes told by name.
class Arguments {
 public:
  explicit Arguments(const Json& args) : args_(args) {}

  bool has(std::string_view name) const { return args_.contains(name); }
  std::string text(std::string_view name) const;  // throws Refused if there is none
  std::string text_or(std::string_view name, std::string_view otherwise) const;
  u64 number_or(std::string_view name, u64 otherwise) const;
  std::vector<std::string> texts(std::string_view name) const;  // may be absent

 private:
  const Json& args_;
};

}  // namespace tollgate::control
