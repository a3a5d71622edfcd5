// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/journal_segments.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/check.hh"
#include "base/hash.hh"

namespace tollgate::ledger {
namespace {

namespace fs = std::filesystem;

std::string reason() {
  return std::strerror(errno);
}

struct FreeAligned {
  void operator()(u8* memory) const { std::free(memory); }
};
using Pages = std::unique_ptr<u8[], FreeAligned>;

Pages zero_pages(u64 bytes) {
  Pages pages(static_cast<u8*>(std::aligned_alloc(page_bytes, bytes)));
  check(pages != nullptr, "memory for a buffer of pages");
  std::memset(pages.get(), 0, bytes);
  return pages;
}

u32 header_crc(const SegmentHeader& header) {
  return crc32c(Bytes(reinterpret_cast<const u8*>(&header), offsetof(SegmentHeader, crc)));
}

bool sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_synced = ::fsync(fd) == 0;
  ::close(fd);
  return is_synced;
}

// The value of `"key": number` in a text of our own making.
bool read_number(const std::string& text, std::string_view key, u64& value) {
  const std::size_t at = text.find(fmt::format("\"{}\":", key));
  if (at == std::string::npos) return false;
  const char* begin = text.c_str() + at + key.size() + 3;
  while (*begin == ' ') ++begin;
  return std::from_chars(begin, text.c_str() + text.size(), value).ec == std::errc();
}

std::string identity_path(const std::string& folder) {
  return folder + "/appliance.json";
}

// Fills the file with zeros and puts the header on its first page. Past the page cache: the file is
// made beside a running appliance, whose cores have better to do than to copy zeros.
std::string fill_segment(int fd, const SegmentHeader& header) {
  constexpr u64 chunk_bytes = 1_MiB;
  const Pages pages = zero_pages(chunk_bytes);
  std::memcpy(pages.get(), &header, sizeof header);
  for (u64 at = 0; at < header.bytes; at += chunk_bytes) {
    const u64 bytes = std::min(chunk_bytes, header.bytes - at);
    const ssize_t put = ::pwrite(fd, pages.get(), bytes, static_cast<off_t>(at));
    if (put < 0) return reason();
    if (put != static_cast<ssize_t>(bytes)) return "the disk is full";
    if (at == 0) std::memset(pages.get(), 0, sizeof header);
  }
  return ::fsync(fd) == 0 ? std::string() : reason();
}

}  // namespace

std::string JournalFolder::open() {
  std::ifstream file(identity_path(path));
  if (!file) return fmt::format("{} is not a journal folder: it has no appliance.json", path);
  std::stringstream text;
  text << file.rdbuf();
  u64 layout = 0;
  u64 streams = 0;
  if (!read_number(text.str(), "layout", layout) || !read_number(text.str(), "streams", streams) ||
      !read_number(text.str(), "appliance", appliance) ||
      !read_number(text.str(), "segment_bytes", segment_bytes)) {
    return fmt::format("{} is damaged: expected layout, appliance, streams and segment_bytes",
                       identity_path(path));
  }
  if (layout != journal_layout) {
    return fmt::format(
        "the journal in {} has layout {}, this program knows layout {}; start the "
        "program that wrote it, or choose another folder",
        path, layout, journal_layout);
  }
  stream_count = static_cast<u32>(streams);
  return {};
}

std::string JournalFolder::open_or_create() {
  const JournalFolder wanted = *this;
  std::error_code failure;
  fs::create_directories(path, failure);
  if (failure) return fmt::format("cannot make the folder {}: {}", path, failure.message());
  if (fs::exists(identity_path(path))) {
    const std::string why = open();
    if (!why.empty()) return why;
    if (stream_count != wanted.stream_count || segment_bytes != wanted.segment_bytes) {
      return fmt::format(
          "the journal in {} was made with {} streams of {} MiB segments, the configuration says "
          "{} and {} MiB; set them back, or choose another folder",
          path, stream_count, segment_bytes >> 20, wanted.stream_count, wanted.segment_bytes >> 20);
    }
    return {};
  }
  if (::getrandom(&appliance, sizeof appliance, 0) != sizeof appliance) return reason();
  appliance &= INT64_MAX;
  const std::string temporary = identity_path(path) + ".new";
  const std::string text =
      fmt::format("{{\"layout\": {}, \"appliance\": {}, \"streams\": {}, \"segment_bytes\": {}}}\n",
                  journal_layout, appliance, stream_count, segment_bytes);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fmt::format("cannot write {}: {}", temporary, reason());
  const bool is_written =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(fd) == 0;
  ::close(fd);
  if (!is_written || ::rename(temporary.c_str(), identity_path(path).c_str()) != 0 ||
      !sync_folder(path)) {
    return fmt::format("cannot write {}: {}", identity_path(path), reason());
  }
  return {};
}

std::string segment_path(const std::string& folder, u32 stream, u64 number) {
  return fmt::format("{}/{}-{:08}.tgj", folder, stream, number);
}

