// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Image: all plans and rules of a tariff as one block of memory that never changes.
//
// The compiler (compile.hh) makes it; the control process copies it into shared memory; every
// charge core reads it in place. It holds offsets and no pointers, so it may lie at any address
// that is a multiple of eight (a cache line is better). A new tariff is a new image; nobody writes
// to one.
//
//   header | plans | initial buckets | services | rule slots | rules | redirects | texts
//          | zone maps, their index, leaves and names | timelines, their days and edges
//          | classes | cells | counters | functions | programs | products, their numbers and rows
//          | bonuses
//
// `services` and `rule slots` are hash tables with open addressing, never full. A service is found
// by (plan, service context), then its rule by rating group and service identifier: two cache
// lines, then the rule. The most particular rule wins:
//
//   group and identifier  >  group  >  identifier  >  the service's default
//
// Where rules ask for zones or time bands, the service says in which maps and which timeline; the
// zone of each number and the time become small classes, and these the place of a cell that names
// the rule. So a slot with conditions costs one word more, however many rules share it.
//
// A request without Rating-Group is taken for the service's default group, if it states one; then
// an identifier that was sent goes before a group that was not.
//
// Plans are known by a number that follows from the name alone (plan_id), so accounts survive every
// reload; the compiler refuses two names with one number. Service contexts are known by
// context_key.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/amount.hh"
#include "base/time.hh"
#include "base/types.hh"
#include "rating/functions.hh"
#include "rating/number.hh"
#include "rating/product.hh"
#include "rating/rule.hh"
#include "rating/timeline.hh"
#include "rating/zone_map.hh"

namespace tollgate::rating {

inline constexpr u64 image_magic = 0x3146465241544754;  // "TGTARFF1"
inline constexpr u32 image_layout = 9;
inline constexpr u64 image_size_max = 1_GiB;
inline constexpr u32 initial_buckets_max = 8;  // of one plan; what one command of the ledger makes

// The number of a plan's name. It is stored with accounts: it never changes. 0 is no plan.
u32 plan_id(std::string_view name);
// The same for counters.
u32 counter_id(std::string_view name);
u32 shared_counter_id(std::string_view name);

// The number of a Service-Context-Id. Of 3GPP's, `[ext.][mnc.mcc.][release.]32251@3gpp.org`, only
// the specification counts: all of its releases and prefixes are one service. Any other text counts
// as a whole.
u64 context_key(std::string_view service_context_id);

struct ImageHeader {
  u64 magic = 0;
  u32 layout = 0;
  u32 crc = 0;  // CRC32C of the whole image with this field zero
  u64 size_bytes = 0;
  u64 version = 0;  // hash of the contents: the same tariff has the same version
  Extent plans;
  Extent buckets;
  Extent services;    // count is a power of two
  Extent rule_slots;  // a table of its own, a power of two, for each service
  Extent rules;
  Extent redirects;  // TextRef: where final units redirect to; their numbers begin at 1
  Extent texts;      // octets
  Extent zone_maps;
  Extent zone_index;   // u32
  Extent zone_leaves;  // u64
  Extent zone_names;   // TextRef
  Extent zone_keys;    // u64: zone_key, as many as there are names and in the same places
  Extent timelines;
  Extent timeline_days;   // u32
  Extent timeline_edges;  // u64
  Extent classes;         // u16: of each zone of a map, as a service tells them apart
  Extent cells;           // u32: index of a rule + 1, or 0
  Extent counters;
  Extent functions;
  Extent programs;        // octets: programs of prices and discounts (program.hh)
  u64 keeping_plans = 0;  // how many of the plans keep sessions
  Extent products;
  Extent product_numbers;  // u32: what Product's extents hold
  Extent product_rows;
  Extent bonuses;
};

// A bucket that an account is given when it is made, or with a turn of a product.
struct InitialBucket {
  Unit unit = Unit::none;
  u8 priority = 0;  // lower pays first, as in the ledger
  u8 zero[5] = {};
  Amount amount;
  Duration lifetime;  // zero: never expires; of a product: with its turn
  Amount rollover;    // so much of what the last turn has left comes along
};

// What comes on top of a top-up of at least `from`.
struct Bonus {
  Money from;
  Amount amount;      // of `unit`; or
  Duration lifetime;  // zero: never expires
  u32 ppm = 0;        // so much of the top-up, in its currency, rounded down
  Unit unit = Unit::none;
  u8 priority = 0;
  u8 zero = 0;
};
static_assert(sizeof(Bonus) == 32);

struct Plan {
  u32 id = 0;
  Unit currency = Unit::none;
  u16 keeps_sessions = 0;  // a session goes on under the version that it began with
  TextRef name;
  Extent buckets;  // .offset is the index of the first in the image's buckets
  Extent bonuses;  // likewise
};

// What an account counts over its sessions: a quantity or money, begun anew with each period, or
// with each turn of a product; without the product it is at nothing.
struct Counter {
  u32 id = 0;  // it is stored with accounts; counter_id of its name, or shared_counter_id
  Unit unit = Unit::none;
  Period period = Period::ever;
  u8 is_shared = 0;  // it stands with who pays for the account, and all his members count it
  u32 timeline = 0;  // where the periods begin: index + 1, 0: never
  u32 product = 0;   // product_id; its turns are the periods
  TextRef name;
};

// What rules ask of a number: who calls, who is called, in which network.
enum class NumberRole : u8 { origin, destination, network };
inline constexpr u32 number_roles = 3;
inline constexpr u32 way_asked = 1u << number_roles;  // a function asks for direction or location

// One service of one plan; plan 0 marks an empty slot.
struct Service {
  u64 context = 0;
  u32 plan = 0;
  u32 shapes = 0;        // which kinds of rule slots there are: bits of RuleSlot::shape
  u32 slots_first = 0;   // index into rule_slots
  u32 slots_count = 0;   // a power of two, or 0
  u32 default_rule = 0;  // index + 1, or a place of cells; 0: none
  u32 default_group_known = 0;
  u32 default_group = 0;  // what a request without Rating-Group is taken for
  u32 timeline = 0;       // index + 1, 0: no rule asks for the time
  TextRef name;
  u32 map[number_roles] = {};            // index + 1, 0: no rule asks for that number
  u32 classes_first[number_roles] = {};  // into classes: by zone
  u16 class_count[number_roles] = {1, 1, 1};
  u16 band_count = 1;
  u32 products = 0;       // row of the products that rules ask for: index + 1, 0: none do
  u32 product_count = 1;  // how many sets of them there are: a power of two

