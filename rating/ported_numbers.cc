// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/ported_numbers.hh"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace tollgate::rating {
namespace {

// Of a file that is no such table at all, a few lines are enough.
constexpr u32 mistakes_told_max = 10;

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

class PortedReader {
 public:
  PortedReader(Place at, Report& report) : at_(at), report_(report) {}

  void read(const TariffText& file) {
    mistakes_ = 0;
    std::string_view rest = file.text;
    for (u32 line = 1; !rest.empty() && mistakes_ < mistakes_told_max; ++line) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view row = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      row = row.substr(0, row.find('#'));
      while (!row.empty() && (row.back() == ' ' || row.back() == '\r')) row.remove_suffix(1);
      if (!row.empty()) read_row(row, {file.name, line});
    }
  }

  // The table under half full; each number once.
  PortedNumbers finish() {
    if (entries_.empty()) return std::move(made_);
    std::ranges::sort(entries_, {}, &Entry::word);
    made_.slots.resize(next_power_of_two(2 * entries_.size() + 1));
    const u64 mask = made_.slots.size() - 1;
    u64 key_before = ~u64{0};
    mistakes_ = 0;
    for (const Entry& entry : entries_) {
      const u64 key = entry.word >> ported_operator_bits;
      if (key == key_before && mistakes_ < mistakes_told_max) {
        tell({files_[entry.file], entry.line}, 1,
             fmt::format("the number {} stands twice", number_digits(key)));
      }
      key_before = key;
      u64 at = ported_slot(key) & mask;
      while (made_.slots[at] != 0) at = (at + 1) & mask;
      made_.slots[at] = entry.word;
    }
    return std::move(made_);
  }

 private:
  struct Line {
    std::string_view file;
    u32 number = 0;
  };
  struct Entry {
    u64 word = 0;
    u32 file = 0;
    u32 line = 0;
  };

  void tell(const Line& line, std::size_t column, std::string message, std::string hint = {}) {
    ++mistakes_;
    report_.add(at_, fmt::format("{}:{}:{}: {}", line.file, line.number, column, message),
                std::move(hint));
  }

  void read_row(std::string_view row, const Line& line) {
    const std::size_t comma = std::min(row.find(','), row.size());
    const std::string_view digits = row.substr(0, comma);
    const std::string_view to = row.substr(std::min(comma + 1, row.size()));
    if (!is_digits(digits) || digits.size() > number_digits_max) {
      return tell(line, 1,
                  fmt::format("found \"{}\", expected a number of at most {} digits", digits,
                              number_digits_max),
                  "for example: 46701234567,4699, or 46701234567,telia");
    }
    const bool is_name = !to.empty() && !is_digits(to.substr(0, 1));
    if (to.empty() || (!is_name && (!is_digits(to) || to.size() > number_digits_max / 2))) {
      return tell(
          line, comma + 2,
          fmt::format("found \"{}\", expected the digits that route the number (at most {}) "
                      "or the name of a zone",
                      to, number_digits_max / 2));
    }
    const u32 number = operator_of(to);
    if (number == 0) {
      return tell(line, comma + 2,
                  fmt::format("found more than {} operators", ported_operators_max));
    }
    if (entries_.size() == ported_numbers_max) {
      return tell(line, 1, fmt::format("found more than {} ported numbers", ported_numbers_max));
    }
    if (files_.empty() || files_.back() != line.file) files_.push_back(line.file);
    entries_.push_back({number_key(digits) << ported_operator_bits | number,
                        static_cast<u32>(files_.size() - 1), line.number});
  }

  u32 operator_of(std::string_view text) {
    const auto known = numbers_.find(text);
    if (known != numbers_.end()) return known->second;
    if (made_.operators.size() == ported_operators_max) return 0;
    made_.operators.emplace_back(text);
    const auto number = static_cast<u32>(made_.operators.size());
    numbers_.emplace(text, number);
    return number;
  }

  Place at_;
  Report& report_;
  u32 mistakes_ = 0;
  PortedNumbers made_;
  std::vector<Entry> entries_;
  std::vector<std::string_view> files_;
  std::map<std::string, u32, std::less<>> numbers_;
};

}  // namespace

PortedNumbers read_ported(std::span<const TariffText* const> files, Place at, Report& report) {
  PortedReader reader(at, report);
  for (const TariffText* file : files) reader.read(*file);
  return reader.finish();
}

}  // namespace tollgate::rating
