// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/snapshot_writer.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.hh"
#include "base/hash.hh"

namespace tollgate::ledger {
namespace {

void free_buffer(u8* memory) {
  std::free(memory);
}

// Copies what somebody else may be writing: word by word, each as it was at some moment.
__attribute__((no_sanitize("thread"))) void copy_words(u8* to, const u8* from, u64 bytes) {
  const auto* words = reinterpret_cast<const u64*>(from);
  for (u64 i = 0; i < bytes / 8; ++i) {
    const u64 word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    std::memcpy(to + i * 8, &word, sizeof word);
  }
}

bool write_at(int fd, Bytes bytes, u64 offset) {
  const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (put >= 0 && static_cast<u64>(put) != bytes.size()) errno = ENOSPC;
  return put >= 0 && static_cast<u64>(put) == bytes.size();
}

bool sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_synced = ::fsync(fd) == 0;
  ::close(fd);
  return is_synced;
}

}  // namespace

SnapshotWriter::SnapshotWriter(const JournalFolder& journal, std::string folder, u64 number,
                               SnapshotSource source)
    : appliance_(journal.appliance),
      folder_(std::move(folder)),
      temporary_(snapshot_path(folder_, number) + ".new"),
      source_(std::move(source)),
      buffer_(static_cast<u8*>(std::aligned_alloc(page_bytes, chunk_bytes_max)), free_buffer) {
  check(buffer_ != nullptr, "memory for one chunk");
  check(source_.streams.size() <= streams_max, "a snapshot has a place for every stream");
  check(number != 0, "snapshots are numbered from 1");
  header_.number = number;
}

SnapshotWriter::~SnapshotWriter() {
  if (fd_ >= 0) ::close(fd_);
}

SnapshotProgress SnapshotWriter::fail(const std::string& what) {
  reason_ = fmt::format("cannot {} {}: {}", what, temporary_, std::strerror(errno));
  if (fd_ >= 0) ::unlink(temporary_.c_str());
  return SnapshotProgress::failed;
}

SnapshotProgress SnapshotWriter::abandon(std::string why) {
  reason_ = std::move(why);
  if (fd_ >= 0) ::unlink(temporary_.c_str());
  return SnapshotProgress::abandoned;
}

SnapshotProgress SnapshotWriter::step(Instant now) {
  if (phase_ == Phase::begin) return begin(now);
  if (source_.ledger.header().rollback_count.load(std::memory_order_acquire) != rollback_count_) {
    return abandon("a core was restarted and undid what it had begun");
  }
  switch (phase_) {
    case Phase::begin:
    case Phase::copy:
      return copy_chunk();
    case Phase::end_of_bursts:
      if (bursts_have_ended()) phase_ = Phase::end_of_links;
      return SnapshotProgress::settling;
    case Phase::end_of_links:
      if (links_are_packed()) phase_ = Phase::end_of_groups;
      return SnapshotProgress::settling;
    case Phase::end_of_groups:
      for (const JournalMemory* stream : source_.streams) {
        if (stream->is_failed.load() != 0) return abandon("a write to the journal has failed");
      }
      if (groups_are_durable()) phase_ = Phase::seal;
      return SnapshotProgress::settling;
    case Phase::seal:
      return seal();
    case Phase::publish:
      return publish();
  }
  return SnapshotProgress::failed;
}