  bool has_conditions() const { return (map[0] | map[1] | map[2] | timeline | products) != 0; }
  u32 cell_count() const {
    return product_count * class_count[0] * class_count[1] * class_count[2] * band_count;
  }
};

// Shape 0 marks an empty slot.
struct RuleSlot {
  static constexpr u32 by_group = 1;
  static constexpr u32 by_identifier = 2;
  static constexpr u32 by_both = 4;

  u32 rating_group = 0;
  u32 service_identifier = 0;
  u32 shape = 0;
  u32 rule = 0;  // index, or where its cells begin with cells_bit
};

// Marks the place of a row of cells, where else the number of a rule stands.
inline constexpr u32 cells_bit = u32{1} << 31;
inline constexpr u32 cells_max = 1 << 20;  // of one rule slot

// Why an image is refused.
enum class ImageFault : u8 {
  none,
  too_short,
  misaligned,    // the address is no multiple of eight
  wrong_magic,   // not a tariff image
  wrong_layout,  // of another version of the program
  wrong_size,    // cut off, or larger than allowed
  wrong_crc,     // damaged
  bad_extent,    // a table reaches beyond the image
  bad_plan,
  bad_bucket,
  bad_service,
  bad_rule_slot,
  bad_rule,
  bad_functions,
  bad_redirect,
  bad_zones,
  bad_timeline,
  bad_counter,
  bad_product,
};
std::string_view to_text(ImageFault fault);

// Checks all of it, so that nothing that Image or price.hh do with it afterwards can leave the
// image or overflow: sizes, offsets, indexes, enumerators, ranges of prices and blocks. Any octets
// may be given. Takes time in proportion to the size; not for the packet path.
[[nodiscard]] ImageFault validate(Bytes bytes);

// Writes the checksum of an image that is otherwise complete. For the compiler and for tests.
void seal(MutableBytes image);

// What find_rule met. The order is that of the search.
enum class Found : u8 {
  rule,
  no_plan,     // the plan is not in this tariff
  no_service,  // the plan does not sell this service context
  no_rule,     // no rule for this rating group or identifier, and no default
};
std::string_view to_text(Found found);

struct RuleKey {
  static constexpr u64 absent = ~u64{0};

  u32 plan = 0;                     // plan_id
  u64 context = 0;                  // context_key
  u64 rating_group = absent;        // 32 bits, or absent
  u64 service_identifier = absent;  // 32 bits, or absent
  u64 origin = number_absent;       // number_key of who calls,
  u64 destination = number_absent;  // of who is called,
  u64 network = number_absent;      // of MCC and MNC of the serving network
  // zone_id of what normalising rules have named, 0: nothing. It counts in place of the called
  // number's zone where the tariff has one of that name, or, in a service that asks for networks
  // but not for called numbers, of the network's.
  u32 zone = 0;
  ProductSet products{};  // that the account has, of those with prices
  // What normalising rules have said; only functions ask for it.
  Direction direction = Direction::unknown;
  Location location = Location::unknown;
};

// What find met.
struct Match {
  const Rule* rule = nullptr;
  const Service* service = nullptr;
  // From then on the same request gets another rule, or none: Tariff-Time-Change.
  Instant until = Instant::never();
  // When the time band of the service began: what a client reports as used before the change was
  // used before this.
  Instant since = {INT64_MIN};
};

// Fetches a rule that was found into the cache; find_rule does not read it.
inline void prefetch(const Rule& rule) {
  const u8* octets = reinterpret_cast<const u8*>(&rule);
  for (std::size_t at = 0; at < sizeof rule; at += cache_line_bytes) {
    __builtin_prefetch(octets + at);
  }
}

// A view of validated bytes; as cheap to copy as a pointer. The bytes outlive it.
class Image {
 public:
  Image() = default;
  // `bytes` have passed validate().
  explicit Image(Bytes bytes);

