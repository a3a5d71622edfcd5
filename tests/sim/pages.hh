// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Pages: zeroed memory on a page boundary that stands for a segment of shared memory.
#pragma once

#include <sys/mman.h>

#include <utility>

#include "base/check.hh"
#include "base/types.hh"

namespace tollgate::sim {

class Pages {
 public:
  Pages() = default;
  explicit Pages(u64 bytes) : bytes_(round_up(bytes, page_bytes)) {
    void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(memory != MAP_FAILED, "memory for a simulation");
    data_ = static_cast<u8*>(memory);
  }
  Pages(Pages&& other) noexcept { *this = std::move(other); }
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Pages() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  u8* data() const { return data_; }
  u64 bytes() const { return bytes_; }

 private:
  u8* data_ = nullptr;
  u64 bytes_ = 0;
};

}  // namespace tollgate::sim
