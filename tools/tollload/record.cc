// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/record.hh"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace tollgate::tollload {

namespace {
constexpr std::size_t buffer_bytes_max = 256_KiB;
}

std::string to_text(const RecordLine& line) {
  std::string out = fmt::format(R"({{"session_id":"{}","type":"{}","number":{},)", line.session_id,
                                name_of(line.type), line.number);
  if (line.result_code == 0) {
    out += R"("unanswered":true,)";
  } else {
    out += fmt::format(R"("result":{},)", line.result_code);
  }
  if (line.was_resent) out += R"("resent":true,)";
  out += fmt::format(R"("{}":{},"granted":{},"msisdn":"{}"}})", text_of(line.service).used_key,
                     line.used, line.granted, line.msisdn);
  return out + "\n";
}

std::unique_ptr<RecordFile> RecordFile::create(const std::string& path, std::string& error) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) {
    error = fmt::format("--record {}: {}", path, std::strerror(errno));
    return nullptr;
  }
  return std::unique_ptr<RecordFile>(new RecordFile(file));
}

RecordFile::~RecordFile() {
  static_cast<void>(finish());
}

void RecordFile::write(const RecordLine& line) {
  buffer_ += to_text(line);
  if (buffer_.size() < buffer_bytes_max) return;
  has_failed_ |= std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size();
  buffer_.clear();
}

bool RecordFile::finish() {
  if (file_ == nullptr) return !has_failed_;
  has_failed_ |= std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size();
  has_failed_ |= std::fclose(file_) != 0;
  file_ = nullptr;
  buffer_.clear();
  return !has_failed_;
}

}  // namespace tollgate::tollload