std::vector<u64> list_segments(const std::string& folder, u32 stream) {
  std::vector<u64> numbers;
  const std::string prefix = fmt::format("{}-", stream);
  std::error_code failure;
  for (const auto& file : fs::directory_iterator(folder, failure)) {
    const std::string name = file.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(".tgj")) continue;
    u64 number = 0;
    const char* end = name.c_str() + name.size() - 4;
    const auto parsed = std::from_chars(name.c_str() + prefix.size(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string make_segment(const JournalFolder& folder, u32 stream, u64 number) {
  const std::string path = segment_path(folder.path, stream, number);
  const std::string temporary = path + ".new";
  SegmentHeader header{.stream = static_cast<u16>(stream),
                       .number = number,
                       .bytes = folder.segment_bytes,
                       .appliance = folder.appliance};
  header.crc = header_crc(header);
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
  if (fd < 0) return fmt::format("cannot make {}: {}", temporary, reason());
  std::string why = fill_segment(fd, header);
  ::close(fd);
  if (why.empty() && ::rename(temporary.c_str(), path.c_str()) != 0) why = reason();
  if (why.empty() && !sync_folder(folder.path)) why = reason();
  if (why.empty()) return {};
  ::unlink(temporary.c_str());
  return fmt::format("cannot write {} MiB of journal to {}: {}", folder.segment_bytes >> 20, path,
                     why);
}

std::string recycle_segment(const JournalFolder& folder, u32 stream, u64 old_number, u64 number) {
  const std::string path = segment_path(folder.path, stream, number);
  const std::string temporary = path + ".new";
  const std::string old_path = segment_path(folder.path, stream, old_number);
  SegmentHeader header;
  std::string why = read_segment_header(folder, stream, old_number, header);
  if (!why.empty()) return why;
  header.number = number;
  header.crc = header_crc(header);
  if (::rename(old_path.c_str(), temporary.c_str()) != 0) {
    return fmt::format("cannot use {} again: {}", old_path, reason());
  }
  const int fd = ::open(temporary.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  const Pages page = zero_pages(page_bytes);
  std::memcpy(page.get(), &header, sizeof header);
  const bool is_written =
      fd >= 0 && ::pwrite(fd, page.get(), page_bytes, 0) == ssize_t{page_bytes} && ::fsync(fd) == 0;
  if (!is_written) why = reason();
  if (fd >= 0) ::close(fd);
  if (why.empty() && ::rename(temporary.c_str(), path.c_str()) != 0) why = reason();
  if (why.empty() && !sync_folder(folder.path)) why = reason();
  return why.empty() ? std::string() : fmt::format("cannot use {} again: {}", old_path, why);
}

std::string read_segment_header(const JournalFolder& folder, u32 stream, u64 number,
                                SegmentHeader& header) {
  const std::string path = segment_path(folder.path, stream, number);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fmt::format("cannot open {}: {}", path, reason());
  const ssize_t got = ::pread(fd, &header, sizeof header, 0);
  const std::string read_failure = got < 0 ? reason() : std::string();
  struct stat status {};
  const bool has_status = ::fstat(fd, &status) == 0;
  ::close(fd);
  if (got < 0 || !has_status) return fmt::format("cannot read {}: {}", path, read_failure);
  if (got != static_cast<ssize_t>(sizeof header)) return fmt::format("{} is cut short", path);
  if (header.magic != segment_magic) return fmt::format("{} is not a journal segment", path);
  if (header.layout != journal_layout) {
    return fmt::format("{} has layout {}, this program knows layout {}", path, header.layout,
                       journal_layout);
  }
  if (header.crc != header_crc(header)) return fmt::format("the header of {} is damaged", path);
  if (header.appliance != folder.appliance) {
    return fmt::format("{} belongs to another appliance", path);
  }
  if (header.stream != stream || header.number != number) {
    return fmt::format(
        "{} says of itself that it is segment {} of stream {}: it was moved or renamed", path,
        header.number, header.stream);
  }
  if (header.bytes != folder.segment_bytes) {
    return fmt::format(
        "{} says of itself that it has {} octets, the segments of this folder have {}", path,
        header.bytes, folder.segment_bytes);
  }
  if (static_cast<u64>(status.st_size) != header.bytes) {
    return fmt::format("{} is cut short: it has {} octets of {}", path, status.st_size,
                       header.bytes);
  }
  return {};
}

std::string SegmentKeeper::make(u64 number) {
  while (!spares_.empty()) {
    const u64 spare = spares_.front();
    spares_.erase(spares_.begin());
    if (recycle_segment(folder_, stream_, spare, number).empty()) return {};
  }
  return make_segment(folder_, stream_, number);
}

std::string SegmentKeeper::keep_ahead(u64 current) {
  // What lies before `current` is history: a gap there is for recovery to refuse, not to fill.
  if (made_until_ + 1 < current) made_until_ = current - 1;
  for (; made_until_ < current + ahead_count_; ++made_until_) {
    if (fs::exists(segment_path(folder_.path, stream_, made_until_ + 1))) continue;
    std::string why = make(made_until_ + 1);
    if (!why.empty()) return why;
  }
  return {};
}

// The lowest go first: what stays is an unbroken row.
void SegmentKeeper::free_below(u64 oldest_needed) {
  if (oldest_needed <= freed_below_) return;
  freed_below_ = oldest_needed;
  spares_.clear();
  for (const u64 number : list_segments(folder_.path, stream_)) {
    if (number < oldest_needed) spares_.push_back(number);
  }
  while (spares_.size() > ahead_count_) {
    ::unlink(segment_path(folder_.path, stream_, spares_.front()).c_str());
    spares_.erase(spares_.begin());
  }
}

}  // namespace tollgate::ledger
