// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/normalise_image.hh"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/hash.hh"
#include "rating/program.hh"

namespace tollgate::rating {
namespace {

class Checker {
 public:
  explicit Checker(Bytes bytes) : bytes_(bytes) { std::memcpy(&head_, bytes.data(), sizeof head_); }

  bool extents() const {
    return fits<NormaliseService>(head_.services) && fits<NormaliseField>(head_.fields) &&
           fits<AvpStep>(head_.steps) && fits<NormaliseKey>(head_.keys) &&
           fits<NormaliseRange>(head_.ranges) && fits<NormalisePattern>(head_.patterns) &&
           fits<Extent>(head_.atoms) && fits<u32>(head_.atom_fields) && fits<u32>(head_.postings) &&
           fits<NormaliseRule>(head_.rules) && fits<NormaliseCondition>(head_.conditions) &&
           fits<NormaliseSetting>(head_.settings) && fits<TextRef>(head_.translations) &&
           fits<u8>(head_.programs) && fits<PortedOperator>(head_.operators) &&
           fits<u64>(head_.ported) && fits<u8>(head_.texts) && fits<u8>(head_.database) &&
           head_.database.offset % 64 == 0 && head_.programs.offset % 16 == 0 &&
           head_.atom_count == head_.atoms.count && head_.atom_count == head_.atom_fields.count &&
           head_.atom_count != 0 && head_.atom_count <= normalise_atoms_max &&
           head_.rules.count <= normalise_rules_max && head_.fields.count <= normalise_fields_max &&
           head_.services.count <= normalise_services_max && is_power_of_two(head_.keys.count);
  }

  bool tables() const {
    return all<NormaliseService>(head_.services, [&](auto& one) { return is_atom(one.atom); }) &&
           all<NormaliseField>(head_.fields, [&](auto& one) { return is_field(one); }) &&
           all<NormaliseKey>(head_.keys, [&](auto& one) { return is_key(one); }) &&
           has_empty_key() &&
           all<NormaliseRange>(head_.ranges, [&](auto& one) { return are_atoms(one.atoms); }) &&
           all<NormalisePattern>(
               head_.patterns,
               [&](auto& one) { return one.field < head_.fields.count && is_atom(one.atom); }) &&
           all<Extent>(head_.atoms, [&](auto& one) { return are_rules(one); }) &&
           all<u32>(head_.atom_fields, [&](auto& one) { return one <= head_.fields.count; }) &&
           all<NormaliseRule>(head_.rules, [&](auto& one) { return is_rule(one); }) &&
           all<NormaliseCondition>(head_.conditions,
                                   [&](auto& one) { return is_atom(one >> 1); }) &&
           all<NormaliseSetting>(head_.settings, [&](auto& one) { return is_setting(one); }) &&
           all<TextRef>(head_.translations, [&](auto& one) { return is_text(one); }) && plan();
  }

