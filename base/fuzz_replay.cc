// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The fuzzers without libFuzzer: gives LLVMFuzzerTestOneInput every file named on the command line
// (a folder stands for its files), and many changed copies of each, always the same ones. So the
// corpus and its neighbourhood are tested in every build.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "base/types.hh"

using tollgate::u8;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size);

namespace {

constexpr int changed_copies = 4'000;

std::vector<u8> changed(const std::vector<u8>& input, std::mt19937_64& random) {
  std::vector<u8> copy = input;
  const std::size_t changes = 1 + random() % 6;
  for (std::size_t i = 0; i < changes && !copy.empty(); ++i) {
    const std::size_t at = random() % copy.size();
    const std::size_t length = random() % 12;
    const auto begin = copy.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = copy.begin() + static_cast<std::ptrdiff_t>(std::min(at + length, copy.size()));
    switch (random() % 4) {
      case 0:
        copy[at] = static_cast<u8>(random());
        break;
      case 1:
        copy[at] ^= static_cast<u8>(1U << random() % 8);
        break;
      case 2:
        copy.erase(begin, end);
        break;
      default: {  // a piece from elsewhere
        const std::vector<u8> piece(begin, end);
        const auto place = copy.begin() + static_cast<std::ptrdiff_t>(random() % copy.size());
        copy.insert(place, piece.begin(), piece.end());
      }
    }
  }
  return copy;
}

void replay(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<u8> input{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937_64 random(input.size());
  for (int i = 0; i < changed_copies; ++i) {
    const std::vector<u8> copy = changed(input, random);
    LLVMFuzzerTestOneInput(copy.data(), copy.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      replay(argv[i]);
      ++files;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      replay(entry.path());
      ++files;
    }
  }
  std::printf("%d files, each with %d changed copies\n", files, changed_copies);
  return files > 0 ? 0 : 1;
}
