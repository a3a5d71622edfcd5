// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The regular expressions of all rules in one database, and the image as octets.

#include <fmt/format.h>
#include <hs.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "rating/normalise_lower.hh"

namespace tollgate::rating {
namespace {

constexpr u32 pattern_flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;
constexpr u64 database_unit = 64;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
  void operator()(hs_database_t* database) const { hs_free_database(database); }
  void operator()(hs_compile_error_t* error) const { hs_free_compile_error(error); }
};

// Appends a table at a multiple of `unit` and says where it is.
template <class Record>
Extent append(std::vector<u8>& octets, const Record* records, std::size_t count, u64 unit) {
  octets.resize(round_up(octets.size(), unit));
  const Extent extent{static_cast<u32>(octets.size()), static_cast<u32>(count)};
  if (count == 0) return extent;
  octets.resize(octets.size() + count * sizeof(Record));
  std::memcpy(&octets[extent.offset], records, count * sizeof(Record));
  return extent;
}
template <class Table>
Extent append(std::vector<u8>& octets, const Table& table, u64 unit = 8) {
  return append(octets, table.data(), table.size(), unit);
}

// A database as it lies in memory: Hyperscan lays it out for an address that is a multiple of 64,
// and needs no other than such a one to run it.
std::vector<u8> lay_out(const hs_database_t* database) {
  char* serialized = nullptr;
  std::size_t length = 0;
  std::size_t bytes = 0;
  if (hs_serialize_database(database, &serialized, &length) != HS_SUCCESS) return {};
  const std::unique_ptr<char, Free> owner(serialized);
  if (hs_serialized_database_size(serialized, length, &bytes) != HS_SUCCESS) return {};
  const std::unique_ptr<void, Free> memory(
      std::aligned_alloc(database_unit, round_up(bytes, database_unit)));
  auto* place = static_cast<hs_database_t*>(memory.get());
  if (hs_deserialize_database_at(serialized, length, place) != HS_SUCCESS) return {};
  const auto* begin = static_cast<const u8*>(memory.get());
  return {begin, begin + bytes};
}

// Python's and everybody's expressions are for texts of any octets here.
std::string complaint(const hs_compile_error_t* error) {
  return error == nullptr || error->message == nullptr ? "it is not understood" : error->message;
}

}  // namespace

// False if an expression is not understood; each is told.
bool NormaliseLowerer::compile_patterns() {
  if (patterns_.empty()) return true;
  std::vector<const char*> expressions;
  std::vector<u32> flags(patterns_.size(), pattern_flags);
  std::vector<u32> ids;
  bool are_good = true;
  for (const PatternText& pattern : pattern_texts_) {
    expressions.push_back(pattern.text.c_str());
    ids.push_back(static_cast<u32>(ids.size()));
    hs_expr_info_t* info = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_expression_info(expressions.back(), pattern_flags, &info, &error) == HS_SUCCESS) {
      std::free(info);
      continue;
    }
    const std::unique_ptr<hs_compile_error_t, Free> owner(error);
    report_.add(pattern.at,
                fmt::format("the expression \"{}\": {}", pattern.text, complaint(error)),
                "back references and look-around are not possible");
    are_good = false;
  }
  if (!are_good) return false;
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t result = hs_compile_multi(expressions.data(), flags.data(), ids.data(),
                                             static_cast<u32>(expressions.size()), HS_MODE_BLOCK,
                                             nullptr, &database, &error);
  const std::unique_ptr<hs_compile_error_t, Free> error_owner(error);
  if (result != HS_SUCCESS) {
    const bool is_one = error != nullptr && error->expression >= 0;
    const Place at =
        is_one ? pattern_texts_[static_cast<u32>(error->expression)].at : pattern_texts_[0].at;
    report_.add(at, fmt::format("the expressions together: {}", complaint(error)));
    return false;
  }
  const std::unique_ptr<hs_database_t, Free> owner(database);
  hs_scratch_t* scratch = nullptr;
  std::size_t bytes = 0;
  const bool has_size = hs_alloc_scratch(database, &scratch) == HS_SUCCESS &&
                        hs_scratch_size(scratch, &bytes) == HS_SUCCESS;
  hs_free_scratch(scratch);
  if (!has_size || bytes > normalise_scratch_max) {
    report_.add(pattern_texts_[0].at,
                "the expressions need too much memory while they are looked for",
                "make them shorter, or write prefixes and sets instead");
    return false;
  }
  database_ = lay_out(database);
  return !database_.empty();
}

std::vector<u8> NormaliseLowerer::write() {
  std::vector<u8> octets(sizeof(NormaliseHeader));
  NormaliseHeader header;
  header.magic = normalise_magic;
  header.layout = normalise_layout;
  header.atom_count = static_cast<u32>(atom_fields_.size());
  header.plan = plan_;
  header.services = append(octets, services_);
  header.fields = append(octets, fields_);
  header.steps = append(octets, steps_);
  header.keys = append(octets, keys_);
  header.ranges = append(octets, ranges_);
  header.patterns = append(octets, patterns_);
  header.atoms = append(octets, atoms_);
  header.atom_fields = append(octets, atom_fields_);
  header.postings = append(octets, postings_);
  header.rules = append(octets, rules_);
  header.conditions = append(octets, conditions_);
  header.settings = append(octets, settings_);
  header.translations = append(octets, translations_);
  header.operators = append(octets, operators_);
  header.ported = append(octets, ported_, 64);
  header.programs = append(octets, programs_, 16);
  header.texts = append(octets, texts_);
  header.database = append(octets, database_, database_unit);
  octets.resize(round_up(octets.size(), database_unit));
  header.size_bytes = octets.size();
  std::memcpy(octets.data(), &header, sizeof header);
  seal_normalise(octets);
  return octets;
}

}  // namespace tollgate::rating