 private:
  template <class Record>
  bool fits(Extent extent) const {
    const u64 end = u64{extent.offset} + u64{extent.count} * sizeof(Record);
    return extent.offset >= sizeof head_ && end <= bytes_.size() &&
           extent.offset % alignof(Record) == 0;
  }
  template <class Record>
  std::span<const Record> table(Extent extent) const {
    return {reinterpret_cast<const Record*>(bytes_.data() + extent.offset), extent.count};
  }
  template <class Record, class Test>
  bool all(Extent extent, const Test& test) const {
    return std::ranges::all_of(table<Record>(extent), test);
  }
  static bool is_inside(Extent part, Extent whole) {
    return u64{part.offset} + part.count <= whole.count;
  }
  bool is_atom(u32 atom) const { return atom < head_.atom_count; }
  bool is_text(TextRef ref) const { return u64{ref.offset} + ref.length <= head_.texts.count; }
  bool are_below(Extent part, u32 limit) const {
    if (!is_inside(part, head_.postings)) return false;
    const auto some = table<u32>(head_.postings).subspan(part.offset, part.count);
    return std::ranges::all_of(some, [&](u32 one) { return one < limit; });
  }
  bool are_atoms(Extent part) const { return are_below(part, head_.atom_count); }
  bool are_rules(Extent part) const { return are_below(part, head_.rules.count); }
  bool is_field(const NormaliseField& field) const {
    return field.source <= FieldSource::identifier && field.form <= FieldForm::hex &&
           is_inside(field.path, head_.steps) && is_inside(field.ranges, head_.ranges) &&
           field.present_atom <= head_.atom_count;
  }
  bool is_key(const NormaliseKey& key) const {
    if (key.atoms.count == 0) return true;
    if (!is_text(key.text)) return false;
    if (key.atoms.count != normalise_translated) return are_atoms(key.atoms);
    return key.atoms.offset < head_.translations.count;
  }
  bool has_empty_key() const {
    return std::ranges::any_of(table<NormaliseKey>(head_.keys),
                               [](const NormaliseKey& key) { return key.atoms.count == 0; });
  }
  bool is_rule(const NormaliseRule& rule) const {
    return is_inside(rule.conditions, head_.conditions) &&
           is_inside(rule.settings, head_.settings) && is_text(rule.name) && is_atom(rule.service);
  }
  bool is_setting(const NormaliseSetting& setting) const {
    if (setting.attribute > Attribute::called || setting.source > SettingSource::program) {
      return false;
    }
    if (setting.source == SettingSource::field) return setting.index < head_.fields.count;
    if (setting.source != SettingSource::program) return is_text(setting.text);
    const u64 begin = setting.index;
    if (begin % 16 != 0 || begin + sizeof(ProgramHeader) > head_.programs.count) return false;
    const Bytes programs = table<u8>(head_.programs);
    ProgramHeader header;
    std::memcpy(&header, programs.data() + begin, sizeof header);
    return begin + header.bytes <= programs.size() &&
           validate_program(programs.subspan(begin, header.bytes));
  }
  bool are_ported() const {
    if (head_.ported.count == 0) return true;
    const auto slots = table<u64>(head_.ported);
    const auto is_slot = [&](u64 slot) {
      const u64 number = slot & ported_operators_max;
      return slot == 0 || (number != 0 && number <= head_.operators.count);
    };
    return std::has_single_bit(slots.size()) && std::ranges::find(slots, u64{0}) != slots.end() &&
           std::ranges::all_of(slots, is_slot);
  }
  bool plan() const {
    const NumberPlan& numbers = head_.plan;
    const auto is_operator = [&](const PortedOperator& each) { return is_text(each.prefix); };
    if (!all<PortedOperator>(head_.operators, is_operator) || !are_ported()) return false;
    return is_text(numbers.country) && is_inside(numbers.national, head_.translations) &&
           is_inside(numbers.international, head_.translations) &&
           are_below(numbers.calling_from, head_.fields.count) &&
           are_below(numbers.called_from, head_.fields.count);
  }

  Bytes bytes_;
  NormaliseHeader head_;
};

u32 crc_of(Bytes bytes) {
  NormaliseHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.crc = 0;
  const u32 first = crc32c({reinterpret_cast<const u8*>(&header), sizeof header});
  return crc32c(bytes.subspan(sizeof header), first);
}

constexpr u64 bundle_unit = 64;

}  // namespace

u64 normalise_key_hash(u32 field, u32 length, std::string_view text) {
  return hash64(as_bytes(text), u64{field} << 8 | length);
}

bool validate_normalise(Bytes bytes) {
  if (bytes.size() < sizeof(NormaliseHeader)) return false;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return false;
  NormaliseHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != normalise_magic || header.layout != normalise_layout) return false;
  if (header.size_bytes != bytes.size() || crc_of(bytes) != header.crc) return false;
  const Checker checker(bytes);
  return checker.extents() && checker.tables();
}

void seal_normalise(MutableBytes image) {
  const u32 crc = crc_of(image);
  std::memcpy(image.data() + offsetof(NormaliseHeader, crc), &crc, sizeof crc);
}

Bytes tariff_part(Bytes blob) {
  ImageHeader header;
  if (blob.size() < sizeof header) return blob;
  std::memcpy(&header, blob.data(), sizeof header);
  const bool is_tariff = header.magic == image_magic && header.size_bytes <= blob.size();
  return is_tariff ? blob.first(header.size_bytes) : blob;
}

Bytes normalise_part(Bytes blob) {
  const u64 begin = round_up(tariff_part(blob).size(), bundle_unit);
  return begin >= blob.size() ? Bytes{} : blob.subspan(begin);
}

std::vector<u8> make_bundle(Bytes tariff, Bytes normalise) {
  std::vector<u8> blob(tariff.begin(), tariff.end());
  if (normalise.empty()) return blob;
  blob.resize(round_up(blob.size(), bundle_unit));
  blob.insert(blob.end(), normalise.begin(), normalise.end());
  return blob;
}

}  // namespace tollgate::rating
