// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// JournalStorage: the disk, as the journal tile sees it.
//
// A journal stream is a row of segment files of one size, made ahead by SegmentKeeper, numbered
// from 1. The tile opens them in turn and writes pages into them, several writes in flight. A write
// is finished when it is on disk. One that fails, or is short, is told as failed and never tried
// again: after a failed sync nobody knows what the disk holds.
//
// IoUringStorage is the real one. Tests and the simulator have others, with faults.
#pragma once

#include <liburing.h>

#include <memory>
#include <string>

#include "base/types.hh"

namespace tollgate::ledger {

struct StorageWrite {
  u32 slot = 0;  // the caller's, comes back with the completion
  u64 segment_number = 0;
  u64 offset = 0;  // page aligned
  Bytes pages;     // page aligned in memory, whole pages, valid until it is finished
};

struct StorageCompletion {
  u32 slot = 0;
  bool is_durable = false;
};

class JournalStorage {
 public:
  virtual ~JournalStorage() = default;

  // Makes a segment ready for writing. False if it is not there (yet).
  [[nodiscard]] virtual bool open(u64 segment_number) = 0;
  // No more writes will come for it; those in flight still finish.
  virtual void close(u64 segment_number) = 0;

  // Starts a write to an open segment.
  virtual void write(const StorageWrite& write) = 0;

  // Gives the next finished write. False if there is none now.
  [[nodiscard]] virtual bool reap(StorageCompletion& completion) = 0;
};

class IoUringStorage final : public JournalStorage {
 public:
  // Returns nothing and sets `error` if the kernel gives no ring.
  static std::unique_ptr<IoUringStorage> create(const std::string& folder, u32 stream,
                                                std::string& error);
  ~IoUringStorage() override;
  IoUringStorage(const IoUringStorage&) = delete;
  IoUringStorage& operator=(const IoUringStorage&) = delete;

  [[nodiscard]] bool open(u64 segment_number) override;
  void close(u64 segment_number) override;
  void write(const StorageWrite& write) override;
  [[nodiscard]] bool reap(StorageCompletion& completion) override;

 private:
  IoUringStorage(std::string folder, u32 stream) : folder_(std::move(folder)), stream_(stream) {}

  // Two are open at a time: the one being filled and the next.
  struct OpenSegment {
    u64 number = 0;
    int fd = -1;
  };
  int fd_of(u64 segment_number) const;

  std::string folder_;
  u32 stream_;
  io_uring ring_{};
  bool has_ring_ = false;
  OpenSegment open_[3];
};

}  // namespace tollgate::ledger
