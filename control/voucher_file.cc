// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/voucher_file.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/voucher_code.hh"

namespace tollgate::control {
namespace {

constexpr std::size_t mistakes_max = 100;

enum class Column : u8 { sha256, code, amount, validity, ends };
constexpr std::array<std::string_view, 5> column_names = {"sha256", "code", "amount", "validity",
                                                          "ends"};

class Reader {
 public:
  Reader(std::string_view text, std::string_view batch) : text_(text), batch_(batch) {}

  VoucherFile read() {
    std::string_view line;
    if (!next_line(line) || !read_header(line)) {
      if (file_.mistakes.empty()) complain(1, "the file is empty");
      return std::move(file_);
    }
    while (next_line(line) && file_.mistakes.size() < mistakes_max) {
      if (!line.empty()) read_row(line);
    }
    if (file_.vouchers.size() > vouchers_per_file_max) {
      complain(1, fmt::format("a file has at most {} vouchers", vouchers_per_file_max));
    }
    return std::move(file_);
  }

 private:
  bool next_line(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at_ = end + 1;
    ++line_;
    return true;
  }

  void complain(u32 column, std::string message) {
    file_.mistakes.push_back(
        {.line = std::max<u64>(line_, 1), .column = column, .message = std::move(message)});
  }

  bool read_header(std::string_view line) {
    const std::string why = split_csv(line, cells_);
    if (!why.empty()) return complain(cells_.back().column, why), false;
    std::array<u32, column_names.size()> counts{};
    for (const ImportCell& cell : cells_) {
      const auto* const found = std::find(column_names.begin(), column_names.end(), cell.text);
      if (found == column_names.end()) {
        return complain(cell.column, "expected sha256 or code, amount, validity or ends"), false;
      }
      const auto number = static_cast<std::size_t>(found - column_names.begin());
      if (++counts[number] > 1) return complain(cell.column, "this column comes twice"), false;
      columns_.push_back(static_cast<Column>(number));
    }
    if (counts[0] + counts[1] != 1 || counts[2] != 1) {
      return complain(1, "expected a header like sha256,amount,validity,ends"), false;
    }
    return true;
  }

  void read_row(std::string_view line) {
    const std::string why = split_csv(line, cells_);
    if (!why.empty()) return complain(cells_.back().column, why);
    if (cells_.size() != columns_.size()) {
      return complain(1, fmt::format("expected {} cells", columns_.size()));
    }
    VoucherRow row{.batch = std::string(batch_)};
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const std::string mistake = read_cell(columns_[i], cells_[i].text, row);
      if (!mistake.empty()) return complain(cells_[i].column, mistake);
    }
    file_.vouchers.push_back(std::move(row));
    file_.lines.push_back(line_);
  }

  static std::string read_cell(Column column, const std::string& text, VoucherRow& row) {
    switch (column) {
      case Column::sha256:
        row.hash = text;
        return is_code_hash(text) ? "" : "expected 64 small hexadecimal digits";
      case Column::code:
        row.hash = hash_of_code(text);
        return row.hash.empty() ? "expected a code of 8 to 64 letters and digits" : "";
      case Column::amount: {
        std::string why = parse_amount(text, row.amount, row.unit);
        if (why.empty() && !row.amount.is_positive()) why = "a voucher is worth more than nothing";
        return why;
      }
      case Column::validity:
        row.validity = text;
        return period_mistake(text);
      case Column::ends:
        return read_end(text, row);
    }
    return {};
  }

  static std::string period_mistake(const std::string& text) {
    if (text.empty()) return {};
    try {
      return parse_period(text) > Duration{} ? "" : "expected a period like 30d";
    } catch (const Refused& refused) {
      return refused.what();
    }
  }

  static std::string read_end(const std::string& text, VoucherRow& row) {
    if (text.empty()) return {};
    Instant end;
    if (!parse_rfc3339(text, end) || end.whole_seconds() <= 0) {
      return "expected a time like 2027-12-31T23:59:59Z";
    }
    row.ends_s = end.whole_seconds();
    return {};
  }

  std::string_view text_;
  std::string_view batch_;
  std::size_t at_ = 0;
  u64 line_ = 0;
  std::vector<Column> columns_;
  std::vector<ImportCell> cells_;
  VoucherFile file_;
};

}  // namespace

VoucherFile read_vouchers(std::string_view text, std::string_view batch) {
  return Reader(text, batch).read();
}

}  // namespace tollgate::control
