// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// RecordFile: a line of JSON for each request, so that a checker can tell what the accounts must
// hold.
//
// What was answered has moved money once, and what was sent but not answered once or not at all:
//
//   {"session_id":"...","type":"update","number":3,"result":2001,"used_octets":10000,
//    "granted":1000000,"msisdn":"46700000001"}
//   {"session_id":"...","type":"update","number":4,"unanswered":true,"used_octets":10000,
//    "granted":0,"msisdn":"46700000001"}
//
// The usage has the key used_octets, used_seconds or events, as the service goes.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/types.hh"
#include "tools/tollload/service.hh"

namespace tollgate::tollload {

struct RecordLine {
  std::string_view session_id;
  Service service{};
  RequestType type{};
  u32 number = 0;
  u32 result_code = 0;  // 0: unanswered
  u32 used = 0;
  u32 granted = 0;
  u64 msisdn = 0;
  bool was_resent = false;
};
std::string to_text(const RecordLine& line);

class RecordFile {
 public:
  // Makes the file new. Returns nothing and sets `error` if it cannot be made.
  static std::unique_ptr<RecordFile> create(const std::string& path, std::string& error);
  ~RecordFile();

  void write(const RecordLine& line);
  // Whether all that was written is in the file; closes it.
  [[nodiscard]] bool finish();

 private:
  explicit RecordFile(std::FILE* file) : file_(file) {}
  std::FILE* file_;
  std::string buffer_;
  bool has_failed_ = false;
};

}  // namespace tollgate::tollload
