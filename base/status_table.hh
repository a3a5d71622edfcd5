// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// StatusTable: things that come and go (peers, say), each a row of texts and numbers that tools
// read.
//
// One tile writes it, whenever it likes; anybody reads. Columns are named once, when the table is
// laid out, so that a tool shows rows without knowing what they are. A row carries a version that
// is odd while it changes; a reader that meets such a row tries again and never disturbs the
// writer.
#pragma once

#include <string>
#include <vector>

#include "base/shared_memory.hh"
#include "base/types.hh"

namespace tollgate {

class StatusTable {
 public:
  static constexpr u32 layout = 2;
  static constexpr u32 texts_max = 8;
  static constexpr u32 numbers_max = 8;
  static constexpr u32 text_bytes_max = 255;  // longer texts are cut

  struct Columns {
    std::vector<std::string> texts;    // at most texts_max names
    std::vector<std::string> numbers;  // at most numbers_max names
  };
  struct Row {
    std::string_view texts[texts_max];
    u64 numbers[numbers_max] = {};
  };
  struct ReadRow {
    u32 number;
    std::vector<std::string> texts;
    std::vector<u64> numbers;
  };

  StatusTable() = default;
  explicit StatusTable(u8* memory) : header_(reinterpret_cast<Header*>(memory)) {}

  static u64 footprint(u32 row_count);
  static StatusTable format(u8* zeroed_memory, u32 row_count, const Columns& columns);

  void write(u32 number, const Row& row);
  void clear(u32 number);

  Columns columns() const;
  std::vector<ReadRow> read() const;

 private:
  struct Header {
    u32 row_count;
    u32 text_count;
    u32 number_count;
    u32 reserved;
    char names[texts_max + numbers_max][32];
  };
  struct Slot {
    u32 version;
    u32 is_used;
    char texts[texts_max][text_bytes_max + 1];
    u64 numbers[numbers_max];
  };
  Slot* slots() const { return reinterpret_cast<Slot*>(header_ + 1); }

  Header* header_ = nullptr;
};

}  // namespace tollgate
