// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Whatever a snapshot file holds, reading it writes inside the pools of the ledger only, and what
// is refused leaves an empty ledger. The input is a list of changes to a good file: where, and what
// stands there instead; checksums are made right again, so that what lies behind them is reached.

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.hh"
#include "base/hash.hh"
#include "ledger/snapshot_reader.hh"
#include "ledger/snapshot_writer.hh"

namespace tollgate::ledger {
namespace {

constexpr u64 strip_bytes = 8_KiB;
constexpr LedgerSizes sizes = {.accounts = 3, .buckets = 3, .sessions = 2, .extensions = 2};

u8* zero_pages(u64 bytes) {
  u8* space = static_cast<u8*>(std::aligned_alloc(page_bytes, round_up(bytes, page_bytes)));
  check(space != nullptr, "memory for the fuzzer");
  std::memset(space, 0, round_up(bytes, page_bytes));
  return space;
}

// A ledger in the middle of its memory, with a strip on both sides that must stay as it is.
struct Target {
  Target() : space(zero_pages(bytes())) { format(); }
  static u64 bytes() { return LedgerMemory::footprint(sizes) + 2 * strip_bytes; }
  void format() {
    std::memset(space, 0, bytes());
    ledger = LedgerMemory::format(space + strip_bytes, sizes, 1);
  }
  static bool is_zero(const u8* at, u64 count) {
    return count == 0 || (*at == 0 && std::memcmp(at, at + 1, count - 1) == 0);
  }
  void check_fences(bool is_empty) const {
    check(is_zero(space, strip_bytes), "nothing was written before the ledger");
    check(is_zero(space + bytes() - strip_bytes, strip_bytes), "nothing was written behind it");
    for (u32 number = 0; number < shard_count; number += 9) {  // those of the file are among them
      const ShardMemory shard = ledger.shard(number);
      check(is_zero(reinterpret_cast<const u8*>(shard.wheel), wheel_slot_count * sizeof(u32)),
            "no record lies in a wheel");
      for (const PoolPlace& pool : pools_of(shard)) {
        check(is_zero(pool.records, pool.record_bytes), "nobody stays nobody");
        check(pool.state->used_end <= pool.capacity + 1, "a pool keeps its size");
        const u64 records = u64{pool.capacity} * pool.record_bytes;
        check(!is_empty || is_zero(pool.records + pool.record_bytes, records),
              "what was refused left nothing");
      }
    }
  }

  u8* space;
  LedgerMemory ledger;
};

struct GoodFile {
  GoodFile() {
    const std::filesystem::path memory = "/dev/shm";
    const bool has_memory = std::filesystem::is_directory(memory);
    const auto home = has_memory ? memory : std::filesystem::current_path();
    std::string path = (home / "snapshot-fuzz-XXXXXX").string();
    check(::mkdtemp(path.data()) != nullptr, "a folder for the fuzzer");
    journal = {.path = path, .appliance = 1, .stream_count = 1, .segment_bytes = 8_MiB};
    const Target source;
    for (const u32 number : {u32{0}, u32{9}, shard_count - 1}) {
      for (const PoolPlace& pool : pools_of(source.ledger.shard(number))) {
        std::memset(pool.records + pool.record_bytes, 7, 2 * u64{pool.record_bytes});
        pool.state->used_end = 3;
      }
    }
    auto* stream = JournalMemory::format(
        zero_pages(sizeof(JournalMemory)),
        {.appliance = 1, .stream = 0, .segment_bytes = 8_MiB, .position = {}});
    SnapshotWriter writer(journal, path, 1,
                          {.ledger = source.ledger, .tiles = {}, .streams = {stream}});
    SnapshotProgress progress = SnapshotProgress::copying;
    while (progress == SnapshotProgress::copying || progress == SnapshotProgress::settling) {
      progress = writer.step(Instant::from_seconds(1));
    }
    check(progress == SnapshotProgress::finished, "the good snapshot is written");
    std::ifstream in(snapshot_path(path, 1), std::ios::binary);
    octets.assign(std::istreambuf_iterator<char>(in), {});
    std::free(source.space);
    std::free(stream);
  }
  ~GoodFile() { std::filesystem::remove_all(journal.path); }
  GoodFile(const GoodFile&) = delete;
  GoodFile& operator=(const GoodFile&) = delete;

  JournalFolder journal;
  std::vector<u8> octets;
};

// Makes the checksums fit what the file says now.
void sign(std::vector<u8>& octets, const std::vector<ChunkPlan>& chunks) {
  SnapshotHeader header;
  std::vector<u64> digests;
  std::memcpy(&header, octets.data(), sizeof header);
  for (const ChunkPlan& chunk : chunks) {
    ChunkHeader chunk_header;
    std::memcpy(&chunk_header, octets.data() + chunk.offset, sizeof chunk_header);
    chunk_header.header_crc = header_crc(chunk_header);
    std::memcpy(octets.data() + chunk.offset, &chunk_header, sizeof chunk_header);
    digests.push_back(chunk_digest(chunk_header));
  }
  header.chunks_hash =
      hash64({reinterpret_cast<const u8*>(digests.data()), digests.size() * sizeof(u64)});
  header.crc = header_crc(header);
  std::memcpy(octets.data(), &header, sizeof header);
}

}  // namespace
}  // namespace tollgate::ledger

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  using namespace tollgate;          // NOLINT: a fuzzer's one function lies outside
  using namespace tollgate::ledger;  // NOLINT
  static const GoodFile good;
  static Target target;
  if (size < 2) return 0;
  SnapshotHeader header;
  std::memcpy(&header, good.octets.data(), sizeof header);
  const std::vector<ChunkPlan> chunks = plan_chunks(header);
  std::vector<u8> octets = good.octets;
  // Places are counted from the header, and from the beginning of a chunk.
  for (std::size_t at = 2; at + 4 <= size; at += 4) {
    const u64 part = data[at] % (chunks.size() + 1);
    const u64 begin = part == 0 ? 0 : chunks[part - 1].offset;
    const u64 offset = begin + (u64{data[at + 1]} << 8 | data[at + 2]) % page_bytes;
    if (offset < octets.size()) octets[offset] = data[at + 3];
  }
  if ((data[0] & 1) != 0) sign(octets, chunks);
  if ((data[0] & 2) != 0) octets.resize(octets.size() * data[1] / 256);
  const std::string path = snapshot_path(good.journal.path, 1);
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(octets.data()),
             static_cast<std::streamsize>(octets.size()));
  target.format();
  std::string why = read_snapshot_header(good.journal.path, 1, good.journal, header);
  if (why.empty()) {
    why = load_snapshot(good.journal.path, header, target.ledger, [](u64, u64) {});
  }
  target.check_fences(!why.empty());
  return 0;
}
