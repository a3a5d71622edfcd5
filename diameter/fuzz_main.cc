// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Runs a fuzzer's function over the files of its corpus: the fuzzers' part in the ordinary tests.
// Each file is also given cut short at a few places, so that a small corpus reaches far.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/types.hh"

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int index = 1; index < argc; ++index) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[index])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> octets{std::istreambuf_iterator<char>(file), {}};
      for (std::size_t parts = 4; parts > 0; --parts) {
        // A copy of exact size: a read past its end is seen by a sanitizer.
        const std::vector<tollgate::u8> cut(
            octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(octets.size() / parts));
        LLVMFuzzerTestOneInput(cut.data(), cut.size());
        ++count;
      }
    }
  }
  std::printf("%d inputs\n", count);
  return count == 0 ? 1 : 0;
}
