// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/normalise.hh"

#include <hs.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.hh"
#include "rating/facts.hh"
#include "rating/number_text.hh"

namespace tollgate::rating {
namespace {

// Hyperscan asks for memory by functions that are the same for all threads of a process. A thread
// that says before where it is to come from gets it there; any other gets it from the heap.
thread_local u8* arena_begin = nullptr;
thread_local u8* arena_next = nullptr;
thread_local u8* arena_end = nullptr;

void* take_scratch(std::size_t bytes) {
  if (arena_begin == nullptr) return std::malloc(bytes);
  const u64 step = round_up(bytes, cache_line_bytes);
  if (step > static_cast<u64>(arena_end - arena_next)) return nullptr;
  u8* const here = arena_next;
  arena_next += step;
  return here;
}
void give_scratch(void* memory) {
  const auto* at = static_cast<u8*>(memory);
  const bool is_in_arena = arena_begin != nullptr && at >= arena_begin && at < arena_end;
  if (!is_in_arena) std::free(memory);  // the next image begins the arena anew
}

constexpr std::string_view hex_digits = "0123456789abcdef";

u64 read_number(Bytes octets) {
  u64 number = 0;
  for (const u8 octet : octets.last(std::min<std::size_t>(octets.size(), 8))) {
    number = number << 8 | octet;
  }
  return number;
}

// An IPv4 address as IPv6 has it, ::ffff:a.b.c.d.
bool read_address(Bytes octets, u64& high, u64& low) {
  constexpr std::size_t family_bytes = 2;
  if (octets.size() == 6 || octets.size() == 18) octets = octets.subspan(family_bytes);
  if (octets.size() == 4) {
    high = 0;
    low = u64{0xffff} << 32 | read_number(octets);
    return true;
  }
  if (octets.size() != 16) return false;
  high = read_number(octets.first(8));
  low = read_number(octets.last(8));
  return true;
}

bool read_digits(std::string_view text, u64& number) {
  constexpr std::size_t digits_max = 19;
  if (text.empty() || text.size() > digits_max) return false;
  number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<u64>(c - '0');
  }
  return true;
}

}  // namespace

std::string_view to_text(NormaliseOutcome outcome) {
  switch (outcome) {
    case NormaliseOutcome::ok:
      return "ok";
    case NormaliseOutcome::unchanged:
      return "unchanged";
    case NormaliseOutcome::number_unusable:
      return "number_unusable";
    case NormaliseOutcome::program_failed:
      return "program_failed";
    case NormaliseOutcome::avp_missing:
      return "avp_missing";
    case NormaliseOutcome::no_rule:
      return "no_rule";
  }
  return "unknown";
}

Normaliser::Normaliser()
    : bits_(new u64[normalise_atoms_max / 64]()),
      held_(new u32[normalise_atoms_max]),
      values_(new Value[normalise_fields_max]),
      arena_(new u8[2 * normalise_scratch_max + page_bytes]) {}

Normaliser::~Normaliser() = default;

bool Normaliser::use(Bytes image, Program::Mapping mapping) {
  for (u32 i = 0; i < held_count_; ++i) bits_[held_[i] / 64] = 0;
  held_count_ = 0;
  message_atoms_ = 0;
  service_ = 0;
  first_rule_ = 0;
  culprit_field_ = 0;
  image_ = nullptr;
  scratch_ = nullptr;
  mapping_ = mapping;
  if (image.empty()) return true;
  const auto* header = reinterpret_cast<const NormaliseHeader*>(image.data());
  if (header->patterns.count != 0) {
    arena_begin = reinterpret_cast<u8*>(
        round_up(reinterpret_cast<std::uintptr_t>(arena_.get()), cache_line_bytes));
    arena_next = arena_begin;
    arena_end = arena_.get() + 2 * normalise_scratch_max + page_bytes;
    hs_set_scratch_allocator(take_scratch, give_scratch);
    const auto* database =
        reinterpret_cast<const hs_database_t*>(image.data() + header->database.offset);
    const hs_error_t result = hs_alloc_scratch(database, &scratch_);
    arena_begin = nullptr;
    if (result != HS_SUCCESS) return false;
  }
  image_ = header;
  return true;
}

