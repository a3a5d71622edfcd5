// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/journal_storage.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "base/check.hh"
#include "ledger/journal_segments.hh"

namespace tollgate::ledger {
namespace {

constexpr u32 ring_entries = 64;

// What a completion carries back: the slot and how long the write should be.
u64 pack(const StorageWrite& write) {
  return u64{write.slot} << 32 | write.pages.size();
}

}  // namespace

std::unique_ptr<IoUringStorage> IoUringStorage::create(const std::string& folder, u32 stream,
                                                       std::string& error) {
  std::unique_ptr<IoUringStorage> storage(new IoUringStorage(folder, stream));
  const int result = io_uring_queue_init(ring_entries, &storage->ring_, 0);
  if (result < 0) {
    error = fmt::format(
        "the kernel gives no io_uring: {}; Tollgate needs Linux 5.10 or later and "
        "kernel.io_uring_disabled=0",
        std::strerror(-result));
    return nullptr;
  }
  storage->has_ring_ = true;
  return storage;
}

IoUringStorage::~IoUringStorage() {
  if (has_ring_) io_uring_queue_exit(&ring_);
  for (const OpenSegment& segment : open_) {
    if (segment.fd >= 0) ::close(segment.fd);
  }
}

int IoUringStorage::fd_of(u64 segment_number) const {
  for (const OpenSegment& segment : open_) {
    if (segment.number == segment_number && segment.fd >= 0) return segment.fd;
  }
  return -1;
}

bool IoUringStorage::open(u64 segment_number) {
  if (fd_of(segment_number) >= 0) return true;
  for (OpenSegment& segment : open_) {
    if (segment.fd >= 0) continue;
    const std::string path = segment_path(folder_, stream_, segment_number);
    segment.fd = ::open(path.c_str(), O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
    segment.number = segment_number;
    return segment.fd >= 0;
  }
  return false;
}

void IoUringStorage::close(u64 segment_number) {
  for (OpenSegment& segment : open_) {
    if (segment.number != segment_number || segment.fd < 0) continue;
    ::close(segment.fd);  // the ring holds the file as long as a write is in flight
    segment.fd = -1;
  }
}

void IoUringStorage::write(const StorageWrite& write) {
  const int fd = fd_of(write.segment_number);
  check(fd >= 0, "a segment is opened before it is written");
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  check(entry != nullptr, "the ring has more entries than groups can be in flight");
  io_uring_prep_write(entry, fd, write.pages.data(), static_cast<unsigned>(write.pages.size()),
                      write.offset);
  entry->user_data = pack(write);
  io_uring_submit(&ring_);  // what the kernel has no memory for now is submitted again by reap
}

bool IoUringStorage::reap(StorageCompletion& completion) {
  if (io_uring_sq_ready(&ring_) != 0) io_uring_submit(&ring_);
  io_uring_cqe* entry = nullptr;
  if (io_uring_peek_cqe(&ring_, &entry) != 0) return false;
  completion.slot = static_cast<u32>(entry->user_data >> 32);
  completion.is_durable =
      entry->res >= 0 && static_cast<u32>(entry->res) == static_cast<u32>(entry->user_data);
  io_uring_cqe_seen(&ring_, entry);
  return true;
}

}  // namespace tollgate::ledger