// Notes where replay begins, and only then what there is to copy.
SnapshotProgress SnapshotWriter::begin(Instant now) {
  rollback_count_ = source_.ledger.header().rollback_count.load(std::memory_order_acquire);
  header_.appliance = appliance_;
  header_.taken_ns = now.ns;
  header_.stream_count = static_cast<u32>(source_.streams.size());
  for (u32 number = 0; number < header_.stream_count; ++number) {
    JournalPosition position;
    if (!read_position(*source_.streams[number], position)) return SnapshotProgress::copying;
    header_.streams[number] = {.segment_number = position.segment_number,
                               .offset = position.offset,
                               .next_sequence = position.next_sequence,
                               .previous_hash = position.previous_hash};
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (u32 number = 0; number < shard_count; ++number) {
    const ShardMemory shard = source_.ledger.shard(number);
    SnapshotShard& noted = header_.shards[number];
    noted.sequence = __atomic_load_n(&shard.header->sequence, __ATOMIC_ACQUIRE);
    const auto pools = pools_of(shard);
    for (u32 pool = 0; pool < pool_count; ++pool) {
      noted.used_end[pool] = __atomic_load_n(&pools[pool].state->used_end, __ATOMIC_ACQUIRE);
      header_.record_bytes[pool] = pools[pool].record_bytes;
    }
  }
  chunks_ = plan_chunks(header_);
  header_.chunk_count = chunks_.size();
  header_.file_bytes = chunks_.empty() ? page_bytes : chunks_.back().offset + chunks_.back().bytes;
  constexpr int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
  fd_ = ::open(temporary_.c_str(), flags | O_DIRECT, 0600);
  if (fd_ < 0 && errno == EINVAL) fd_ = ::open(temporary_.c_str(), flags, 0600);
  if (fd_ < 0) return fail("make");
  phase_ = Phase::copy;
  return SnapshotProgress::copying;
}

SnapshotProgress SnapshotWriter::copy_chunk() {
  if (digests_.size() == chunks_.size()) {
    for (const SnapshotSource::ChargeTile& tile : source_.tiles) {
      commit_counts_.push_back(__atomic_load_n(&tile.undo->commit_count, __ATOMIC_ACQUIRE));
    }
    phase_ = Phase::end_of_bursts;
    return SnapshotProgress::settling;
  }
  const ChunkPlan& chunk = chunks_[digests_.size()];
  const PoolPlace pool = pools_of(source_.ledger.shard(chunk.shard))[chunk.pool];
  const u64 payload_bytes = chunk.payload_bytes(pool.record_bytes);
  u8* payload = buffer_.get() + sizeof(ChunkHeader);
  copy_words(payload, pool.records + u64{chunk.first_index} * pool.record_bytes, payload_bytes);
  std::memset(payload + payload_bytes, 0, chunk.bytes - sizeof(ChunkHeader) - payload_bytes);
  ChunkHeader header{.shard = static_cast<u16>(chunk.shard),
                     .pool = static_cast<u16>(chunk.pool),
                     .snapshot_number = header_.number,
                     .appliance = appliance_,
                     .chunk_number = digests_.size(),
                     .first_index = chunk.first_index,
                     .record_count = chunk.record_count,
                     .payload_crc = crc32c(Bytes(payload, payload_bytes))};
  header.header_crc = header_crc(header);
  std::memcpy(buffer_.get(), &header, sizeof header);
  if (!write_at(fd_, Bytes(buffer_.get(), chunk.bytes), chunk.offset)) return fail("write");
  bytes_written_ += chunk.bytes;
  digests_.push_back(chunk_digest(header));
  return SnapshotProgress::copying;
}

// The bursts that were under way when the copy ended are over; what they published is noted.
bool SnapshotWriter::bursts_have_ended() {
  for (std::size_t i = 0; i < source_.tiles.size(); ++i) {
    const UndoMemory& undo = *source_.tiles[i].undo;
    const bool is_open = __atomic_load_n(&undo.is_open, __ATOMIC_ACQUIRE) != 0;
    const u64 commits = __atomic_load_n(&undo.commit_count, __ATOMIC_ACQUIRE);
    if (is_open && commits == commit_counts_[i]) return false;
  }
  for (const SnapshotSource::ChargeTile& tile : source_.tiles) {
    link_positions_.push_back(tile.journal_link->tail.load(std::memory_order_acquire));
  }
  return true;
}

bool SnapshotWriter::links_are_packed() {
  for (std::size_t i = 0; i < source_.tiles.size(); ++i) {
    const LinkMemory& link = *source_.tiles[i].journal_link;
    if (link.head.load(std::memory_order_acquire) < link_positions_[i]) return false;
  }
  for (const JournalMemory* stream : source_.streams) {
    group_counts_.push_back(__atomic_load_n(&stream->fill_count, __ATOMIC_ACQUIRE));
  }
  return true;
}

bool SnapshotWriter::groups_are_durable() {
  for (std::size_t i = 0; i < source_.streams.size(); ++i) {
    const u64 released = __atomic_load_n(&source_.streams[i]->release_count, __ATOMIC_ACQUIRE);
    if (released < group_counts_[i]) return false;
  }
  for (std::size_t i = 0; i < source_.streams.size(); ++i) {
    header_.streams[i].durable_sequence =
        source_.streams[i]->durable_sequence.load(std::memory_order_acquire);
  }
  return true;
}

// The header comes last: until it is there, the file is nothing.
SnapshotProgress SnapshotWriter::seal() {
  if (::fsync(fd_) != 0) return fail("sync");
  header_.chunks_hash =
      hash64({reinterpret_cast<const u8*>(digests_.data()), digests_.size() * sizeof(u64)});
  header_.crc = header_crc(header_);
  std::memset(buffer_.get(), 0, page_bytes);
  std::memcpy(buffer_.get(), &header_, sizeof header_);
  if (!write_at(fd_, Bytes(buffer_.get(), page_bytes), 0)) return fail("write");
  if (::fsync(fd_) != 0) return fail("sync");
  phase_ = Phase::publish;
  return SnapshotProgress::settling;
}

SnapshotProgress SnapshotWriter::publish() {
  const std::string path = snapshot_path(folder_, header_.number);
  if (::rename(temporary_.c_str(), path.c_str()) != 0) return fail("rename");
  if (!sync_folder(folder_)) return fail("sync the folder of");
  return SnapshotProgress::finished;
}

}  // namespace tollgate::ledger