std::string_view Normaliser::text(TextRef ref) const {
  return as_text(table<u8>(image_->texts).subspan(ref.offset, ref.length));
}

std::span<const AvpStep> Normaliser::culprit() const {
  if (culprit_field_ == 0) return {};
  const NormaliseField& field = table<NormaliseField>(image_->fields)[culprit_field_ - 1];
  return table<AvpStep>(image_->steps).subspan(field.path.offset, field.path.count);
}

std::string_view Normaliser::rule_name() const {
  if (first_rule_ == 0) return {};
  return text(table<NormaliseRule>(image_->rules)[first_rule_ - 1].name);
}

// ---- What the message says

void Normaliser::look(const AvpSource& avps, u64 context, Instant at) {
  for (u32 i = 0; i < held_count_; ++i) bits_[held_[i] / 64] = 0;
  held_count_ = 0;
  message_atoms_ = 0;
  first_rule_ = 0;
  culprit_field_ = 0;
  context_ = context;
  at_ = at;
  service_ = 0;
  const auto services = table<NormaliseService>(image_->services);
  for (u32 i = 0; i < services.size(); ++i) {
    if (services[i].context == context) {
      service_ = i + 1;
      break;
    }
    if (services[i].context == 0) service_ = i + 1;
  }
  if (service_ == 0) return;
  hold(atoms_always);
  hold(services[service_ - 1].atom);
  const auto fields = table<NormaliseField>(image_->fields);
  for (u32 i = 0; i < fields.size(); ++i) {
    if ((fields[i].services >> (service_ - 1) & 1) == 0) continue;
    if (fields[i].source == FieldSource::avp) read_value(avps, i);
  }
  u64 calling_zone = 0;
  first_number(avps, image_->plan.calling_from, calling_, calling_zone);
  first_number(avps, image_->plan.called_from, called_, called_zone_);
  for (u32 i = 0; i < fields.size(); ++i) {
    if ((fields[i].services >> (service_ - 1) & 1) != 0) test(i);
  }
  message_atoms_ = held_count_;
}

void Normaliser::read_value(const AvpSource& avps, u32 number) {
  const NormaliseField& field = table<NormaliseField>(image_->fields)[number];
  Value& value = values_[number];
  value.inline_count = 0;
  value.is_present = avps.find(
      table<AvpStep>(image_->steps).subspan(field.path.offset, field.path.count), value.octets);
  if (value.is_present) shape(field, value);
}

// Forms that are not the octets themselves.
void Normaliser::shape(const NormaliseField& field, Value& value) const {
  const auto put = [&](u32 nibble) {
    if (value.inline_count < value.inlined.size()) {
      value.inlined[value.inline_count++] = hex_digits[nibble & 15];
    }
  };
  if (field.form == FieldForm::hex) {
    for (const u8 octet : value.octets) {
      put(octet >> 4);
      put(octet);
    }
  } else if (field.form == FieldForm::plmn) {
    std::array<char, plmn_digits_max> room;
    const std::string_view digits = plmn_digits(value.octets, room);
    value.is_present = !digits.empty();
    value.inline_count = static_cast<u8>(digits.copy(value.inlined.data(), digits.size()));
  }
}

// The number that the first of these fields has.
bool Normaliser::first_number(const AvpSource& avps, Extent fields, Digits& digits, u64& zone) {
  digits = {};
  zone = 0;
  for (const u32 number : table<u32>(image_->postings).subspan(fields.offset, fields.count)) {
    read_value(avps, number);
    if (values_[number].is_present && translate(as_text(values_[number].octets), digits, zone)) {
      return true;
    }
  }
  return false;
}

const NormaliseKey* Normaliser::find_key(u32 field, u32 length, std::string_view text) const {
  const auto keys = table<NormaliseKey>(image_->keys);
  const u64 hash = normalise_key_hash(field, length, text);
  const u64 mask = keys.size() - 1;
  for (u64 at = hash & mask;; at = (at + 1) & mask) {
    const NormaliseKey& key = keys[at];
    if (key.atoms.count == 0) return nullptr;
    if (key.hash == hash && this->text(key.text) == text) return &key;
  }
}

