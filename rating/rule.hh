// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Rule: what one service costs, and how much of it is granted at a time.
//
// A rule meters a service in one Unit (octets, milliseconds, events, or money itself) and names the
// sources that pay for it, in order: `pay with octets then EUR` is two sources. A source that is
// money costs what the steps of the price say; any other source costs so many of its own units a
// block (usually one octet an octet). Rules live inside a tariff image (image.hh): fixed size,
// offsets only, read in place by the charge core. price.hh calculates with them.
//
// The records here are stored: a change of meaning is a new image_layout in image.hh.
#pragma once

#include <span>
#include <type_traits>

#include "base/amount.hh"
#include "base/check.hh"
#include "base/types.hh"

namespace tollgate::rating {

// Bounds of what a tariff may say. They keep every intermediate result inside 128 bits.
inline constexpr u32 steps_max = 4;                      // three `first`/`next`, and the rest
inline constexpr u32 sources_max = 4;                    // entries of one `pay with`
inline constexpr i64 block_max = i64{1} << 50;           // a pebioctet, 35 000 years
inline constexpr i64 price_max = 1'000'000'000'000'000;  // a billion currency units
inline constexpr i64 step_start_max = i64{1} << 60;      // where the last step may begin
inline constexpr i64 cost_before_max = i64{1} << 60;     // what all steps before it may cost
inline constexpr u32 factor_max = u32{1} << 28;          // either part of Rule's factor
inline constexpr i64 exact_block_max = i64{1} << 32;     // with a factor: a block of an exact price
inline constexpr i64 exchange_max = i64{1} << 40;        // either part of an exchange rate

// What becomes of a request for the service.
enum class Verdict : u8 {
  charged,  // ask price.hh
  free,     // granted, nothing is paid
  barred,   // denied, whatever the balance
};

// What the service is measured by; `unit` of the rule tells in which integer.
enum class Meter : u8 {
  volume,    // octets, both directions together
  time,      // milliseconds
  events,    // by the piece; also service-specific units
  money,     // the service states its own price: one millionth costs one millionth
  upload,    // octets from the user (CC-Input-Octets)
  download,  // octets to the user (CC-Output-Octets)
};

constexpr bool is_of_octets(Meter meter) {
  return meter == Meter::volume || meter == Meter::upload || meter == Meter::download;
}

// How usage becomes blocks: base's Rounding, or not at all (a part of a block costs its part).
enum class BlockRounding : u8 { down, up, half_up, half_even, exact };

// What the client does when the last grant is used up.
// restrict_to_filter: by a filter of the gateway's own, such as a lower speed.
enum class FinalAction : u8 { terminate, redirect, restrict_access, restrict_to_filter };

// A table of the image: `count` records from `offset` on.
struct Extent {
  u32 offset = 0;
  u32 count = 0;
};

// A text of the image: offset into its text area and length, both in octets.
struct TextRef {
  u32 offset = 0;
  u32 length = 0;
};

// One stretch of the price: from `start` on, each block begun costs `price`.
// `cost_before` is what all of the steps before this one cost together (without the setup fee).
struct Step {
  Quantity start;
  Quantity block{1};
  Money price;
  Money cost_before;
};

// Who pays. For money of the rule's currency, `block` and `amount` are 1: the steps say the price.
// Money of another currency takes `amount` of itself for `block` of the rule's, rounded as it says.
struct PaymentSource {
  Unit unit = Unit::none;
  BlockRounding rounding = BlockRounding::up;
  u8 zero[5] = {};
  Quantity block{1};  // each so much of the service ...
  Amount amount{1};   // ... takes so much from the bucket

  bool is_money() const { return tollgate::is_money(unit); }
};

// How much is granted at a time. A zero means: nothing said.
struct GrantPolicy {
  Quantity size;           // when the client leaves it to us
  Quantity smallest;       // a smaller wish is raised to it
  Quantity largest;        // a larger wish is cut to it
  Quantity threshold;      // the client reports when so much is left; or:
  u32 threshold_permille;  // the same as a share of the grant
  u32 validity_seconds;    // the client reports after so long
  u32 holding_seconds;     // the client gives back what it did not use for so long
  FinalAction final_action;
  u8 zero[3];
};

struct Rule {
  Verdict verdict = Verdict::charged;
  Meter meter = Meter::volume;
  Unit unit = Unit::octets;  // of every Quantity in this rule
  BlockRounding usage_rounding = BlockRounding::up;
  Rounding money_rounding = Rounding::up;
  u8 step_count = 0;
  u8 source_count = 0;
  Unit currency = Unit::none;  // of every Money in this rule
  u16 redirect = 0;     // number of the URL, or filter, in the image, when final_action says so
  u32 line = 0;         // where in `file` the rule stands
  TextRef file;         // name of the tariff file
  TextRef name;         // "prepaid/data/group 10": for CDRs and explanations
  Money setup_fee;      // once a session, with the first use that money pays
  Money money_step{1};  // what a session has cost is always a whole multiple of this
  // What fee and steps say is multiplied by this before it is rounded: discount and tax.
  u32 factor = 1;
  u32 factor_by = 1;
  Money minimum;          // what a session costs that costs anything at all; 0: nothing said
  Money cap;              // a session costs no more; 0: no end
  Quantity cycle;         // after so much the steps begin anew; 0: never
  Money cycle_cost;       // what the steps cost up to there
  Money counted_limit;    // of the money counter, if there is one
  u16 usage_counter = 0;  // number of the counter in which the steps are, 0: in the session
  u16 money_counter = 0;  // number of the counter that counts what money has paid
  u8 is_limit_cap = 0;    // at the limit it costs nothing more; else money pays nothing more
  u8 zero1[3] = {};
  u32 tax_ppm = 0;  // of the price without tax, for invoices: `factor` has it in already
  // So many octets behind this rule its RuleFunctions lie (functions.hh); 0: it has none, the steps
  // say the price. A rule that has some stays where it lies.
  u32 functions = 0;
  GrantPolicy grant{};
  PaymentSource source[sources_max];
  Step step[steps_max];

  std::span<const PaymentSource> sources() const { return {source, source_count}; }
  std::span<const Step> steps() const { return {step, step_count}; }
};

static_assert(sizeof(Step) == 32);
static_assert(sizeof(PaymentSource) == 24);
static_assert(sizeof(GrantPolicy) == 48);
static_assert(sizeof(Rule) == 384 && std::is_trivially_copyable_v<Rule>);
static_assert(std::has_unique_object_representations_v<Rule>, "the image's checksum covers all");

// How much to grant when the client asks for `asked`, or leaves it to us (zero): inside the
// policy's bounds; zero only if the rule states no size either.
constexpr Quantity grant_size(const GrantPolicy& policy, Quantity asked) {
  Quantity size = asked.is_positive() ? asked : policy.size;
  if (size < policy.smallest) size = policy.smallest;
  if (policy.largest.is_positive() && size > policy.largest) size = policy.largest;
  return size;
}

// The Quota-Threshold that goes with a grant: how much is left when the client shall report. Zero:
// none. Always below the grant.
constexpr Quantity grant_threshold(const GrantPolicy& policy, Quantity granted) {
  Quantity left = policy.threshold;
  if (policy.threshold_permille != 0) {
    left.count = static_cast<i64>(i128{granted.count} * policy.threshold_permille / 1000);
  }
  return left < granted ? left : Quantity{};
}

}  // namespace tollgate::rating
