// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/snapshot_reader.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "base/check.hh"
#include "base/hash.hh"

namespace tollgate::ledger {
namespace {

constexpr u32 threads_max = 4;
constexpr std::size_t chunks_a_thread = 64;  // with fewer, one is as quick as several

// Past the page cache, where the file system can do that.
struct Descriptor {
  explicit Descriptor(const std::string& path)
      : fd(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)) {
    if (fd < 0 && errno == EINVAL) fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

struct FreeAligned {
  void operator()(u8* memory) const { std::free(memory); }
};
using Pages = std::unique_ptr<u8[], FreeAligned>;

Pages make_pages(u64 bytes) {
  Pages pages(static_cast<u8*>(std::aligned_alloc(page_bytes, bytes)));
  check(pages != nullptr, "memory for a buffer of pages");
  return pages;
}

// What a header says of itself must be possible before anything is computed from it.
std::string check_plan(const std::string& path, const SnapshotHeader& header) {
  u128 record_bytes = 0;
  for (u32 pool = 0; pool < pool_count; ++pool) {
    const u32 bytes = header.record_bytes[pool];
    if (bytes == 0 || bytes % 8 != 0 || bytes > chunk_bytes_max / 2) {
      return fmt::format("{} is damaged: its records have {} octets", path, bytes);
    }
    for (const SnapshotShard& shard : header.shards) {
      record_bytes += u128{bytes} * shard.used_end[pool];
    }
  }
  // Each pool's index 0 is counted in, and not in the file.
  const u64 nobodies = u64{shard_count} * pool_count * chunk_bytes_max / 2;
  std::vector<ChunkPlan> chunks;
  if (record_bytes <= u128{header.file_bytes} + nobodies) chunks = plan_chunks(header);
  const u64 bytes = chunks.empty() ? page_bytes : chunks.back().offset + chunks.back().bytes;
  if (chunks.size() != header.chunk_count || bytes != header.file_bytes) {
    return fmt::format("{} is damaged: its header contradicts itself", path);
  }
  return {};
}

// Several threads go over the chunks; each takes the next one that nobody has.
class ChunkWalk {
 public:
  // `memory` nullptr: the chunks are checked and dropped.
  ChunkWalk(const std::string& path, const SnapshotHeader& header, const LedgerMemory* memory)
      : path_(path),
        header_(header),
        memory_(memory),
        file_(path),
        chunks_(plan_chunks(header)),
        digests_(chunks_.size()) {}

  std::string run(const SnapshotProgressFn& progress) {
    if (file_.fd < 0) return fmt::format("cannot open {}: {}", path_, std::strerror(errno));
    const u32 useful = chunks_.size() < chunks_a_thread ? 1 : threads_max;
    const u32 thread_count = std::clamp(std::thread::hardware_concurrency(), 1U, useful);
    std::vector<std::string> whys(thread_count);
    std::vector<std::thread> threads;
    for (u32 i = 1; i < thread_count; ++i) {
      threads.emplace_back([this, &whys, i] { whys[i] = walk(nullptr); });
    }
    whys[0] = walk(&progress);
    for (std::thread& thread : threads) thread.join();
    for (std::string& why : whys) {
      if (!why.empty()) return std::move(why);
    }
    const u64 hash =
        hash64({reinterpret_cast<const u8*>(digests_.data()), digests_.size() * sizeof(u64)});
    if (hash != header_.chunks_hash) {
      return fmt::format("{} is damaged: its chunks are not those that its header tells of", path_);
    }
    return {};
  }

 private:
  // Until there is no chunk left, or somebody has found a bad one. Returns why it is bad.
  std::string walk(const SnapshotProgressFn* progress) {
    const Pages pages = make_pages(chunk_bytes_max);
    while (!has_failed_.load(std::memory_order_relaxed)) {
      const std::size_t number = next_.fetch_add(1, std::memory_order_relaxed);
      if (number >= chunks_.size()) break;
      std::string why = take(number, pages.get());
      if (!why.empty()) {
        has_failed_.store(true);
        return why;
      }
      const u64 bytes = chunks_[number].bytes;
      const u64 done = bytes_done_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
      if (progress != nullptr && number % 64 == 0) (*progress)(done, header_.file_bytes);
    }
    return {};
  }

  std::string take(std::size_t number, u8* pages) {
    const ChunkPlan& chunk = chunks_[number];
    const ssize_t got = ::pread(file_.fd, pages, chunk.bytes, static_cast<off_t>(chunk.offset));
    if (got < 0) return fmt::format("cannot read {}: {}", path_, std::strerror(errno));
    if (static_cast<u64>(got) != chunk.bytes) return fmt::format("{} is cut short", path_);
    ChunkHeader header;
    std::memcpy(&header, pages, sizeof header);
    const u64 payload_bytes = chunk.payload_bytes(header_.record_bytes[chunk.pool]);
    const u8* payload = pages + sizeof header;
    const bool is_it =
        header.magic == chunk_magic && header.header_crc == header_crc(header) &&
        header.snapshot_number == header_.number && header.appliance == header_.appliance &&
        header.chunk_number == number && header.shard == chunk.shard && header.pool == chunk.pool &&
        header.first_index == chunk.first_index && header.record_count == chunk.record_count;
    if (!is_it || crc32c(Bytes(payload, payload_bytes)) != header.payload_crc) {
      return fmt::format("{} is damaged: chunk {} (shard {}, pool {}) at offset {}", path_, number,
                         chunk.shard, chunk.pool + 1, chunk.offset);
    }
    digests_[number] = chunk_digest(header);
    if (memory_ == nullptr) return {};
    const PoolPlace pool = pools_of(memory_->shard(chunk.shard))[chunk.pool];
    std::memcpy(pool.records + u64{chunk.first_index} * pool.record_bytes, payload, payload_bytes);
    return {};
  }

  const std::string& path_;
  const SnapshotHeader& header_;
  const LedgerMemory* memory_;
  Descriptor file_;
  std::vector<ChunkPlan> chunks_;
  std::vector<u64> digests_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<u64> bytes_done_ = 0;
  std::atomic<bool> has_failed_ = false;
};

std::string check_room(const std::string& path, const SnapshotHeader& header,
                       const LedgerMemory& memory) {
  for (u32 number = 0; number < shard_count; ++number) {
    const auto pools = pools_of(memory.shard(number));
    for (u32 pool = 0; pool < pool_count; ++pool) {
      if (header.record_bytes[pool] != pools[pool].record_bytes) {
        return fmt::format("{} has records of {} octets in pool {}, this program has {}", path,
                           header.record_bytes[pool], pool + 1, pools[pool].record_bytes);
      }
      const u32 end = header.shards[number].used_end[pool];
      if (end <= pools[pool].capacity + 1) continue;
      return fmt::format(
          "{} has {} records in pool {} of shard {}, the configured ledger has room for {}: "
          "configure it at least as large as it was",
          path, end - 1, pool + 1, number, pools[pool].capacity);
    }
  }
  return {};
}

void empty_again(const SnapshotHeader& header, const LedgerMemory& memory) {
  for (u32 number = 0; number < shard_count; ++number) {
    const auto pools = pools_of(memory.shard(number));
    for (u32 pool = 0; pool < pool_count; ++pool) {
      std::memset(pools[pool].records, 0,
                  u64{header.shards[number].used_end[pool]} * pools[pool].record_bytes);
    }
  }
}

}  // namespace

std::string read_snapshot_header(const std::string& folder, u64 number,
                                 const JournalFolder& journal, SnapshotHeader& header) {
  const std::string path = snapshot_path(folder, number);
  const Descriptor file(path);
  if (file.fd < 0) return fmt::format("cannot open {}: {}", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) {
    return fmt::format("cannot read {}: {}", path, std::strerror(errno));
  }
  const Pages page = make_pages(page_bytes);
  const ssize_t got = ::pread(file.fd, page.get(), page_bytes, 0);
  if (got < 0) return fmt::format("cannot read {}: {}", path, std::strerror(errno));
  if (got != static_cast<ssize_t>(page_bytes)) return fmt::format("{} is cut short", path);
  std::memcpy(&header, page.get(), sizeof header);
  if (header.magic != snapshot_magic) return fmt::format("{} is not a snapshot", path);
  if (header.layout != snapshot_layout || header.records_layout != journal_layout) {
    return fmt::format("{} has layout {} with records of layout {}, this program knows {} with {}",
                       path, header.layout, header.records_layout, snapshot_layout, journal_layout);
  }
  if (header.crc != header_crc(header)) return fmt::format("the header of {} is damaged", path);
  if (header.appliance != journal.appliance) {
    return fmt::format("{} belongs to another appliance", path);
  }
  if (header.number != number) {
    return fmt::format("{} says of itself that it is snapshot {}: it was moved or renamed", path,
                       header.number);
  }
  if (header.stream_count != journal.stream_count) {
    return fmt::format("{} tells of {} journal streams, the journal has {}", path,
                       header.stream_count, journal.stream_count);
  }
  if (static_cast<u64>(status.st_size) != header.file_bytes) {
    return fmt::format("{} is cut short: it has {} octets of {}", path, status.st_size,
                       header.file_bytes);
  }
  return check_plan(path, header);
}

std::string verify_snapshot(const std::string& folder, const SnapshotHeader& header,
                            const SnapshotProgressFn& progress) {
  const std::string path = snapshot_path(folder, header.number);
  return ChunkWalk(path, header, nullptr).run(progress);
}

std::string load_snapshot(const std::string& folder, const SnapshotHeader& header,
                          const LedgerMemory& memory, const SnapshotProgressFn& progress) {
  const std::string path = snapshot_path(folder, header.number);
  std::string why = check_room(path, header, memory);
  if (!why.empty()) return why;
  why = ChunkWalk(path, header, &memory).run(progress);
  if (!why.empty()) {
    empty_again(header, memory);
    return why;
  }
  for (u32 number = 0; number < shard_count; ++number) {
    const SnapshotShard& noted = header.shards[number];
    const ShardMemory shard = memory.shard(number);
    shard.header->sequence = noted.sequence;
    const auto pools = pools_of(shard);
    for (u32 pool = 0; pool < pool_count; ++pool) {
      pools[pool].state->used_end = std::max(noted.used_end[pool], 1U);
    }
  }
  return {};
}

}  // namespace tollgate::ledger