// To international digits: short codes first, then prefixes, then what was ported away.
bool Normaliser::translate(std::string_view raw, Digits& digits, u64& zone) const {
  zone = 0;
  std::array<char, bare_number_max> bare;
  const std::string_view number = bare_number(raw, bare);
  const NumberPlan& plan = image_->plan;
  const auto translations = table<TextRef>(image_->translations);
  if (number.empty() || number == "+") return false;
  if (number.size() <= plan.short_lengths_max) {
    const NormaliseKey* key = find_key(short_code_field, 0, number);
    if (key != nullptr) return digits.set(text(translations[key->atoms.offset]));
  }
  const auto begins = [&](Extent prefixes) {
    for (const TextRef ref : translations.subspan(prefixes.offset, prefixes.count)) {
      if (number.starts_with(text(ref))) return ref.length;
    }
    return u32{0};
  };
  std::array<char, Digits::digits_max + 40> whole;
  std::size_t count = 0;
  const auto append = [&](std::string_view part) {
    std::copy(part.begin(), part.end(), whole.begin() + count);
    count += part.size();
  };
  const std::string_view country = text(plan.country);
  if (number[0] == '+') {
    append(number.substr(1));
  } else if (const u32 outward = begins(plan.international); outward != 0) {
    append(number.substr(outward));
  } else if (const u32 trunk = begins(plan.national); trunk != 0) {
    append(country);
    append(number.substr(trunk));
  } else {
    append(number);
  }
  const std::string_view international(whole.data(), count);
  const u64 whole_key = count <= number_digits_max ? number_key(international) : number_absent;
  const u32 served_by = find_ported(table<u64>(image_->ported), whole_key);
  if (served_by != 0) [[unlikely]] {
    const PortedOperator& to = table<PortedOperator>(image_->operators)[served_by - 1];
    zone = to.zone;
    const std::string_view prefix = text(to.prefix);
    std::array<char, Digits::digits_max> routed;
    if (prefix.size() + count > routed.size()) return false;
    std::ranges::copy(prefix, routed.begin());
    std::ranges::copy(international, routed.begin() + prefix.size());
    return digits.set({routed.data(), prefix.size() + count});
  }
  for (u32 length = normalise_prefix_max; length > 0 && plan.ported_lengths != 0; --length) {
    if ((plan.ported_lengths >> length & 1) == 0 || length > count) continue;
    const NormaliseKey* key = find_key(ported_field, length, international.substr(0, length));
    if (key == nullptr) continue;
    std::array<char, Digits::digits_max + 64> moved;
    const std::string_view to = text(translations[key->atoms.offset]);
    const std::size_t rest = count - length;
    if (to.size() + rest > Digits::digits_max) return false;
    std::copy(to.begin(), to.end(), moved.begin());
    std::copy_n(whole.begin() + length, rest, moved.begin() + to.size());
    return digits.set({moved.data(), to.size() + rest});
  }
  return digits.set(international);
}

// ---- Which atoms hold

void Normaliser::hold(u32 atom) {
  u64& word = bits_[atom / 64];
  const u64 bit = u64{1} << atom % 64;
  if ((word & bit) != 0) return;
  word |= bit;
  held_[held_count_++] = atom;
}

void Normaliser::hold_all(Extent atoms) {
  for (const u32 atom : table<u32>(image_->postings).subspan(atoms.offset, atoms.count)) {
    hold(atom);
  }
}

void Normaliser::test(u32 number) {
  const NormaliseField& field = table<NormaliseField>(image_->fields)[number];
  if (field.source == FieldSource::rating_group || field.source == FieldSource::identifier) return;
  if (field.source == FieldSource::calling || field.source == FieldSource::called) {
    const Digits& digits = field.source == FieldSource::calling ? calling_ : called_;
    if (!digits.is_empty()) test_text(number, digits.view());
    return;
  }
  const Value& value = values_[number];
  if (!value.is_present) return;
  u64 high = 0;
  u64 low = 0;
  switch (field.form) {
    case FieldForm::number:
      return test_number(number, read_number(value.octets), true);
    case FieldForm::address:
      if (field.present_atom != 0) hold(field.present_atom - 1);
      if (read_address(value.octets, high, low)) test_range(field, high, low);
      return;
    case FieldForm::text:
      return test_text(number, as_text(value.octets));
    case FieldForm::plmn:
    case FieldForm::hex:
      return test_text(number, {value.inlined.data(), value.inline_count});
  }
}

