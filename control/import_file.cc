// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/import_file.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tollgate::control {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::size_t mistakes_told_max = 100;

// Reads a quoted cell that begins at `at`; moves `at` behind it.
std::string read_quoted(std::string_view line, std::size_t& at, ImportCell& cell) {
  for (++at; at < line.size(); ++at) {
    if (line[at] != '"') {
      cell.text.push_back(line[at]);
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      cell.text.push_back(line[at++]);
    } else {
      ++at;
      const bool is_end = at == line.size() || line[at] == ',';
      return is_end ? std::string() : "expected a comma after the closing quote";
    }
  }
  return "the quote that begins here is not closed in this line";
}

}  // namespace

std::string split_csv(std::string_view line, std::vector<ImportCell>& cells) {
  cells.clear();
  std::size_t at = 0;
  for (;;) {
    ImportCell& cell = cells.emplace_back();
    cell.column = static_cast<u32>(at + 1);
    if (at < line.size() && line[at] == '"') {
      std::string why = read_quoted(line, at, cell);
      if (!why.empty()) return why;
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      cell.text = line.substr(at, end - at);
      at = end;
    }
    if (at >= line.size()) return {};
    ++at;  // the comma
  }
}

ImportFile::ImportFile(std::string text) : text_(std::move(text)) {
  if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
  read_header();
  first_row_at_ = at_;
}

bool ImportFile::next_line(std::string_view& line) {
  if (at_ >= text_.size()) return false;
  const std::size_t end = std::min(text_.find('\n', at_), text_.size());
  line = std::string_view(text_).substr(at_, end - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  at_ = end + 1;
  ++line_;
  return true;
}

void ImportFile::read_header() {
  constexpr std::string_view expected =
      "expected a header like account,msisdn,plan,balance; identities are in columns msisdn, imsi, "
      "sip, nai, private or identity";
  constexpr std::array<std::string_view, 5> schemes = {"msisdn", "imsi", "sip", "nai", "private"};
  std::string_view line;
  if (!next_line(line)) return add_mistake(1, 1, fmt::format("the file is empty: {}", expected));
  std::vector<ImportCell> names;
  const std::string why = split_csv(line, names);
  if (!why.empty()) return add_mistake(1, names.back().column, why);
  std::array<u32, 4> counts{};
  for (const ImportCell& cell : names) {
    ColumnSpec spec{Column::identity, ""};
    if (cell.text == "account") {
      spec.kind = Column::account;
    } else if (cell.text == "plan") {
      spec.kind = Column::plan;
    } else if (cell.text == "balance") {
      spec.kind = Column::balance;
    } else if (std::find(schemes.begin(), schemes.end(), cell.text) != schemes.end()) {
      spec.scheme = cell.text + ":";
    } else if (cell.text != "identity") {
      add_mistake(1, cell.column, fmt::format("unknown column '{}': {}", cell.text, expected));
    }
    const u32 seen = ++counts[static_cast<std::size_t>(spec.kind)];
    if (spec.kind != Column::identity && seen == 2) {
      add_mistake(1, cell.column, fmt::format("column '{}' is there twice", cell.text));
    }
    columns_.push_back(std::move(spec));
  }
  for (const auto& [kind, name] :
       {std::pair(Column::account, "account"), std::pair(Column::plan, "plan"),
        std::pair(Column::identity, "an identity")}) {
    if (counts[static_cast<std::size_t>(kind)] != 0) continue;
    add_mistake(1, 1, fmt::format("there is no column for {}: {}", name, expected));
  }
  has_columns_ = mistake_count_ == 0;
}

ImportFile::Next ImportFile::next(ImportRow& row) {
  std::string_view line;
  do {
    if (!next_line(line)) return Next::end;
  } while (line.empty());
  row = {};
  row.line = line_;
  const std::string why = split_csv(line, cells_);
  if (!why.empty()) {
    add_mistake(line_, cells_.back().column, why);
    return Next::bad_line;
  }
  if (cells_.size() != columns_.size()) {
    const bool is_short = cells_.size() < columns_.size();
    const u32 column =
        is_short ? static_cast<u32>(line.size() + 1) : cells_[columns_.size()].column;
    add_mistake(line_, column,
                fmt::format("expected {} cells as in the header, found {}", columns_.size(),
                            cells_.size()));
    return Next::bad_line;
  }
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    ImportCell& cell = cells_[i];
    switch (columns_[i].kind) {
      case Column::account:
        row.account = std::move(cell);
        break;
      case Column::plan:
        row.plan = std::move(cell);
        break;
      case Column::balance:
        row.balance = std::move(cell);
        break;
      case Column::identity:
        if (cell.text.empty()) break;
        if (!cell.text.starts_with(columns_[i].scheme)) cell.text.insert(0, columns_[i].scheme);
        row.identities.push_back(std::move(cell));
        break;
    }
  }
  return Next::row;
}

void ImportFile::add_mistake(u64 line, u32 column, std::string message) {
  ++mistake_count_;
  if (mistakes_.size() < mistakes_kept_max) {
    mistakes_.push_back({line, column, std::move(message)});
  }
}

std::vector<ImportMistake> ImportFile::mistakes() const {
  std::vector<ImportMistake> told = mistakes_;
  std::stable_sort(told.begin(), told.end(), [](const auto& a, const auto& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  if (told.size() > mistakes_told_max) told.resize(mistakes_told_max);
  return told;
}

AccountOrder to_order(const ImportRow& row) {
  AccountOrder order{.name = row.account.text,
                     .identities = {},
                     .plan = row.plan.text,
                     .balance = row.balance.text};
  for (const ImportCell& cell : row.identities) order.identities.push_back(cell.text);
  return order;
}

}  // namespace tollgate::control
