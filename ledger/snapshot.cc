// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/snapshot.hh"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/hash.hh"

namespace tollgate::ledger {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view name_begin = "snapshot-";
constexpr std::string_view name_end = ".tgs";

// The number in a file's name, or 0.
u64 number_in(std::string_view name) {
  if (!name.starts_with(name_begin) || !name.ends_with(name_end)) return 0;
  name.remove_prefix(name_begin.size());
  name.remove_suffix(name_end.size());
  u64 number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  return read.ec == std::errc() && read.ptr == name.data() + name.size() ? number : 0;
}

template <class Header>
Bytes octets_before(const Header& header, std::size_t bytes) {
  return {reinterpret_cast<const u8*>(&header), bytes};
}

}  // namespace

std::vector<ChunkPlan> plan_chunks(const SnapshotHeader& header) {
  std::vector<ChunkPlan> chunks;
  u64 offset = page_bytes;
  for (u32 shard = 0; shard < shard_count; ++shard) {
    for (u32 pool = 0; pool < pool_count; ++pool) {
      const u32 record_bytes = header.record_bytes[pool];
      const u32 records_max =
          static_cast<u32>((chunk_bytes_max - sizeof(ChunkHeader)) / record_bytes);
      const u32 end = header.shards[shard].used_end[pool];
      for (u64 first = 1; first < end; first += records_max) {
        ChunkPlan& chunk = chunks.emplace_back(ChunkPlan{.shard = shard,
                                                         .pool = pool,
                                                         .first_index = static_cast<u32>(first),
                                                         .offset = offset});
        chunk.record_count = static_cast<u32>(std::min<u64>(records_max, end - first));
        chunk.bytes = round_up(sizeof(ChunkHeader) + chunk.payload_bytes(record_bytes), page_bytes);
        offset += chunk.bytes;
      }
    }
  }
  return chunks;
}

u32 header_crc(const SnapshotHeader& header) {
  return crc32c(octets_before(header, offsetof(SnapshotHeader, crc)));
}

u32 header_crc(const ChunkHeader& header) {
  return crc32c(octets_before(header, offsetof(ChunkHeader, header_crc)));
}

u64 chunk_digest(const ChunkHeader& header) {
  return u64{header.payload_crc} << 32 | header.header_crc;
}

std::string snapshot_path(const std::string& folder, u64 number) {
  return fmt::format("{}/{}{:08}{}", folder, name_begin, number, name_end);
}

std::vector<u64> list_snapshots(const std::string& folder) {
  std::vector<u64> numbers;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const u64 number = number_in(entry.path().filename().string());
    if (number != 0) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void set_aside_snapshot(const std::string& folder, u64 number) {
  const std::string path = snapshot_path(folder, number);
  std::error_code failure;
  fs::rename(path, path + ".damaged", failure);
}

void tidy_snapshots(const std::string& folder, u64 keep_count) {
  std::error_code failure;
  std::vector<fs::path> halves;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const std::string name = entry.path().filename().string();
    const std::size_t end = name.rfind(".new");
    if (end == std::string::npos || end + 4 != name.size()) continue;
    if (number_in(std::string_view(name).substr(0, end)) != 0) halves.push_back(entry.path());
  }
  for (const fs::path& half : halves) fs::remove(half, failure);
  std::vector<u64> numbers = list_snapshots(folder);
  while (numbers.size() > keep_count) {
    fs::remove(snapshot_path(folder, numbers.front()), failure);
    numbers.erase(numbers.begin());
  }
}

}  // namespace tollgate::ledger
