// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/file.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace tollgate::control {
namespace {

[[noreturn]] void fail(std::string_view doing, const std::string& path) {
  throw FileError(fmt::format("cannot {} {}: {}", doing, path, std::strerror(errno)));
}

}  // namespace

File::File(const std::string& path, int flags) : path_(path) {
  fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
  if (fd_ < 0) fail("open", path);
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  close();
}

void File::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

u64 File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail("look at", path_);
  return static_cast<u64>(status.st_size);
}

void File::write(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(fd_, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("write to", path_);
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
}

void File::truncate(u64 bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) fail("cut", path_);
}

void File::sync() {
  if (::fdatasync(fd_) != 0) fail("sync", path_);
}

std::string read_whole(const std::string& path) {
  const File file(path, O_RDONLY);
  std::string octets(file.size(), '\0');
  std::size_t at = 0;
  while (at < octets.size()) {
    const ssize_t got = ::read(file.fd(), octets.data() + at, octets.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    if (got == 0) break;
    at += static_cast<std::size_t>(got);
  }
  octets.resize(at);
  return octets;
}

void sync_folder(const std::string& folder) {
  const File opened(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(opened.fd()) != 0) fail("sync", folder);
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename", from);
  sync_folder(std::filesystem::path(to).parent_path().string());
}

void replace_whole(const std::string& path, std::string_view octets) {
  const std::string fresh = path + ".new";
  {
    File file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    file.write(octets);
    file.sync();
  }
  rename_file(fresh, path);
}

}  // namespace tollgate::control
