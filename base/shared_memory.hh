// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Segment: a named piece of memory that outlives the process that made it.
//
// A segment is a file in a folder of hugetlbfs (2 MiB pages, what production uses) or of any other
// memory file system. The first page is its header: name, layout version, size, and the magic,
// which is written last, so that a half-made segment is never joined. Inside are records and
// offsets, never pointers: every process maps it where it likes.
//
// Who makes a segment owns its name and removes it; who joins may read, or read and write, as
// asked. All failures come back as a sentence for people that names the file and says what to do.
#pragma once

#include <string>

#include "base/types.hh"

namespace tollgate {

enum class Access : u8 { read, read_write };

class Segment {
 public:
  // A segment's contents begin this far into it, on a page of their own.
  static constexpr u64 header_bytes = page_bytes;

  struct Options {
    std::string folder;  // of hugetlbfs, or of a memory file system
    std::string name;    // file name inside it, at most 47 characters
    u64 bytes = 0;       // of contents; the file is larger by the header and rounded up to a page
    u32 layout = 0;      // version of what lies inside; another one is refused at join
  };

  Segment() = default;
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment();  // unmaps; the segment itself stays

  // Makes the file anew (an old one of that name is replaced), maps it and fills it with zeros.
  // Returns an empty text, or why not.
  [[nodiscard]] std::string create(const Options& options);

  // Says that the contents are whole: writes the magic. Until then nobody can join.
  void seal();

  // Maps what another process has made. `options.bytes` 0 takes it as it is; else sizes must agree.
  [[nodiscard]] std::string join(const Options& options, Access access);

  // Removes the name; processes that have it mapped keep it. Not there is not a failure.
  static void remove(const std::string& folder, const std::string& name);

  bool is_mapped() const { return base_ != nullptr; }
  u8* data() const { return base_ + header_bytes; }
  u64 size() const { return bytes_; }

  template <class T>
  T* at(u64 offset) const {
    return reinterpret_cast<T*>(data() + offset);
  }

 private:
  void unmap();

  u8* base_ = nullptr;
  u64 mapped_bytes_ = 0;
  u64 bytes_ = 0;
};

// The page size of the file system that holds `folder`: 2 MiB on hugetlbfs, else 4 KiB.
u64 page_bytes_of(const std::string& folder);

}  // namespace tollgate
