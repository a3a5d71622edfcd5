// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The rules of all normalising files as one block of memory that never changes. It is published
// behind the tariff's image, in the same blob, so that the two change together.
//
//   header | services | fields | path steps | keys | ranges | patterns | atoms | postings | rules
//          | conditions | settings | translations | operators | ported numbers | programs | texts
//          | Hyperscan's database
//
// An atom is one test of one field: `called prefix "46", "47"`. Every test that two rules share is
// one atom. A look at the event makes the atoms that hold: a few lookups in a table for sets and
// prefixes, one search for ranges, one scan for all regular expressions. Each rule hangs on one of
// its atoms, the one that fewest rules have, so only rules that are nearly sure to fit are looked
// at, however many there are.
#pragma once

#include <vector>

#include "base/types.hh"
#include "rating/image.hh"
#include "rating/ported_numbers.hh"

namespace tollgate::rating {

inline constexpr u64 normalise_magic = 0x314d524f4e475454;  // "TTGNORM1"
inline constexpr u32 normalise_layout = 2;
inline constexpr u32 normalise_services_max = 64;
inline constexpr u32 normalise_fields_max = 1024;
inline constexpr u32 normalise_atoms_max = 1 << 18;
inline constexpr u32 normalise_rules_max = 1 << 18;
inline constexpr u32 normalise_prefix_max = 31;      // octets
inline constexpr u64 normalise_scratch_max = 4_MiB;  // what Hyperscan needs while it scans
inline constexpr u32 atoms_always = 0;               // the atom that always holds

// Where a field's value comes from.
enum class FieldSource : u8 { avp, calling, called, rating_group, identifier };

// What its octets are taken for.
enum class FieldForm : u8 {
  text,
  number,   // big-endian, at most eight octets
  address,  // an IP address, with or without Diameter's two octets of family
  plmn,     // MCC and MNC of a User-Location-Info: digits
  hex,      // the octets as hexadecimal digits
};
inline constexpr u8 form_count = static_cast<u8>(FieldForm::hex) + 1;

// One AVP of a path.
struct AvpStep {
  u32 code = 0;
  u32 vendor = 0;
  friend constexpr bool operator==(const AvpStep&, const AvpStep&) = default;
};

struct NormaliseService {
  u64 context = 0;  // context_key; 0: any other
  u32 atom = 0;
  u32 passes = 0;  // 1: an event that no rule fits goes on as it came
};

struct NormaliseField {
  FieldSource source = FieldSource::avp;
  FieldForm form = FieldForm::text;
  u16 has_patterns = 0;
  u32 prefix_lengths = 0;  // bit n: there are prefixes of n octets
  u64 services = 0;        // bit n: service n asks for it
  Extent path;             // in steps
  Extent ranges;
  u32 present_atom = 0;  // atom + 1
  u32 has_keys = 0;
};

// Instead of how many atoms a key has: its number is replaced, `offset` is the translation's.
inline constexpr u32 normalise_translated = ~u32{0};

// A text of a set, or a prefix: open addressing by hash. An empty slot has no postings.
struct NormaliseKey {
  u64 hash = 0;
  TextRef text;
  Extent atoms;  // in postings
};

// From here to the next range of the field these atoms hold.
struct NormaliseRange {
  u64 high = 0;
  u64 low = 0;
  Extent atoms;  // in postings
};

// A regular expression, by its number in Hyperscan's database.
struct NormalisePattern {
  u32 field = 0;
  u32 atom = 0;
};

struct NormaliseRule {
  Extent conditions;
  Extent settings;
  TextRef name;
  u32 service = 0;  // its atom
  u32 line = 0;
};

// An atom, shifted by one; the lowest bit: it must not hold.
using NormaliseCondition = u32;

enum class Attribute : u8 {
  service,
  rating_group,
  identifier,
  direction,
  location,
  zone,
  network,
  calling,
  called,
};
inline constexpr u32 attribute_count = static_cast<u32>(Attribute::called) + 1;

enum class SettingSource : u8 { number, text, field, program };

struct NormaliseSetting {
  Attribute attribute = Attribute::service;
  SettingSource source = SettingSource::number;
  u16 zero = 0;
  u32 index = 0;   // of the field; of the program's offset
  u64 number = 0;  // also the key of a service, a zone, an enumerator
  TextRef text;    // digits
};

// How numbers are written.
struct NumberPlan {
  TextRef country;       // "46"
  Extent national;       // TextRef in translations: "0"
  Extent international;  // "00"
  Extent calling_from;   // fields, in postings
  Extent called_from;
  u32 short_lengths_max = 0;  // octets of the longest short code
  u32 ported_lengths = 0;     // bit n: there are ported numbers or prefixes of n digits
};

struct NormaliseHeader {
  u64 magic = 0;
  u32 layout = 0;
  u32 crc = 0;  // CRC32C of all of it with this field zero
  u64 size_bytes = 0;
  u32 atom_count = 0;
  u32 zero = 0;
  NumberPlan plan;
  Extent services;
  Extent fields;
  Extent steps;
  Extent keys;  // a power of two
  Extent ranges;
  Extent patterns;
  Extent atoms;        // Extent of each: the rules that hang on it, in postings
  Extent atom_fields;  // u32: the field of each atom + 1, 0: none
  Extent postings;
  Extent rules;
  Extent conditions;
  Extent settings;
  Extent translations;
  Extent operators;  // PortedOperator
  Extent ported;     // u64, a power of two, or none: ported_numbers.hh
  Extent programs;   // octets, each at a multiple of 16
  Extent texts;
  Extent database;  // octets, at a multiple of 64
};

// Fields whose keys are not those of a rule.
inline constexpr u32 short_code_field = 0xfffffffe;
inline constexpr u32 ported_field = 0xffffffff;

// Where the key table looks first for a text of a field; `length` 0: the whole text, else a prefix.
u64 normalise_key_hash(u32 field, u32 length, std::string_view text);

// Whether every index stays inside, whatever octets these are. Hyperscan judges its own database.
[[nodiscard]] bool validate_normalise(Bytes bytes);
void seal_normalise(MutableBytes image);

// A blob that is published: the tariff's image, and behind it, at a multiple of 64, that of the
// rules, if there are some.
Bytes tariff_part(Bytes blob);
Bytes normalise_part(Bytes blob);
std::vector<u8> make_bundle(Bytes tariff, Bytes normalise);

}  // namespace tollgate::rating
