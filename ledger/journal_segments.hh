// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The files of a journal folder.
//
//   appliance.json            the folder's identity: a random number, the streams, the segment size
//   0-00000001.tgj ...        segments: stream, number; all of one size, zero-filled before use
//
// Segments are made ahead of the writer by SegmentKeeper, because filling one takes longer than a
// commit may. Behind the oldest reader they are used again: with a new header and a new name an old
// file serves as well as a new one, since what is left in it of its older life carries older
// sequences. A few wait as spares, what is beyond is removed.
#pragma once

#include <string>
#include <vector>

#include "base/types.hh"
#include "ledger/journal_format.hh"

namespace tollgate::ledger {

// What belongs to a journal folder as a whole.
struct JournalFolder {
  std::string path;
  u64 appliance = 0;
  u32 stream_count = 1;
  u64 segment_bytes = 0;

  // Reads the folder's identity, or makes one in a folder that has none. `segment_bytes` and
  // `stream_count` of an existing folder must agree. Returns an empty text, or why not.
  [[nodiscard]] std::string open_or_create();
  // Reads the identity of a folder of which nothing is known.
  [[nodiscard]] std::string open();
};

std::string segment_path(const std::string& folder, u32 stream, u64 number);

// Numbers of the segments of a stream that are there, rising.
std::vector<u64> list_segments(const std::string& folder, u32 stream);

// Makes a segment: zero-filled, with its header, on disk. Returns an empty text, or why not.
[[nodiscard]] std::string make_segment(const JournalFolder& folder, u32 stream, u64 number);

// Makes segment `number` out of `old_number`, which nobody needs any more. Killed half way, it
// leaves a file of no segment's name. Returns an empty text, or why not.
[[nodiscard]] std::string recycle_segment(const JournalFolder& folder, u32 stream, u64 old_number,
                                          u64 number);

// Reads and checks a segment's header. Returns an empty text, or what is wrong with the file.
[[nodiscard]] std::string read_segment_header(const JournalFolder& folder, u32 stream, u64 number,
                                              SegmentHeader& header);

// Keeps enough segments ahead of the writer. Lives where blocking is allowed.
class SegmentKeeper {
 public:
  SegmentKeeper(JournalFolder folder, u32 stream, u64 ahead_count)
      : folder_(std::move(folder)), stream_(stream), ahead_count_(ahead_count) {}

  // Makes what is missing up to `current + ahead_count`, of spares if there are any. Returns an
  // empty text, or why the disk refused; trying again later is right.
  [[nodiscard]] std::string keep_ahead(u64 current);

  // Nobody needs segments below `oldest_needed` any more: as many as are made ahead become spares,
  // the others are removed.
  void free_below(u64 oldest_needed);

 private:
  JournalFolder folder_;
  u32 stream_;
  u64 ahead_count_;
  std::string make(u64 number);

  u64 made_until_ = 0;       // all from `current` up to here are there
  u64 freed_below_ = 0;      // as far as free_below was told
  std::vector<u64> spares_;  // rising
};

}  // namespace tollgate::ledger
