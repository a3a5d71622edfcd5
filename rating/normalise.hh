// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Normaliser: the AVPs of any network element to a ChargeEvent, by the rules of files
// (docs/normalise.md).
//
// One for each net tile. It allocates when it is made and never again: what a scan needs is taken
// from an arena of its own. A tile does for each request, if is_active():
//
//   normaliser.look(avps, context);              // once a message
//   outcome = normaliser.apply(service, event);  // once for each service in it
//
// rating/ knows no Diameter: AVPs come through AvpSource.
#pragma once

#include <array>
#include <memory>

#include "rating/charge_event.hh"
#include "rating/normalise_image.hh"
#include "rating/program.hh"

struct hs_database;
struct hs_scratch;

namespace tollgate::rating {

// The AVPs of one message.
class AvpSource {
 public:
  virtual ~AvpSource() = default;
  // The data of the first AVP at the end of the path. False if there is none.
  virtual bool find(std::span<const AvpStep> path, Bytes& data) const = 0;
};

// Why an event cannot be charged, in the order in which it is looked for.
enum class NormaliseOutcome : u8 {
  ok,
  unchanged,        // no rule is for this service, or none fits and it may pass
  number_unusable,  // a rule takes a number from an AVP that holds none
  program_failed,   // a Python function ended with an outcome that is no number
  avp_missing,      // a rule would fit, but for an AVP that is not there
  no_rule,          // an AVP has a value that no rule knows
};
std::string_view to_text(NormaliseOutcome outcome);

// The rating group and identifier of one service of a message.
struct NormaliseInput {
  u32 rating_group = 0;
  u32 service_identifier = 0;
  bool has_rating_group = false;
  bool has_service_identifier = false;
};

class Normaliser {
 public:
  Normaliser();
  Normaliser(const Normaliser&) = delete;
  Normaliser& operator=(const Normaliser&) = delete;
  ~Normaliser();

  // Goes over to the rules of an image, which has been validated and outlives this; empty: none.
  // False if Hyperscan does not take its database: then there are no rules.
  [[nodiscard]] bool use(Bytes image, Program::Mapping mapping);

  bool is_active() const { return image_ != nullptr; }

  // What the message says, as far as rules ask. `at` is for Python functions.
  void look(const AvpSource& avps, u64 context, Instant at);

  // The event of one service of the message.
  [[nodiscard]] NormaliseOutcome apply(const NormaliseInput& input, ChargeEvent& event);

  // After a refusal: the AVP that could not be used; empty if it is none of the message's own.
  std::span<const AvpStep> culprit() const;
  // The name of the first rule that fitted; empty if none did.
  std::string_view rule_name() const;

 private:
  static constexpr u32 rules_applied_max = 64;
  // A refusal looks at no more rules than these for a reason, so that it costs no more than work.
  static constexpr u32 rules_blamed_max = 256;

  struct Value {
    bool is_present = false;
    u8 inline_count = 0;
    Bytes octets;
    std::array<char, 40> inlined;  // hex digits, digits of a PLMN
  };

  template <class Record>
  std::span<const Record> table(Extent extent) const {
    return {reinterpret_cast<const Record*>(reinterpret_cast<const u8*>(image_) + extent.offset),
            extent.count};
  }
  std::string_view text(TextRef ref) const;
  void read_value(const AvpSource& avps, u32 number);
  void shape(const NormaliseField& field, Value& value) const;
  void test(u32 number);
  void test_text(u32 number, std::string_view text);
  void test_range(const NormaliseField& field, u64 high, u64 low);
  void test_number(u32 number, u64 value, bool is_present);
  void hold(u32 atom);
  void hold_all(Extent atoms);
  const NormaliseKey* find_key(u32 field, u32 length, std::string_view text) const;
  bool holds(NormaliseCondition condition) const;
  bool fits(const NormaliseRule& rule) const;
  u32 collect();
  // `zone` is set to that of the operator to whom the number was ported, or to 0.
  bool translate(std::string_view raw, Digits& digits, u64& zone) const;
  bool first_number(const AvpSource& avps, Extent fields, Digits& digits, u64& zone);
  NormaliseOutcome set(const NormaliseSetting& setting, ChargeEvent& event);
  NormaliseOutcome set_number(Attribute attribute, i64 number, ChargeEvent& event);
  NormaliseOutcome set_text(Attribute attribute, std::string_view text, ChargeEvent& event);
  NormaliseOutcome blame();
  static int on_match(u32 id, unsigned long long from, unsigned long long to, u32 flags,
                      void* self);

  const NormaliseHeader* image_ = nullptr;
  Program::Mapping mapping_ = Program::Mapping::data;
  hs_scratch* scratch_ = nullptr;
  u32 service_ = 0;  // index + 1; 0: none
  u32 scanned_field_ = 0;
  u32 message_atoms_ = 0;  // how many of held_ come from the message itself
  u32 held_count_ = 0;
  u32 culprit_field_ = 0;  // index + 1
  u32 first_rule_ = 0;     // index + 1
  Instant at_;
  u64 context_ = 0;
  Digits calling_;
  Digits called_;
  u64 called_zone_ = 0;              // of the operator to whom it was ported
  std::unique_ptr<u64[]> bits_;      // which atoms hold
  std::unique_ptr<u32[]> held_;      // the same as a list
  std::unique_ptr<Value[]> values_;  // of the fields
  std::unique_ptr<u8[]> arena_;      // Hyperscan's scratch
  std::array<u32, rules_applied_max> fitting_{};
};

}  // namespace tollgate::rating
