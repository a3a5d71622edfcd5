// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/journal_reader.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/check.hh"
#include "base/hash.hh"

namespace tollgate::ledger {
namespace {

Bytes header_bytes(const GroupHeader& header) {
  return {reinterpret_cast<const u8*>(&header), sizeof header};
}

bool is_whole(const GroupHeader& header, u64 appliance, u32 stream) {
  return header.magic == group_magic && header.layout == journal_layout &&
         header.appliance == appliance && header.stream == stream &&
         header.payload_bytes <= group_bytes_max - sizeof header &&
         header.header_crc == crc32c(header_bytes(header).first(offsetof(GroupHeader, header_crc)));
}

void free_window(u8* memory) {
  std::free(memory);
}

}  // namespace

JournalReader::JournalReader(JournalFolder folder, u32 stream, const JournalPosition& from)
    : folder_(std::move(folder)),
      stream_(stream),
      position_(from),
      window_(static_cast<u8*>(std::aligned_alloc(page_bytes, read_bytes + group_bytes_max)),
              free_window) {
  static_assert(read_bytes >= group_bytes_max, "one read is enough for a group");
  check(window_ != nullptr, "memory for the reader's window");
}

JournalReader::~JournalReader() {
  if (fd_ >= 0) ::close(fd_);
}

// False if it is not there, and with error() set if it is and cannot be what it should be.
bool JournalReader::open_segment(u64 number) {
  if (fd_ >= 0 && open_number_ == number) return true;
  if (fd_ >= 0) ::close(fd_);
  window_filled_ = 0;
  const std::string path = segment_path(folder_.path, stream_, number);
  fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  open_number_ = number;
  if (fd_ < 0) {
    if (errno != ENOENT) error_ = fmt::format("cannot open {}: {}", path, std::strerror(errno));
    return false;
  }
  SegmentHeader header;
  std::string why = read_segment_header(folder_, stream_, number, header);
  if (why.empty()) return true;
  error_ = std::move(why);
  ::close(fd_);
  fd_ = -1;
  return false;
}

// Has [offset, offset + bytes) in the window; what is there of it already is kept, and read on
// behind. What was seen before may be old: where a group is not found the caller drops the window.
// A disk that does not read is a failure, and not the end.
bool JournalReader::load(u64 offset, u64 bytes) {
  const u64 window_end = window_at_ + window_filled_;
  if (offset >= window_at_ && offset + bytes <= window_end) return true;
  if (offset + bytes > folder_.segment_bytes) return false;
  const u64 kept = offset >= window_at_ && offset < window_end ? window_end - offset : 0;
  check(kept < group_bytes_max, "only the rest of a group is kept");
  std::memmove(window_.get(), window_.get() + (kept == 0 ? 0 : offset - window_at_), kept);
  const ssize_t got =
      ::pread(fd_, window_.get() + kept, read_bytes, static_cast<off_t>(offset + kept));
  window_at_ = offset;
  window_filled_ = kept + (got > 0 ? static_cast<u64>(got) : 0);
  if (window_filled_ >= bytes) return true;
  error_ = fmt::format("cannot read {} at offset {}: {}",
                       segment_path(folder_.path, stream_, open_number_), offset + kept,
                       got < 0 ? std::strerror(errno) : "the file ends too early");
  return false;
}

bool JournalReader::read_group(u64 offset, Group& group) {
  if (!load(offset, page_bytes)) return false;
  std::memcpy(&group.header, window_.get() + (offset - window_at_), sizeof group.header);
  if (!is_whole(group.header, folder_.appliance, stream_)) return false;
  const u64 bytes = sizeof(GroupHeader) + group.header.payload_bytes;
  if (!load(offset, round_up(bytes, page_bytes))) return false;
  group.payload = Bytes(window_.get() + (offset - window_at_) + sizeof(GroupHeader),
                        group.header.payload_bytes);
  group.segment_number = open_number_;
  group.offset = offset;
  return crc32c(group.payload) == group.header.payload_crc;
}

bool JournalReader::is_next(const GroupHeader& header) const {
  return header.sequence == position_.next_sequence &&
         header.previous_hash == position_.previous_hash;
}

// Whether the group that is looked for stands first in the segment after this one.
bool JournalReader::next_segment_continues() {
  const u64 number = open_number_;
  Group group;
  const bool continues =
      open_segment(number + 1) && read_group(page_bytes, group) && is_next(group.header);
  if (continues) {
    left_ = position_;
    position_.segment_number = number + 1;
    position_.offset = page_bytes;
    return true;
  }
  open_segment(number);
  return false;
}

// The end, unless something went wrong, or the group is known to have been written.
ReadOutcome JournalReader::nothing_there() {
  if (error_.empty() && limit_ != UINT64_MAX) {
    error_ = fmt::format(
        "stream {} is damaged: group {} is on disk and should be in segment {} at offset {}, and "
        "is "
        "not; restore the file from a replica or a backup",
        stream_, position_.next_sequence, position_.segment_number, position_.offset);
  }
  return error_.empty() ? ReadOutcome::end : ReadOutcome::failure;
}

ReadOutcome JournalReader::next(Group& group) {
  if (position_.next_sequence > limit_) return ReadOutcome::end;
  if (!open_segment(position_.segment_number)) return nothing_there();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool is_inside = position_.offset + page_bytes <= folder_.segment_bytes;
    if (is_inside && read_group(position_.offset, group) && is_next(group.header)) break;
    if (!error_.empty()) return ReadOutcome::failure;
    window_filled_ = 0;  // it may have been written since
    if (attempt == 0) continue;
    if (!next_segment_continues()) return nothing_there();
    if (!read_group(position_.offset, group)) return nothing_there();
  }
  position_.offset += round_up(sizeof(GroupHeader) + group.header.payload_bytes, page_bytes);
  position_.previous_hash = hash64(header_bytes(group.header));
  ++position_.next_sequence;
  return ReadOutcome::group;
}

// Every later segment is looked at, also behind one that is missing; and what was left of the one
// before, since a group that went astray may have been found where the next one begins.
std::string JournalReader::verify_end() {
  if (!error_.empty()) return error_;
  const bool has_left = left_.offset != 0 && left_.segment_number + 1 == position_.segment_number;
  const u64 first = has_left ? left_.segment_number : position_.segment_number;
  for (const u64 number : list_segments(folder_.path, stream_)) {
    if (number < first) continue;
    if (!open_segment(number)) return error_;
    window_filled_ = 0;
    u64 begin = page_bytes;
    if (number == position_.segment_number) begin = position_.offset;
    if (number < position_.segment_number) begin = left_.offset;
    std::string why = find_proof_of_damage(begin);
    if (!why.empty()) return why;
  }
  return {};
}

// Looks in the open segment, from an offset on, for a group that was written when the one that is
// missed had been durable.
std::string JournalReader::find_proof_of_damage(u64 begin) {
  Group group;
  for (u64 offset = begin; offset + page_bytes <= folder_.segment_bytes; offset += page_bytes) {
    const bool is_group = read_group(offset, group);
    if (!error_.empty()) return error_;
    if (!is_group || group.header.durable_sequence < position_.next_sequence) continue;
    return fmt::format(
        "stream {} is damaged: group {} should be in segment {} at offset {} and is not, but group "
        "{} in segment {} at offset {} was written after it had been durable; restore the file "
        "from a replica or a backup",
        stream_, position_.next_sequence, position_.segment_number, position_.offset,
        group.header.sequence, open_number_, offset);
  }
  return {};
}

}  // namespace tollgate::ledger
