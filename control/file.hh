// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Files that must survive: written whole or not at all, and on disk when the call returns.
#pragma once

#include <stdexcept>
#include <string>

#include "base/types.hh"

namespace tollgate::control {

// Which file, what was tried, and why it failed.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class File {
 public:
  File() = default;
  File(const std::string& path, int flags);  // throws FileError
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  u64 size() const;
  void write(std::string_view octets);  // all of them, at the end of the file
  void truncate(u64 bytes);
  void sync();
  void close();

 private:
  int fd_ = -1;
  std::string path_;
};

std::string read_whole(const std::string& path);  // throws FileError
void sync_folder(const std::string& folder);
void rename_file(const std::string& from, const std::string& to);  // and syncs the folder

// The file has the new contents or the old ones, never anything between.
void replace_whole(const std::string& path, std::string_view octets);

}  // namespace tollgate::control
