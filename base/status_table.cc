// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "base/status_table.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"

namespace tollgate {
namespace {

void copy_text(char* to, std::size_t room, std::string_view text) {
  const std::size_t size = std::min(text.size(), room - 1);
  std::memcpy(to, text.data(), size);
  to[size] = '\0';
}

void begin_change(u32& version) {
  __atomic_store_n(&version, version + 1, __ATOMIC_RELEASE);
  __atomic_thread_fence(__ATOMIC_RELEASE);
}

void end_change(u32& version) {
  __atomic_store_n(&version, version + 1, __ATOMIC_RELEASE);
}

}  // namespace

u64 StatusTable::footprint(u32 row_count) {
  return sizeof(Header) + row_count * sizeof(Slot);
}

StatusTable StatusTable::format(u8* zeroed_memory, u32 row_count, const Columns& columns) {
  check(columns.texts.size() <= texts_max, "a status table has a bounded number of texts");
  check(columns.numbers.size() <= numbers_max, "a status table has a bounded number of numbers");
  StatusTable table(zeroed_memory);
  Header& header = *table.header_;
  header.row_count = row_count;
  header.text_count = static_cast<u32>(columns.texts.size());
  header.number_count = static_cast<u32>(columns.numbers.size());
  u32 place = 0;
  for (const auto* names : {&columns.texts, &columns.numbers}) {
    for (const std::string& name : *names) {
      copy_text(header.names[place++], sizeof header.names[0], name);
    }
  }
  return table;
}

void StatusTable::write(u32 number, const Row& row) {
  check(number < header_->row_count, "a row's number is below the table's count");
  Slot& slot = slots()[number];
  begin_change(slot.version);
  slot.is_used = 1;
  for (u32 i = 0; i < header_->text_count; ++i) {
    copy_text(slot.texts[i], sizeof slot.texts[i], row.texts[i]);
  }
  std::copy(std::begin(row.numbers), std::end(row.numbers), slot.numbers);
  end_change(slot.version);
}

void StatusTable::clear(u32 number) {
  check(number < header_->row_count, "a row's number is below the table's count");
  Slot& slot = slots()[number];
  begin_change(slot.version);
  slot.is_used = 0;
  end_change(slot.version);
}

StatusTable::Columns StatusTable::columns() const {
  Columns columns;
  for (u32 i = 0; i < header_->text_count; ++i) columns.texts.push_back(header_->names[i]);
  for (u32 i = 0; i < header_->number_count; ++i) {
    columns.numbers.push_back(header_->names[header_->text_count + i]);
  }
  return columns;
}

std::vector<StatusTable::ReadRow> StatusTable::read() const {
  std::vector<ReadRow> rows;
  for (u32 number = 0; number < header_->row_count; ++number) {
    Slot copy;
    for (int attempt = 0; attempt < 100; ++attempt) {
      const u32 before = __atomic_load_n(&slots()[number].version, __ATOMIC_ACQUIRE);
      std::memcpy(&copy, &slots()[number], sizeof copy);
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      const u32 after = __atomic_load_n(&slots()[number].version, __ATOMIC_RELAXED);
      if (before == after && (before & 1) == 0) break;
      copy.is_used = 0;
    }
    if (copy.is_used == 0) continue;
    ReadRow& row = rows.emplace_back(ReadRow{number, {}, {}});
    for (u32 i = 0; i < header_->text_count; ++i) {
      copy.texts[i][text_bytes_max] = '\0';
      row.texts.emplace_back(copy.texts[i]);
    }
    row.numbers.assign(copy.numbers, copy.numbers + header_->number_count);
  }
  return rows;
}

}  // namespace tollgate
