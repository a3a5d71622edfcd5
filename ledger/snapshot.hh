// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What is in a snapshot file, and where it lies.
//
//   snapshot-00000007.tgs      whole: header page, then chunks, one for each piece of a pool
//   snapshot-00000008.tgs.new  being written, or left by a launcher that was killed: worth nothing
//
// A snapshot is fuzzy: its records were copied while the shards worked. Replaying the journal from
// the places in its header over it gives the ledger, because an entry holds after-images: whatever
// a word was when it was copied, the last entry that touched it says what it is. It is worth
// something only together with the journal up to `durable_sequence` of each stream: everything that
// the copy may have seen is in there. See SnapshotWriter for how that is made sure.
//
// Which chunks there are, how large, and where, follows from the header alone (plan_chunks). Each
// chunk says itself what it is and has a checksum; the header has a hash over all of them.
#pragma once

#include <string>
#include <vector>

#include "ledger/journal_format.hh"
#include "ledger/layout.hh"

namespace tollgate::ledger {

inline constexpr u32 snapshot_magic = 0x31534754;  // "TGS1"
inline constexpr u32 chunk_magic = 0x31434754;     // "TGC1"
inline constexpr u16 snapshot_layout = 1;          // of this file; records have journal_layout
inline constexpr u32 streams_max = 16;             // as many as there can be journal tiles

struct SnapshotStream {
  // Where replay begins: a JournalPosition.
  u64 segment_number = 0;
  u64 offset = 0;
  u64 next_sequence = 0;
  u64 previous_hash = 0;
  u64 durable_sequence = 0;  // the journal must have the groups up to here
};

struct SnapshotShard {
  u64 sequence = 0;  // of its last entry when the copy began: replay begins at it or before
  u32 used_end[pool_count] = {};
};

struct SnapshotHeader {
  u32 magic = snapshot_magic;
  u16 layout = snapshot_layout;
  u16 records_layout = journal_layout;
  u64 number = 0;
  u64 appliance = 0;
  i64 taken_ns = 0;
  u64 file_bytes = 0;
  u64 chunk_count = 0;
  u64 chunks_hash = 0;  // of all chunks' digests, in their order
  u32 stream_count = 0;
  u32 record_bytes[pool_count] = {};
  u32 reserved = 0;
  SnapshotStream streams[streams_max];
  SnapshotShard shards[shard_count];
  u32 reserved1 = 0;
  u32 crc = 0;  // of all before
};
static_assert(sizeof(SnapshotHeader) <= page_bytes, "a snapshot's header is one page");
static_assert(std::is_trivially_copyable_v<SnapshotHeader>, "headers are copied as octets");

struct ChunkHeader {
  u32 magic = chunk_magic;
  u16 shard = 0;
  u16 pool = 0;  // its place in pools_of
  u64 snapshot_number = 0;
  u64 appliance = 0;
  u64 chunk_number = 0;
  u32 first_index = 0;
  u32 record_count = 0;
  u32 reserved[3] = {};
  u32 payload_crc = 0;
  u32 reserved1 = 0;
  u32 header_crc = 0;  // of all before
};
static_assert(sizeof(ChunkHeader) == 64);

inline constexpr u64 chunk_bytes_max = 1_MiB;

// One chunk: records [first_index, first_index + record_count) of a pool, behind a ChunkHeader.
struct ChunkPlan {
  u32 shard = 0;
  u32 pool = 0;
  u32 first_index = 0;
  u32 record_count = 0;
  u64 offset = 0;  // in the file
  u64 bytes = 0;   // with header and padding: whole pages

  u64 payload_bytes(u32 record_bytes) const { return u64{record_count} * record_bytes; }
};

std::vector<ChunkPlan> plan_chunks(const SnapshotHeader& header);

// The checksums as they must be.
u32 header_crc(const SnapshotHeader& header);
u32 header_crc(const ChunkHeader& header);
// What chunks_hash is made of.
u64 chunk_digest(const ChunkHeader& header);

std::string snapshot_path(const std::string& folder, u64 number);

// Numbers of the whole snapshots that are there, rising.
std::vector<u64> list_snapshots(const std::string& folder);

// Gives a snapshot that cannot be used a name of none (".damaged" behind it), for people to look
// at.
void set_aside_snapshot(const std::string& folder, u64 number);

// Removes what a killed writer left half written, and all but the `keep_count` newest.
void tidy_snapshots(const std::string& folder, u64 keep_count);

}  // namespace tollgate::ledger