void Normaliser::test_text(u32 number, std::string_view text) {
  const NormaliseField& field = table<NormaliseField>(image_->fields)[number];
  if (field.present_atom != 0) hold(field.present_atom - 1);
  if (field.has_keys != 0) {
    const NormaliseKey* key = find_key(number, 0, text);
    if (key != nullptr) hold_all(key->atoms);
  }
  for (u32 lengths = field.prefix_lengths; lengths != 0; lengths &= lengths - 1) {
    const auto length = static_cast<u32>(__builtin_ctz(lengths));
    if (length > text.size()) break;
    const NormaliseKey* key = find_key(number, length, text.substr(0, length));
    if (key != nullptr) hold_all(key->atoms);
  }
  u64 digits = 0;
  if (field.ranges.count != 0 && read_digits(text, digits)) test_range(field, 0, digits);
  if (field.has_patterns != 0) {
    scanned_field_ = number;
    const auto* database = reinterpret_cast<const hs_database_t*>(
        reinterpret_cast<const u8*>(image_) + image_->database.offset);
    const hs_error_t result =
        hs_scan(database, text.data(), static_cast<u32>(text.size()), 0, scratch_, on_match, this);
    check(result == HS_SUCCESS, "Hyperscan scans with the scratch made for its database");
  }
}

int Normaliser::on_match(u32 id, unsigned long long, unsigned long long, u32, void* self) {
  auto& normaliser = *static_cast<Normaliser*>(self);
  const NormalisePattern& pattern =
      normaliser.table<NormalisePattern>(normaliser.image_->patterns)[id];
  if (pattern.field == normaliser.scanned_field_) normaliser.hold(pattern.atom);
  return 0;
}

void Normaliser::test_number(u32 number, u64 value, bool is_present) {
  const NormaliseField& field = table<NormaliseField>(image_->fields)[number];
  if (!is_present) return;
  if (field.present_atom != 0) hold(field.present_atom - 1);
  test_range(field, 0, value);
}

// The last range that begins at the value or before.
void Normaliser::test_range(const NormaliseField& field, u64 high, u64 low) {
  const auto ranges =
      table<NormaliseRange>(image_->ranges).subspan(field.ranges.offset, field.ranges.count);
  std::size_t from = 0;
  std::size_t count = ranges.size();
  while (count > 0) {
    const std::size_t half = count / 2;
    const NormaliseRange& middle = ranges[from + half];
    const bool is_after = middle.high > high || (middle.high == high && middle.low > low);
    if (is_after) {
      count = half;
    } else {
      from += half + 1;
      count -= half + 1;
    }
  }
  if (from != 0) hold_all(ranges[from - 1].atoms);
}

// ---- Which rules fit

bool Normaliser::holds(NormaliseCondition condition) const {
  const u32 atom = condition >> 1;
  const bool is_held = (bits_[atom / 64] >> atom % 64 & 1) != 0;
  return is_held != ((condition & 1) != 0);
}

bool Normaliser::fits(const NormaliseRule& rule) const {
  const auto conditions = table<NormaliseCondition>(image_->conditions)
                              .subspan(rule.conditions.offset, rule.conditions.count);
  return std::ranges::all_of(conditions, [this](NormaliseCondition one) { return holds(one); });
}

// The rules that fit, in their order; the first `rules_applied_max` of them.
u32 Normaliser::collect() {
  const auto rules = table<NormaliseRule>(image_->rules);
  const auto postings = table<u32>(image_->postings);
  u32 count = 0;
  for (u32 i = 0; i < held_count_; ++i) {
    const Extent hung = table<Extent>(image_->atoms)[held_[i]];
    for (const u32 rule : postings.subspan(hung.offset, hung.count)) {
      if (!fits(rules[rule])) continue;
      // Few fit at once: kept in order as they are found.
      u32 at = count;
      for (; at > 0 && fitting_[at - 1] > rule; --at) {
        if (at < rules_applied_max) fitting_[at] = fitting_[at - 1];
      }
      if (at < rules_applied_max) fitting_[at] = rule;
      if (count < rules_applied_max) ++count;
    }
  }
  return count;
}

