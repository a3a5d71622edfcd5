// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// HugePages: huge pages and a hugetlbfs mount of its own, for tests and benches. What was changed
// is put back at the end: the mount is removed, and the pages that were added are given back.
#pragma once

#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "base/types.hh"

namespace tollgate::dataplane {

class HugePages {
 public:
  explicit HugePages(u64 needed_mib) {
    const u64 needed = needed_mib / 2;
    total_before_ = read("HugePages_Total:");
    const u64 free_before = read("HugePages_Free:");
    if (free_before < needed) {
      raised_ = needed - free_before;
      write_count(total_before_ + raised_);
      if (read("HugePages_Free:") < needed) {
        error_ = fmt::format("the kernel gives only {} of {} huge pages", read("HugePages_Free:"),
                             needed);
        return;
      }
    }
    char name[] = "/dev/shm/tollgate-huge-XXXXXX";
    if (mkdtemp(name) == nullptr) {
      error_ = "cannot make a folder under /dev/shm";
      return;
    }
    directory_ = name;
    if (mount("none", name, "hugetlbfs", 0, "pagesize=2M") != 0) error_ = "cannot mount hugetlbfs";
  }
  ~HugePages() {
    if (!directory_.empty()) {
      umount2(directory_.c_str(), MNT_DETACH);
      rmdir(directory_.c_str());
    }
    // Others may have raised it since: only our own share goes.
    const u64 total = read("HugePages_Total:");
    if (raised_ > 0 && total >= raised_) write_count(total - raised_);
  }
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;

  const std::string& error() const { return error_; }
  const std::string& directory() const { return directory_; }

 private:
  static u64 read(std::string_view wanted) {
    std::ifstream file("/proc/meminfo");
    std::string key;
    u64 value = 0;
    while (file >> key >> value) {
      if (key == wanted) return value;
      file.ignore(64, '\n');
    }
    return 0;
  }
  static void write_count(u64 count) { std::ofstream("/proc/sys/vm/nr_hugepages") << count; }

  u64 total_before_ = 0;
  u64 raised_ = 0;
  std::string directory_;
  std::string error_;
};

}  // namespace tollgate::dataplane
