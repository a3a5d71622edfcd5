// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/normalise_lower.hh"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "rating/python_compile.hh"

namespace tollgate::rating {

TextRef NormaliseLowerer::add_text(std::string_view text) {
  const auto found = text_refs_.find(text);
  if (found != text_refs_.end()) return found->second;
  const TextRef ref{static_cast<u32>(texts_.size()), static_cast<u32>(text.size())};
  texts_ += text;
  text_refs_.emplace(text, ref);
  return ref;
}

// One field for all that look at the same AVP in the same form.
u32 NormaliseLowerer::field_of(const FieldText& text, u64 services) {
  std::string name =
      fmt::format("{} {}", static_cast<u32>(text.source), static_cast<u32>(text.form));
  for (const AvpStep& step : text.path) name += fmt::format("/{}:{}", step.vendor, step.code);
  const auto [found, is_new] = field_numbers_.emplace(name, static_cast<u32>(fields_.size()));
  if (is_new) {
    NormaliseField field;
    field.source = text.source;
    field.form = text.form;
    field.path = {static_cast<u32>(steps_.size()), static_cast<u32>(text.path.size())};
    steps_.insert(steps_.end(), text.path.begin(), text.path.end());
    fields_.push_back(field);
    if (fields_.size() == normalise_fields_max + 1) {
      report_.add(text.at, fmt::format("more than {} different AVPs", normalise_fields_max));
    }
  }
  fields_[found->second].services |= services;
  return found->second;
}

u32 NormaliseLowerer::new_atom(u32 field) {
  atom_fields_.push_back(field);
  return static_cast<u32>(atom_fields_.size() - 1);
}

u32 NormaliseLowerer::atom_of(const TestText& test, u64 services) {
  const u32 field = field_of(test.field, services);
  std::string name = fmt::format("{} {}", field, static_cast<u32>(test.kind));
  std::vector<std::string> sorted = test.texts;
  std::ranges::sort(sorted);
  for (const std::string& text : sorted) name += fmt::format(" {}:{}", text.size(), text);
  for (const AddressRange& range : test.ranges) {
    name += fmt::format(" {:x}.{:x}-{:x}.{:x}", static_cast<u64>(range.first >> 64),
                        static_cast<u64>(range.first), static_cast<u64>(range.last >> 64),
                        static_cast<u64>(range.last));
  }
  const auto found = atom_numbers_.find(name);
  if (found != atom_numbers_.end()) return found->second;
  const u32 atom = new_atom(field + 1);
  atom_numbers_.emplace(name, atom);
  fill_atom(test, field, atom);
  return atom;
}

void NormaliseLowerer::fill_atom(const TestText& test, u32 field, u32 atom) {
  if (test.kind == TestKind::present) fields_[field].present_atom = atom + 1;
  for (const AddressRange& range : test.ranges) {
    pieces_[field].push_back({range.first, range.last, atom});
  }
  for (const std::string& text : test.texts) {
    if (test.kind == TestKind::matches) {
      patterns_.push_back({field, atom});
      pattern_texts_.push_back({text, test.at});
      fields_[field].has_patterns = 1;
      continue;
    }
    const auto length = static_cast<u32>(test.kind == TestKind::prefix ? text.size() : 0);
    if (length == 0) fields_[field].has_keys = 1;
    if (length != 0) fields_[field].prefix_lengths |= 1u << length;
    std::vector<u32>& atoms = key_atoms_[{field, length, text}];
    if (std::ranges::find(atoms, atom) == atoms.end()) atoms.push_back(atom);
  }
}

// ---- numbers

Extent NormaliseLowerer::prefixes(const std::vector<std::string>& texts) {
  // The longest first: the first that fits is taken.
  std::vector<std::string> sorted = texts;
  std::ranges::stable_sort(sorted,
                           [](const auto& a, const auto& b) { return a.size() > b.size(); });
  const Extent extent{static_cast<u32>(translations_.size()), static_cast<u32>(sorted.size())};
  for (const std::string& text : sorted) translations_.push_back(add_text(text));
  return extent;
}

Extent NormaliseLowerer::number_fields(const std::vector<FieldText>& fields) {
  std::vector<u32> numbers;
  for (const FieldText& field : fields) numbers.push_back(field_of(field, 0));
  const Extent extent{static_cast<u32>(postings_.size()), static_cast<u32>(numbers.size())};
  postings_.insert(postings_.end(), numbers.begin(), numbers.end());
  return extent;
}

void NormaliseLowerer::add_translation(const Key& key, const NumberPair& pair) {
  const auto [found, is_new] = key_translations_.emplace(key, translations_.size());
  if (!is_new) {
    report_.add(pair.at, fmt::format("\"{}\" is replaced twice", pair.from));
    return;
  }
  translations_.push_back(add_text(pair.to));
}

void NormaliseLowerer::lower_plan() {
  const NumberPlanText& text = syntax_.plan;
  if (!text.national.empty() && text.country.empty()) {
    report_.add(text.at, "a national prefix without a country", "add: country \"46\"");
  }
  plan_.country = add_text(text.country);
  plan_.national = prefixes(text.national);
  plan_.international = prefixes(text.international);
  plan_.calling_from = number_fields(text.calling_from);
  plan_.called_from = number_fields(text.called_from);
  for (const NumberPair& pair : text.shorts) {
    add_translation({short_code_field, 0, pair.from}, pair);
    plan_.short_lengths_max = std::max(plan_.short_lengths_max, static_cast<u32>(pair.from.size()));
  }
  lower_ported_files();
  for (const NumberPair& pair : text.ported) {
    if (pair.from.size() > normalise_prefix_max) {
      report_.add(pair.at, "the number is too long", "31 digits at most");
      continue;
    }
    const auto length = static_cast<u32>(pair.from.size());
    add_translation({ported_field, length, pair.from}, pair);
    plan_.ported_lengths |= 1u << length;
  }
}

// ---- rules

void NormaliseLowerer::lower_service(const NormaliseServiceText& text) {
  std::vector<u64> contexts = text.contexts;
  if (contexts.empty()) contexts.push_back(0);
  // Blocks of one service in several files are one: its rules follow each other.
  const u32 atom = new_atom(0);
  u64 services = 0;
  u32 first = 0;
  for (const u64 context : contexts) {
    const auto same = std::ranges::find(services_, context, &NormaliseService::context);
    if (same != services_.end()) {
      report_.add(text.at, "a service stands in two blocks",
                  "write all of its rules into one block");
      return;
    }
    if (services_.size() == normalise_services_max) {
      report_.add(text.at, fmt::format("more than {} services", normalise_services_max));
      return;
    }
    first = static_cast<u32>(services_.size());
    services |= u64{1} << first;
    services_.push_back({context, atom, text.passes ? 1u : 0u});
  }
  for (const NormaliseRuleText& rule : text.rules) lower_rule(rule, atom, services);
  if (text.rules.empty()) report_.add(text.at, "the service has no rule");
}

// A rule belongs to its service by the service's atom, which is its first condition.
void NormaliseLowerer::lower_rule(const NormaliseRuleText& text, u32 service_atom, u64 services) {
  NormaliseRule rule;
  rule.name = add_text(text.name);
  rule.line = text.at.line;
  rule.service = service_atom;
  rule.conditions.offset = static_cast<u32>(conditions_.size());
  rule.settings.offset = static_cast<u32>(settings_.size());
  std::set<NormaliseCondition> seen{service_atom << 1};
  conditions_.push_back(service_atom << 1);
  for (const TestText& test : text.tests) {
    const NormaliseCondition condition = atom_of(test, services) << 1 | (test.is_negated ? 1u : 0u);
    if (seen.contains(condition ^ 1)) {
      report_.add(test.at, "the rule can never fit: it asks for this and for its opposite");
    }
    if (seen.insert(condition).second) conditions_.push_back(condition);
  }
  for (const SettingText& setting : text.settings) {
    settings_.push_back(lower_setting(setting, services));
  }
  rule.conditions.count = static_cast<u32>(conditions_.size()) - rule.conditions.offset;
  rule.settings.count = static_cast<u32>(settings_.size()) - rule.settings.offset;
  if (rules_.size() == normalise_rules_max) report_.add(text.at, "too many rules");
  rules_.push_back(rule);
}

NormaliseSetting NormaliseLowerer::lower_setting(const SettingText& text, u64 services) {
  NormaliseSetting setting;
  setting.attribute = text.attribute;
  setting.source = text.source;
  setting.number = text.number;
  if (text.source == SettingSource::text) setting.text = add_text(text.text);
  if (text.source == SettingSource::field) setting.index = field_of(*text.field, services);
  if (text.source == SettingSource::program) setting.index = program_of(text);
  return setting;
}

// A file that rules name, by its path's last part; nullptr: there is none.
const TariffText* NormaliseLowerer::find_file(std::string_view name) const {
  const auto is_it = [&](const TariffText& file) {
    return file.name == name || file.name.ends_with(fmt::format("/{}", name));
  };
  const auto file = std::ranges::find_if(inputs_.others, is_it);
  return file == inputs_.others.end() ? nullptr : &*file;
}

void NormaliseLowerer::lower_ported_files() {
  std::vector<const TariffText*> files;
  for (const NumberPlanText::File& each : syntax_.plan.ported_files) {
    const TariffText* file = find_file(each.name);
    if (file == nullptr) {
      report_.add(each.at, fmt::format("there is no file \"{}\"", each.name),
                  "it stands in the folder of the rules; its name ends with .csv");
    } else {
      files.push_back(file);
    }
  }
  if (files.empty()) return;
  PortedNumbers read = read_ported(files, syntax_.plan.ported_files.front().at, report_);
  for (const std::string& text : read.operators) {
    const bool is_prefix = text[0] >= '0' && text[0] <= '9';
    PortedOperator made;
    if (is_prefix) {
      made.prefix = add_text(text);
    } else {
      made.zone = text_key(text);
    }
    operators_.push_back(made);
  }
  ported_ = std::move(read.slots);
}

// The offset of a function's program, compiled once for all rules that call it.
u32 NormaliseLowerer::program_of(const SettingText& text) {
  const auto [found, is_new] =
      program_numbers_.emplace(text.file + " " + text.text, static_cast<u32>(programs_.size()));
  if (!is_new) return found->second;
  const TariffText* file = find_file(text.file);
  if (file == nullptr) {
    report_.add(text.at, fmt::format("there is no Python file \"{}\"", text.file),
                "it stands in the folder of the rules");
    return 0;
  }
  const PythonCompiled compiled = compile_python(parse_python(file->text), text.text, {});
  for (const PythonMistake& one : compiled.mistakes) {
    report_.add(text.at, fmt::format("{}:{}:{}: {}", file->name, one.line, one.column, one.message),
                one.hint);
  }
  programs_.insert(programs_.end(), compiled.program.begin(), compiled.program.end());
  return found->second;
}

// Each rule hangs on the one of its atoms that fewest rules have.
void NormaliseLowerer::hang_rules() {
  std::vector<u32> uses(atom_fields_.size());
  for (const NormaliseCondition one : conditions_) ++uses[one >> 1];
  std::vector<std::vector<u32>> hung(atom_fields_.size());
  for (u32 number = 0; number < rules_.size(); ++number) {
    const Extent own = rules_[number].conditions;
    u32 best = conditions_[own.offset] >> 1;
    for (u32 i = own.offset; i < own.offset + own.count; ++i) {
      const bool is_better = (conditions_[i] & 1) == 0 && uses[conditions_[i] >> 1] < uses[best];
      if (is_better) best = conditions_[i] >> 1;
    }
    hung[best].push_back(number);
  }
  for (const std::vector<u32>& some : hung) {
    atoms_.push_back({static_cast<u32>(postings_.size()), static_cast<u32>(some.size())});
    postings_.insert(postings_.end(), some.begin(), some.end());
  }
}

// Between two neighbouring edges the same atoms hold.
void NormaliseLowerer::lower_ranges() {
  for (const auto& [field, pieces] : pieces_) {
    std::map<u128, std::pair<std::vector<u32>, std::vector<u32>>> edges;  // begin, end
    for (const Piece& piece : pieces) {
      edges[piece.first].first.push_back(piece.atom);
      if (piece.last != ~u128{0}) edges[piece.last + 1].second.push_back(piece.atom);
    }
    std::multiset<u32> held;
    fields_[field].ranges.offset = static_cast<u32>(ranges_.size());
    for (const auto& [at, change] : edges) {
      for (const u32 atom : change.second) held.erase(held.find(atom));
      held.insert(change.first.begin(), change.first.end());
      const std::set<u32> atoms(held.begin(), held.end());
      ranges_.push_back({static_cast<u64>(at >> 64),
                         static_cast<u64>(at),
                         {static_cast<u32>(postings_.size()), static_cast<u32>(atoms.size())}});
      postings_.insert(postings_.end(), atoms.begin(), atoms.end());
    }
    fields_[field].ranges.count = static_cast<u32>(ranges_.size()) - fields_[field].ranges.offset;
  }
}

void NormaliseLowerer::lower_keys() {
  const u64 count = next_power_of_two(2 * (key_atoms_.size() + key_translations_.size()) + 2);
  keys_.resize(count);
  const auto place = [&](const Key& key, Extent atoms) {
    NormaliseKey slot{normalise_key_hash(key.field, key.length, key.text), add_text(key.text),
                      atoms};
    u64 at = slot.hash & (count - 1);
    while (keys_[at].atoms.count != 0) at = (at + 1) & (count - 1);
    keys_[at] = slot;
  };
  for (const auto& [key, atoms] : key_atoms_) {
    place(key, {static_cast<u32>(postings_.size()), static_cast<u32>(atoms.size())});
    postings_.insert(postings_.end(), atoms.begin(), atoms.end());
  }
  for (const auto& [key, number] : key_translations_) place(key, {number, normalise_translated});
}

std::vector<u8> NormaliseLowerer::lower() {
  new_atom(0);  // atoms_always
  lower_plan();
  for (const NormaliseServiceText& service : syntax_.services) lower_service(service);
  if (atom_fields_.size() > normalise_atoms_max) report_.add({}, "too many different tests");
  if (!report_.is_empty() || !compile_patterns()) return {};
  hang_rules();
  lower_ranges();
  lower_keys();
  return write();
}

}  // namespace tollgate::rating