NormaliseOutcome Normaliser::apply(const NormaliseInput& input, ChargeEvent& event) {
  event.service_context = context_;
  event.rating_group = input.rating_group;
  event.service_identifier = input.service_identifier;
  event.has_rating_group = input.has_rating_group;
  event.has_service_identifier = input.has_service_identifier;
  if (service_ == 0) return NormaliseOutcome::unchanged;
  event.calling = calling_;
  event.called = called_;
  event.zone = called_zone_;
  first_rule_ = 0;
  culprit_field_ = 0;
  for (; held_count_ > message_atoms_; --held_count_) {
    const u32 atom = held_[held_count_ - 1];
    bits_[atom / 64] &= ~(u64{1} << atom % 64);
  }
  const auto fields = table<NormaliseField>(image_->fields);
  for (u32 i = 0; i < fields.size(); ++i) {
    if (fields[i].source == FieldSource::rating_group) {
      test_number(i, input.rating_group, input.has_rating_group);
    } else if (fields[i].source == FieldSource::identifier) {
      test_number(i, input.service_identifier, input.has_service_identifier);
    }
  }
  const u32 count = collect();
  if (count == 0) {
    const bool passes = table<NormaliseService>(image_->services)[service_ - 1].passes != 0;
    return passes ? NormaliseOutcome::unchanged : blame();
  }
  first_rule_ = fitting_[0] + 1;
  u32 done = 0;  // bits of attributes: the first rule that sets one decides
  const auto rules = table<NormaliseRule>(image_->rules);
  const auto settings = table<NormaliseSetting>(image_->settings);
  for (u32 i = 0; i < count; ++i) {
    const Extent own = rules[fitting_[i]].settings;
    u32 set_here = 0;
    for (const NormaliseSetting& setting : settings.subspan(own.offset, own.count)) {
      const u32 bit = 1u << static_cast<u32>(setting.attribute);
      if ((done & bit) != 0) continue;
      const NormaliseOutcome outcome = set(setting, event);
      if (outcome != NormaliseOutcome::ok) return outcome;
      set_here |= bit;
    }
    done |= set_here;
  }
  return NormaliseOutcome::ok;
}

// ---- What rules set

NormaliseOutcome Normaliser::set(const NormaliseSetting& setting, ChargeEvent& event) {
  switch (setting.source) {
    case SettingSource::number:
      return set_number(setting.attribute, static_cast<i64>(setting.number), event);
    case SettingSource::text:
      return set_text(setting.attribute, text(setting.text), event);
    case SettingSource::field: {
      const NormaliseField& field = table<NormaliseField>(image_->fields)[setting.index];
      const Value& value = values_[setting.index];
      culprit_field_ = setting.index + 1;
      if (!value.is_present) return NormaliseOutcome::avp_missing;
      const bool is_inline = field.form == FieldForm::plmn || field.form == FieldForm::hex;
      const std::string_view shown =
          is_inline ? std::string_view(value.inlined.data(), value.inline_count)
                    : as_text(value.octets);
      const NormaliseOutcome outcome =
          field.form == FieldForm::number
              ? set_number(setting.attribute, static_cast<i64>(read_number(value.octets)), event)
              : set_text(setting.attribute, shown, event);
      if (outcome == NormaliseOutcome::ok) culprit_field_ = 0;
      return outcome;
    }
    case SettingSource::program:
      break;
  }
  const Bytes programs = table<u8>(image_->programs);
  const Program program(programs.subspan(setting.index), mapping_);
  Facts facts;
  fill_facts(event, facts);
  if ((program.header().facts_used & calendar_facts) != 0) fill_calendar(at_, {}, facts);
  const ProgramResult result = program.run(facts.value);
  if (result.outcome != ProgramOutcome::ok) return NormaliseOutcome::program_failed;
  return set_number(setting.attribute, result.value, event);
}