  bool is_loaded() const { return base_ != nullptr; }
  u64 version() const { return header().version; }
  // The version in 32 bits, as sessions remember it; never 0.
  u32 tag() const { return static_cast<u32>(version()) | 1; }
  // What a session of the plan remembers: tag, or 0 where it goes over to whatever comes.
  u32 tag_to_keep(u32 plan) const;

  // The rule for a request at the moment `at`; sets `rule` only if one is found.
  [[nodiscard]] Found find_rule(const RuleKey& key, Instant at, const Rule*& rule) const;
  // The same, and until when it counts.
  [[nodiscard]] Found find(const RuleKey& key, Instant at, Match& match) const;

  // For a burst of requests, each for all of them before the next: prefetch_service, prefetch_rule,
  // find_rule with prefetch(*rule), and then the prices.
  void prefetch_service(u32 plan, u64 context) const;
  void prefetch_rule(const RuleKey& key) const;
  // Between the two, where numbers count: first the index of the zones, then their leaves.
  void prefetch_zone_index(const RuleKey& key) const;
  void prefetch_zones(const RuleKey& key) const;

  const Plan* find_plan(u32 id) const;  // nullptr if there is none
  std::span<const Plan> plans() const { return table<Plan>(header().plans); }
  std::span<const InitialBucket> buckets(const Plan& plan) const;
  std::span<const Bonus> bonuses(const Plan& plan) const;
  // What a top-up of so much brings on top: those with the highest `from` that it reaches.
  std::vector<InitialBucket> bonuses(const Plan& plan, Money top_up) const;
  std::span<const Product> products() const { return table<Product>(header().products); }
  const Product* find_product(u32 id) const;  // nullptr if there is none; not for charge cores
  std::span<const InitialBucket> allowances(const Product& product) const;
  std::span<const u32> numbers(Extent of_product) const;  // prices, plans, needs, excludes
  std::span<const Service> services() const { return table<Service>(header().services); }
  std::span<const RuleSlot> rule_slots() const { return table<RuleSlot>(header().rule_slots); }
  std::span<const Rule> rules() const { return table<Rule>(header().rules); }
  std::span<const Counter> counters() const { return table<Counter>(header().counters); }
  std::span<const ZoneMap> zone_maps() const { return table<ZoneMap>(header().zone_maps); }
  ZoneTables zone_tables(const ZoneMap& map) const;
  // The name of a zone; empty for 0.
  std::string_view zone_name(const ZoneMap& map, u32 zone) const;
  // The zone of a request's number as the service sees it; 0 also if it asks for none.
  u32 zone_of(const Service& service, NumberRole role, const RuleKey& key) const;
  // Which numbers any service or function asks for: a bit for each NumberRole; and way_asked.
  u32 roles_asked() const;
  // What the functions of a rule of this image may ask of a request, of a session that began then;
  // all but quantity and counters.
  void fill_facts(const Rule& rule, const RuleKey& key, Instant began, PriceFacts& facts) const;
  // When the period of a counter that holds `at` ends.
  Instant period_end(const Counter& counter, Instant at) const;
  // The number of a rule of this image, to be remembered with a session.
  u32 rule_index(const Rule& rule) const { return static_cast<u32>(&rule - rules().data()); }
  std::string_view text(TextRef ref) const;
  // The URL that Rule::redirect means; empty for 0 and for a number of another image.
  std::string_view redirect(u16 number) const;
  // The number of that URL; 0: this image has none such.
  u16 redirect_number(std::string_view url) const;

 private:
  const ImageHeader& header() const { return *reinterpret_cast<const ImageHeader*>(base_); }
  template <class Record>
  std::span<const Record> table(Extent extent) const {
    return {reinterpret_cast<const Record*>(base_ + extent.offset), extent.count};
  }
  // The cells that a request's numbers lead to, and its time.
  struct Conditions {
    u32 cell = 0;  // of the first band
    TimeClass time;
  };
  struct Where {
    const Service* service;
    const RuleKey& key;
    Instant at;
  };
  const Service* find_service(u32 plan, u64 context) const;
  const RuleSlot* find_slot(const Service& service, const RuleSlot& key) const;
  Conditions conditions_of(const Where& where) const;
  // The rule behind a slot's `rule`, or nullptr: an empty cell.
  const Rule* resolve(u32 place, const Conditions& conditions) const;
  const Rule* choose(const Where& where, const Conditions& conditions) const;
  void extend(const Where& where, Conditions conditions, Match& match) const;
  TimelineTables timeline_tables(const Timeline& timeline) const;
  u32 zone_in(const ZoneMap& map, u64 number, u32 named) const;
  void fill_zone(const RuleFunctions& functions, const RuleKey& key, Facts& facts) const;
  static u64 number_of(const RuleKey& key, NumberRole role);

  const u8* base_ = nullptr;
};

}  // namespace tollgate::rating
