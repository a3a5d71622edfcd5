// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/shared_memory.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.hh"

namespace tollgate {
namespace {

constexpr u64 segment_magic = 0x31474553'4c4f5454ULL;  // "TTOLSEG1"

struct SegmentHeader {
  std::atomic<u64> magic;
  u32 layout;
  u32 reserved;
  u64 bytes;
  char name[48];
};
static_assert(sizeof(SegmentHeader) <= Segment::header_bytes);

std::string reason() {
  return std::strerror(errno);
}

// A file descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

u64 page_bytes_of(const std::string& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return page_bytes;
  return info.f_type == HUGETLBFS_MAGIC ? static_cast<u64>(info.f_bsize) : page_bytes;
}

Segment::Segment(Segment&& other) noexcept {
  *this = std::move(other);
}

Segment& Segment::operator=(Segment&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Segment::~Segment() {
  unmap();
}

void Segment::unmap() {
  if (base_ != nullptr) ::munmap(base_, mapped_bytes_);
  base_ = nullptr;
}

std::string Segment::create(const Options& options) {
  check(!is_mapped(), "a segment is made once");
  check(options.name.size() < sizeof(SegmentHeader::name), "a segment's name fits its header");
  const std::string path = options.folder + "/" + options.name;
  const u64 whole_bytes = round_up(header_bytes + options.bytes, page_bytes_of(options.folder));
  remove(options.folder, options.name);
  const File file(path, O_RDWR | O_CREAT | O_EXCL);
  if (file.fd() < 0) return fmt::format("cannot make the memory segment {}: {}", path, reason());
  if (::ftruncate(file.fd(), static_cast<off_t>(whole_bytes)) != 0) {
    return fmt::format("cannot size the memory segment {} to {} MiB: {}", path, whole_bytes >> 20,
                       reason());
  }
  // MAP_POPULATE touches every page now: a shortage shows here and not as a signal under load.
  void* at =
      ::mmap(nullptr, whole_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.fd(), 0);
  if (at == MAP_FAILED) {
    const std::string why = reason();
    remove(options.folder, options.name);
    return fmt::format(
        "cannot map {} MiB for the memory segment {}: {}; give the machine more huge pages "
        "(vm.nr_hugepages) or configure a smaller ledger",
        whole_bytes >> 20, path, why);
  }
  base_ = static_cast<u8*>(at);
  mapped_bytes_ = whole_bytes;
  bytes_ = options.bytes;
  auto* header = reinterpret_cast<SegmentHeader*>(base_);
  header->layout = options.layout;
  header->bytes = options.bytes;
  std::memcpy(header->name, options.name.c_str(), options.name.size() + 1);
  return {};
}

void Segment::seal() {
  check(is_mapped(), "a segment is made before it is sealed");
  reinterpret_cast<SegmentHeader*>(base_)->magic.store(segment_magic, std::memory_order_release);
}

std::string Segment::join(const Options& options, Access access) {
  check(!is_mapped(), "a segment is joined once");
  const std::string path = options.folder + "/" + options.name;
  const bool writes = access == Access::read_write;
  const File file(path, writes ? O_RDWR : O_RDONLY);
  if (file.fd() < 0) {
    return fmt::format("cannot open the memory segment {}: {}; is the appliance running?", path,
                       reason());
  }
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0 || static_cast<u64>(info.st_size) < header_bytes) {
    return fmt::format("the memory segment {} is not whole yet", path);
  }
  const u64 whole_bytes = static_cast<u64>(info.st_size);
  void* at = ::mmap(nullptr, whole_bytes, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                    file.fd(), 0);
  if (at == MAP_FAILED) return fmt::format("cannot map the memory segment {}: {}", path, reason());
  base_ = static_cast<u8*>(at);
  mapped_bytes_ = whole_bytes;
  const auto* header = reinterpret_cast<const SegmentHeader*>(base_);
  std::string why;
  if (header->magic.load(std::memory_order_acquire) != segment_magic) {
    why = fmt::format("{} is not a finished memory segment of Tollgate", path);
  } else if (header->layout != options.layout) {
    why = fmt::format("the memory segment {} has layout {}, this program knows layout {}", path,
                      header->layout, options.layout);
  } else if (options.bytes != 0 && header->bytes != options.bytes) {
    why = fmt::format("the memory segment {} holds {} octets, {} were expected", path,
                      header->bytes, options.bytes);
  } else if (header->bytes + header_bytes > whole_bytes) {
    why = fmt::format("the memory segment {} is cut short", path);
  }
  if (!why.empty()) {
    unmap();
    return why;
  }
  bytes_ = header->bytes;
  return {};
}

void Segment::remove(const std::string& folder, const std::string& name) {
  ::unlink((folder + "/" + name).c_str());
}

}  // namespace tollgate