NormaliseOutcome Normaliser::set_number(Attribute attribute, i64 number, ChargeEvent& event) {
  const auto as_u32 = static_cast<u32>(number);
  const bool fits = number >= 0 && number <= i64{UINT32_MAX};
  switch (attribute) {
    case Attribute::rating_group:
      if (!fits) return NormaliseOutcome::number_unusable;
      event.rating_group = as_u32;
      event.has_rating_group = true;
      return NormaliseOutcome::ok;
    case Attribute::identifier:
      if (!fits) return NormaliseOutcome::number_unusable;
      event.service_identifier = as_u32;
      event.has_service_identifier = true;
      return NormaliseOutcome::ok;
    case Attribute::service:
      event.service_context = static_cast<u64>(number);
      return NormaliseOutcome::ok;
    case Attribute::zone:
      event.zone = static_cast<u64>(number);
      return NormaliseOutcome::ok;
    case Attribute::direction:
      if (number > static_cast<i64>(Direction::forwarded) || number < 0) break;
      event.direction = static_cast<Direction>(number);
      return NormaliseOutcome::ok;
    case Attribute::location:
      if (number > static_cast<i64>(Location::roaming) || number < 0) break;
      event.location = static_cast<Location>(number);
      return NormaliseOutcome::ok;
    case Attribute::network:
    case Attribute::calling:
    case Attribute::called:
      break;
  }
  return NormaliseOutcome::number_unusable;
}

NormaliseOutcome Normaliser::set_text(Attribute attribute, std::string_view text,
                                      ChargeEvent& event) {
  const auto done = [](bool is_set) {
    return is_set ? NormaliseOutcome::ok : NormaliseOutcome::number_unusable;
  };
  switch (attribute) {
    case Attribute::calling: {
      u64 zone = 0;  // of who calls: prices ask for that of the called number
      return done(translate(text, event.calling, zone));
    }
    case Attribute::called: {
      const bool is_set_by_rule = event.zone != called_zone_;
      u64 zone = 0;
      const bool is_good = translate(text, event.called, zone);
      if (!is_set_by_rule) event.zone = zone;
      return done(is_good);
    }
    case Attribute::network:
      return done(std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
                  event.network.set(text));
    case Attribute::zone:
      event.zone = text_key(text);
      return NormaliseOutcome::ok;
    case Attribute::service:
      event.service_context = context_key(text);
      return NormaliseOutcome::ok;
    default:
      break;
  }
  u64 number = 0;
  return read_digits(text, number) ? set_number(attribute, static_cast<i64>(number), event)
                                   : NormaliseOutcome::number_unusable;
}

// ---- Why nothing fits: the rule that came furthest tells which AVP it lacked.
NormaliseOutcome Normaliser::blame() {
  const auto rules = table<NormaliseRule>(image_->rules);
  const auto conditions = table<NormaliseCondition>(image_->conditions);
  const u32 service = table<NormaliseService>(image_->services)[service_ - 1].atom;
  u32 best_count = 0;
  u32 best_atom = 0;
  u32 looked_at = 0;
  bool is_found = false;
  for (const NormaliseRule& rule : rules) {
    if (rule.service != service) continue;
    if (++looked_at > rules_blamed_max) break;
    u32 held = 0;
    u32 lacking = 0;
    bool lacks = false;
    for (const NormaliseCondition one :
         conditions.subspan(rule.conditions.offset, rule.conditions.count)) {
      if (holds(one)) {
        ++held;
      } else if (!lacks) {
        lacks = true;
        lacking = one >> 1;
      }
    }
    if (is_found && held <= best_count) continue;
    is_found = true;
    best_count = held;
    best_atom = lacking;
  }
  if (!is_found) return NormaliseOutcome::no_rule;
  // Which field an atom belongs to is written behind the atoms.
  const u32 field = table<u32>(image_->atom_fields)[best_atom];
  if (field == 0) return NormaliseOutcome::no_rule;
  const NormaliseField& asked = table<NormaliseField>(image_->fields)[field - 1];
  if (asked.source != FieldSource::avp) return NormaliseOutcome::no_rule;
  culprit_field_ = field;
  return values_[field - 1].is_present ? NormaliseOutcome::no_rule : NormaliseOutcome::avp_missing;
}

}  // namespace tollgate::rating
